"""ELF files, by pyelftools: our own program's, and the kernels of submissions.

A kernel's file is what a stranger's linker script made of it: any bytes at all. So it is read once,
in the limited child (reading.py), before QEMU gets it, and all else uses what was found: segments
and variables. pyelftools says what the fields of a table are; which entries are read, and how many,
is decided here, since its own loops believe the counts and the string tables of the file.
Source lines come from binutils' addr2line (decode.py): it too reads what a stranger made, but does
so in the sandbox, in a fraction of the time, and it knows functions that were inlined.
"""
from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from elftools.common.utils import struct_parse
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from grader.errors import SubmissionError
from grader.reading import read_limited
from grader.sandbox import Sandbox

SEGMENTS_MAX, SECTIONS_MAX, SYMBOLS_MAX, VARIABLES_MAX = 64, 1000, 200_000, 20_000
NAME_BYTES_MAX = 64
SYMBOLS_SECONDS = 10.0  # of CPU time; variables found later are left out
PLACE_MAX = 1 << 40  # in a file: larger numbers are not offsets


@dataclass(frozen=True)
class Segment:
    """A piece of the file that is loaded (PT_LOAD): addresses, and the sizes in file and memory."""

    va: int
    pa: int
    file_size: int
    size: int

    @property
    def extent(self) -> int:
        """The bytes that a loader may touch."""
        return max(self.file_size, self.size)


@dataclass(frozen=True)
class Variable:
    """A variable of the kernel's: its physical address and its size."""

    pa: int
    size: int


@dataclass(frozen=True)
class Layout:
    """What a kernel's file says of the memory that it needs."""

    segments: list[Segment] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)

    @property
    def image(self) -> range:
        """The physical addresses of the kernel's program and variables."""
        loaded = [segment for segment in self.segments if segment.size]
        if not loaded:
            return range(0)
        ends = [segment.pa + segment.size for segment in loaded]
        return range(min(segment.pa for segment in loaded), max(ends))


# ---- Kernels ----


def read_kernel(kernel: Path, base: int, memory: int, sandbox: Sandbox) -> Layout:
    """Returns the layout of a submission's kernel; SubmissionError if its segments are not all in
    the memory, which begins at `base`. Damaged symbols do not matter, but section headers do."""
    try:
        found = read_limited("kernel", {"file": kernel}, sandbox, read=[kernel])
    except SubmissionError as error:
        raise SubmissionError(str(error)) from None  # its status is that of a kernel, not a file
    segments = [Segment(**segment) for segment in found["segments"]]
    check_segments(segments, base, memory)
    variables = {name: Variable(*place) for name, place in found["variables"].items()}
    return Layout(segments, variables)


def check_segments(segments: list[Segment], base: int, memory: int) -> None:
    """SubmissionError if a segment is not in the memory, which begins at `base`."""
    end = base + memory
    for segment in segments:
        if segment.extent and not base <= segment.pa <= end - segment.extent:
            raise SubmissionError(
                "the kernel does not fit into memory: "
                f"it needs {segment.pa:#x} to {segment.pa + segment.size:#x}, "
                f"but memory is {base:#x} to {end:#x}"
            )


def parse_kernel(path: Path) -> dict[str, object]:
    """Reads a kernel's file, in the limited child; SubmissionError if it cannot be loaded."""
    with path.open("rb") as file:
        try:
            elf = ELFFile(_Bounded(file))
            header = elf.header
            is_kernel = elf.elfclass == 64 and elf.little_endian and header.e_machine == "EM_RISCV"
        except Exception:  # pylint: disable=broad-except  # pyelftools raises all kinds
            is_kernel = False
        if not is_kernel:
            raise SubmissionError("what was linked is no ELF file for RISC-V")
        segments = [
            Segment(entry.p_vaddr, entry.p_paddr, entry.p_filesz, entry.p_memsz)
            for entry in _read_segments(elf) if entry.p_type == "PT_LOAD"
        ]
        variables: dict[str, tuple[int, int]] = {}
        try:
            _read_variables(elf, segments, variables)
        except Exception:  # pylint: disable=broad-except
            pass  # whatever is wrong with symbols, they explain verdicts and decide none
    return {"segments": [asdict(segment) for segment in segments], "variables": variables}


class _Bounded:
    """A file whose reads are of bounded size at places that a file can have."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Goes to a place; beyond all files to the end of all."""
        return self.file.seek(min(place, PLACE_MAX), whence)

    def tell(self) -> int:
        """Returns the place."""
        return self.file.tell()

    def read(self, size: int = 0) -> bytes:
        """Returns bytes, of which no structure has more than a page."""
        return self.file.read(max(0, min(size, 4096)))


