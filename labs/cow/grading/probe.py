"""The probe's ELF file: how it is built, and what is found in it by name."""
from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from grader.errors import InfraError
from grader.toolchain import PREFIXES

SOURCE = Path(__file__).with_name("probe.c")
SCRIPT = Path(__file__).with_name("probe.ld")
STACK_PAGES = 4  # on kernels that look at PT_GNU_STACK: cow6's
FLAGS = (
    "-std=gnu11 -O2 -mabi=lp64 -mcmodel=medany -mno-relax -msmall-data-limit=0 -Wall -Wextra -Werror -ffreestanding "
    "-nostdlib -static -fno-common -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -fno-builtin"
).split()
LINK_FLAGS = [
    "-m", "elf64lriscv", "-nostdlib", "-static", "-s", "-z", "max-page-size=4096", "-T", SCRIPT.name
]
MARCH = ("rv64imac_zicsr_zifencei", "rv64imac")

# The numbers of the commands, as probe.c has them.
OPERATIONS: dict[str, int] = {
    name: int(number) for name,
    number in re.findall(r"^\s+(OP_\w+)\s*=\s*(\d+),", SOURCE.read_text(), re.MULTILINE)
}


@dataclass(frozen=True)
class Segment:
    """A PT_LOAD segment."""

    address: int
    content: bytes
    size: int
    executable: bool
    writable: bool


@dataclass(frozen=True)
class Probe:
    """What the grader knows of the program that it plays."""

    symbols: dict[str, int]
    segments: list[Segment]
    file: bytes  # as it stands in the image

    @property
    def text(self) -> Segment:
        """The segment with the program's instructions and constants."""
        return next(
            segment for segment in self.segments if segment.executable and not segment.writable
        )


def compiler() -> list[str]:
    """Returns the compiler's command; InfraError if there is none for RISC-V."""
    for prefix in PREFIXES:
        if shutil.which(prefix + "gcc") and shutil.which(prefix + "ld"):
            return [prefix + "gcc"]
    if shutil.which("clang") and shutil.which("ld.lld"):
        return ["clang", "--target=riscv64-unknown-elf"]
    raise InfraError("no compiler for RISC-V was found: run `make setup`")


def linker() -> list[str]:
    """Returns the linker's command."""
    first = compiler()[0]
    return [first[:-3] + "ld" if first.endswith("gcc") else "ld.lld"]


def run(command: list[str]) -> None:
    """Runs a command of ours beside the source; that it fails is the grading machine's fault."""
    done = subprocess.run(
        command, cwd=SOURCE.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise InfraError(f"the probe does not build: {' '.join(command)}\n{done.stdout.strip()}")


def knows_march(march: str) -> bool:
    """Tells whether the compiler knows the architecture; some want extensions named that others do not know."""
    command = [
        *compiler(), f"-march={march}", "-mabi=lp64", "-x", "c", "-c", "-o", "/dev/null",
        "/dev/null"
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def build(work: Path) -> Path:
    """Builds the probe in the folder `work`: probe.debug has the symbols, probe goes into the image."""
    march = next((name for name in MARCH if knows_march(name)), MARCH[-1])
    work = work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    program, with_symbols, code = work / "probe", work / "probe.debug", work / "probe.o"
    run([*compiler(), *FLAGS, f"-march={march}", "-c", "-o", str(code), SOURCE.name])
    link = [*linker(), *LINK_FLAGS, str(code)]
    run([*link, "-o", str(program)])
    run([*(word for word in link if word != "-s"), "-o", str(with_symbols)])
    program.write_bytes(with_stack(program.read_bytes(), STACK_PAGES * 4096))
    return program


def with_stack(elf: bytes, size: int) -> bytes:
    """Returns the program with this size in PT_GNU_STACK, where no linker puts it if a script has PHDRS."""
    changed = bytearray(elf)
    offset, = struct.unpack_from("<Q", elf, 32)
    entry_size, count = struct.unpack_from("<HH", elf, 54)
    for at in range(offset, offset + count * entry_size, entry_size):
        if struct.unpack_from("<I", elf, at)[0] == 0x6474E551:
            struct.pack_into("<Q", changed, at + 40, size)
    return bytes(changed)


def read(program: Path) -> Probe:
    """Reads the segments of the program, and the symbols of the file beside it that has them."""
    file = program.read_bytes()
    return Probe(
        read_symbols(program.with_suffix(".debug").read_bytes()), read_segments(file), file
    )


def read_segments(elf: bytes) -> list[Segment]:
    """Returns the segments that are loaded."""
    offset, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    segments = []
    for i in range(count):
        kind, flags, start, address, _, in_file, in_memory, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, offset + i * size
        )
        if kind == 1:
            content = elf[start:start + in_file]
            segments.append(Segment(address, content, in_memory, bool(flags & 1), bool(flags & 2)))
    return segments


def read_symbols(elf: bytes) -> dict[str, int]:
    """Returns the addresses of the global symbols."""
    offset, = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + i * size) for i in range(count)]
    symbols = {}
    for _, kind, _, _, start, length, link, _, _, entry_size in sections:
        if kind != 2:  # SHT_SYMTAB
            continue
        names = sections[link][4]
        for at in range(start, start + length, entry_size):
            name, info, _, _, value, _ = struct.unpack_from("<IBBHQQ", elf, at)
            if info >> 4 == 1:
                end = elf.index(b"\0", names + name)
                symbols[elf[names + name:end].decode()] = value
    return symbols
