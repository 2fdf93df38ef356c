"""A look at a kernel's ELF file before QEMU gets it: what does not fit into its machine is the
kernel's fault."""
from __future__ import annotations

import struct
from pathlib import Path

from grader.errors import SubmissionError

HEADER = struct.Struct("<4sBB10xHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
LOADED, SEGMENTS_MOST = 1, 64
RISCV, BITS_64, LITTLE_ENDIAN = 243, 2, 1


def check_kernel(path: Path, base: int, memory: int) -> None:
    """SubmissionError if a kernel's segments are not all in the memory, which begins at `base`."""
    with path.open("rb") as file:
        header = file.read(HEADER.size)
        fields = HEADER.unpack(header) if len(header) == HEADER.size else (b"",) * 15
        if fields[:3] != (b"\x7fELF", BITS_64, LITTLE_ENDIAN) or fields[4] != RISCV:
            raise SubmissionError("what was linked is no ELF file for RISC-V")
        place, size, count = fields[7], fields[11], fields[12]
        file.seek(min(place, 1 << 40))
        table = file.read(SEGMENTS_MOST * SEGMENT.size)
    if size != SEGMENT.size or not 0 < count <= min(SEGMENTS_MOST, len(table) // SEGMENT.size):
        raise SubmissionError(
            f"the kernel has {count} segments: 1 to {SEGMENTS_MOST} can be loaded"
        )
    end = base + memory
    for kind, _, _, _, address, in_file, in_memory, _ in SEGMENT.iter_unpack(table[: count * size]):
        if kind == LOADED and max(in_file, in_memory) and not (
            base <= address and address + max(in_file, in_memory) <= end
        ):
            raise SubmissionError(
                "the kernel does not fit into memory: "
                f"it wants {address:#x} to {address + in_memory:#x}, "
                f"and memory is {base:#x} to {end:#x}"
            )