def _read_segments(elf: ELFFile) -> list[Any]:
    """Returns the entries of the table of segments; SubmissionError if there are none or many."""
    header, structs = elf.header, elf.structs
    count = header.e_phnum
    is_known = header.e_phentsize == structs.Elf_Phdr.sizeof()
    if is_known and 0 < count <= SEGMENTS_MAX:
        entries = []
        try:
            for i in range(count):
                place = header.e_phoff + i * header.e_phentsize
                entries.append(struct_parse(structs.Elf_Phdr, elf.stream, place))
            return entries
        except Exception:  # pylint: disable=broad-except  # the file ends before its table does
            pass
    raise SubmissionError(f"the kernel has {count} segments: 1 to {SEGMENTS_MAX} can be loaded")


def _read_variables(
    elf: ELFFile, segments: list[Segment], variables: dict[str, tuple[int, int]]
) -> None:
    """Adds the kernel's variables, by name: physical address and size."""
    end = time.process_time() + SYMBOLS_SECONDS
    for symbol, name_at in _symbols(elf):
        if time.process_time() > end or len(variables) >= VARIABLES_MAX:
            return
        segment = next(
            (s for s in segments if s.va <= symbol.st_value < s.va + s.size), None
        )
        if segment is None or symbol.st_info.type != "STT_OBJECT":
            continue
        elf.stream.seek(name_at)
        name = elf.stream.read(NAME_BYTES_MAX).partition(b"\0")[0].decode("ascii", "replace")
        if not (name.isascii() and name.isprintable()):
            continue  # no compiler makes such names; they would fill the child's output
        variables[name] = symbol.st_value - segment.va + segment.pa, symbol.st_size


def _symbols(elf: ELFFile) -> Iterator[tuple[Any, int]]:
    """Yields the symbols, a bounded number, each with the place of its name in the file."""
    header, structs = elf.header, elf.structs

    def section(index: int) -> Any:
        place = header.e_shoff + index * header.e_shentsize
        return struct_parse(structs.Elf_Shdr, elf.stream, place)

    size, left = structs.Elf_Sym.sizeof(), SYMBOLS_MAX
    for index in range(min(header.e_shnum, SECTIONS_MAX)):
        table = section(index)
        if table.sh_type != "SHT_SYMTAB":
            continue
        names = section(table.sh_link).sh_offset
        count = min(table.sh_size // size, left)
        left -= count
        for i in range(count):
            symbol = struct_parse(structs.Elf_Sym, elf.stream, table.sh_offset + i * size)
            yield symbol, names + symbol.st_name


# ---- Our own program ----


@dataclass(frozen=True)
class Loaded:
    """A piece of our program that is loaded."""

    address: int
    content: bytes
    size: int
    executable: bool
    writable: bool


def read_entry(program: Path) -> int:
    """Returns the address at which our program begins."""
    with program.open("rb") as file:
        return int(ELFFile(file).header.e_entry)


def read_loaded(program: Path) -> list[Loaded]:
    """Returns the pieces of our program that are loaded."""
    with program.open("rb") as file:
        return [
            Loaded(
                segment["p_vaddr"], segment.data(), segment["p_memsz"],
                bool(segment["p_flags"] & P_FLAGS.PF_X), bool(segment["p_flags"] & P_FLAGS.PF_W),
            )
            for segment in ELFFile(file).iter_segments("PT_LOAD")
        ]


def read_symbols(program: Path) -> dict[str, int]:
    """Returns the addresses of our program's global symbols."""
    with program.open("rb") as file:
        return {
            symbol.name: symbol["st_value"]
            for section in ELFFile(file).iter_sections() if isinstance(section, SymbolTableSection)
            for symbol in section.iter_symbols() if symbol["st_info"]["bind"] == "STB_GLOBAL"
        }


def set_stack_size(program: Path, size: int) -> None:
    """Writes the size into PT_GNU_STACK, where no linker puts it if a script has PHDRS."""
    with program.open("r+b") as file:
        elf = ELFFile(file)
        for i in range(elf.num_segments()):
            place = elf.header.e_phoff + i * elf.header.e_phentsize
            entry = struct_parse(elf.structs.Elf_Phdr, file, place)
            if entry.p_type == "PT_GNU_STACK":
                entry.p_memsz = size
                file.seek(place)
                file.write(elf.structs.Elf_Phdr.build(entry))
