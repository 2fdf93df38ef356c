"""A stopped kernel's memory, as gdb sees it: processes, page tables and frames.

QEMU's gdb stub reads physical memory, whatever the harts are doing. All layouts come from the
kernel's debug information, and nothing in the kernel runs.
"""
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import gdb

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
TABLE_ENTRIES = 512
LEVELS = 3
USER_ENTRIES = TABLE_ENTRIES // 2

# Sv39 entries; bit 8, one of two reserved for software, is the kernel's copy-on-write bit.
VALID, READ, WRITE, EXECUTE, COW = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 8

NOT_ATTACHED = (
    "cow6: no kernel is attached: "
    "start `make qemu-gdb` in another window first, then `make gdb` here"
)


class Entry(NamedTuple):
    """A present page-table entry of the lower half."""

    va: int
    level: int
    bits: int
    table: int  # where the table is that it is in


class Kernel:
    """The kernel's memory, as structures of its own debug information."""

    def __init__(self) -> None:
        self.offset = address_of("kernel_start") - address_of("kernel_entry")
        self.ram_base = int(self.variable("kernel/mem/frame.c", "ram_base"))
        self.ram_frames = int(self.variable("kernel/mem/frame.c", "ram_frames"))
        if self.ram_frames == 0:
            raise gdb.GdbError(
                "cow6: the kernel has not set up its memory yet: "
                "let it run first (continue, Ctrl-C)"
            )

    def physical(self, va: int) -> int:
        """The physical address of a kernel address of the linear map."""
        return va - self.offset

    def read(self, pa: int, size: int) -> bytes:
        """Reads physical memory."""
        try:
            return bytes(gdb.selected_inferior().read_memory(pa, size))
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"cow6: there is no memory at physical address {pa:#x}") from error

    def object(self, va: int, kind: gdb.Type) -> gdb.Value:
        """The object of that type at a kernel address."""
        return gdb.Value(self.read(self.physical(va), kind.sizeof), kind)

    def target(self, pointer: gdb.Value) -> gdb.Value:
        """What a kernel pointer points to."""
        return self.object(int(pointer), pointer.type.target())

    def variable(self, file: str, name: str) -> gdb.Value:
        """A variable of one of the kernel's files."""
        return self.target(evaluate(f"&'{file}'::{name}"))

    def string(self, pointer: gdb.Value) -> str:
        """A constant string."""
        if int(pointer) == 0:
            return ""
        rest_of_page = PAGE_SIZE - int(pointer) % PAGE_SIZE
        data = self.read(self.physical(int(pointer)), min(64, rest_of_page))
        return data.split(b"\0")[0].decode(errors="replace")

    # Processes.

    def processes(self) -> list[gdb.Value]:
        """All processes, by pid."""
        table = self.variable("kernel/proc/table.c", "table")
        count = int(self.variable("kernel/proc/table.c", "used_count"))
        kind = table.type.target()
        slots = [self.object(int(table) + i * kind.sizeof, kind) for i in range(count)]
        return sorted((p for p in slots if int(p["pid"]) > 0), key=lambda p: int(p["pid"]))

    def process(self, pid: int) -> gdb.Value:
        """The process with that pid."""
        for p in self.processes():
            if int(p["pid"]) == pid:
                return p
        raise gdb.GdbError(f"cow6: there is no process {pid}; `cow6 ps` lists them")

    def space(self, p: gdb.Value) -> gdb.Value | None:
        """The address space of a process; None if it has exited."""
        return self.target(p["as"]) if int(p["as"]) != 0 else None

    def space_of(self, pid: int) -> gdb.Value:
        """The address space of the process with that pid, which must have one."""
        space = self.space(self.process(pid))
        if space is None:
            raise gdb.GdbError(f"cow6: process {pid} has exited and has no address space any more")
        return space

    # Page tables.

    def root(self, space: gdb.Value) -> int:
        """The physical address of a space's root table."""
        return self.physical(int(space["pt"]["root"]))

    def table(self, pa: int) -> list[int]:
        """The entries of the table at that address."""
        data = self.read(pa, PAGE_SIZE)
        return [int.from_bytes(data[i : i + 8], "little") for i in range(0, PAGE_SIZE, 8)]

    def entries(self, table: int, level: int = LEVELS - 1, va: int = 0) -> Iterator[Entry]:
        """All leaf entries below a table that map addresses of the lower half."""
        count = USER_ENTRIES if level == LEVELS - 1 else TABLE_ENTRIES
        for index, bits in enumerate(self.table(table)[:count]):
            address = va + (index << (PAGE_SHIFT + 9 * level))
            if is_table(bits):
                yield from self.entries(entry_physical(bits), level - 1, address)
            elif bits & VALID:
                yield Entry(address, level, bits, table)

    def owners(self, table: int) -> int:
        """How many address spaces share the leaf table at that address."""
        return int(self.frame(table >> PAGE_SHIFT)["count"])

    def entries_for(self, number: int) -> Iterator[tuple[gdb.Value, Entry]]:
        """All entries of processes that map a frame, each with its process. Of processes that use
        one address space, the first is taken."""
        spaces: set[int] = set()
        for p in self.processes():
            space = self.space(p)
            if space is None or int(p["as"]) in spaces:
                continue
            spaces.add(int(p["as"]))
            for entry in self.entries(self.root(space)):
                if entry_physical(entry.bits) >> PAGE_SHIFT == number:
                    yield p, entry

    # Frames.

    def sharers(self, number: int) -> int:
        """The count of a frame, if an entry counted once for each space that shares its table."""
        tables = {entry.table for _, entry in self.entries_for(number)}
        more = sum(self.owners(table) - 1 for table in tables)
        return int(self.frame(number)["count"]) + more

    def frame_number(self, number: int) -> int:
        """The frame number of a frame number or physical address in RAM."""
        if number >= self.ram_base:
            number >>= PAGE_SHIFT
        first = self.ram_base >> PAGE_SHIFT
        if not first <= number < first + self.ram_frames:
            last = first + self.ram_frames - 1
            raise gdb.GdbError(
                f"cow6: there is no frame {number:#x}; RAM has frames {first:#x} to {last:#x}"
            )
        return number

    def frame(self, number: int) -> gdb.Value:
        """The struct of a frame."""
        frames = self.variable("kernel/mem/frame.c", "frame_array")
        kind = frames.type.target()
        index = number - (self.ram_base >> PAGE_SHIFT)
        return self.object(int(frames) + index * kind.sizeof, kind)

    def was_used(self, number: int) -> bool:
        """Tells whether a frame has ever been handed out, so that its struct is valid."""
        fresh = int(self.variable("kernel/mem/frame.c", "fresh"))
        return number - (self.ram_base >> PAGE_SHIFT) < fresh


def evaluate(text: str) -> gdb.Value:
    """Evaluates an expression that reads no memory."""
    try:
        return gdb.parse_and_eval(text)
    except gdb.error as error:
        raise gdb.GdbError(
            f"cow6: {error}; does `file kernel/kernel` name the kernel that runs?"
        ) from error


def address_of(symbol: str) -> int:
    """The address of a symbol of the linker's."""
    return int(evaluate(f"(unsigned long)&{symbol}"))


def is_table(bits: int) -> bool:
    """Tells whether an entry points to the next table."""
    return bits & (VALID | READ | WRITE | EXECUTE) == VALID


def entry_physical(bits: int) -> int:
    """Where an entry points to."""
    return bits >> 10 << PAGE_SHIFT & (1 << 56) - 1


def is_attached() -> bool:
    """Tells whether there is a machine to look at."""
    return gdb.selected_inferior().pid != 0 and len(gdb.selected_inferior().threads()) > 0


@contextlib.contextmanager
def physical_memory() -> Iterator[None]:
    """Makes the stub read physical memory inside the `with` block."""

    def switch(on: int) -> bool:
        return "OK" in gdb.execute(f"maintenance packet Qqemu.PhyMemMode:{on}", to_string=True)

    if not is_attached():
        raise gdb.GdbError(NOT_ATTACHED)
    try:
        works = switch(1)
    except gdb.error as error:
        raise gdb.GdbError(
            f"cow6: {error}; are the harts running? Stop them with Ctrl-C"
        ) from error
    if not works:
        raise gdb.GdbError(
            "cow6: the attached machine is not QEMU: its stub cannot read physical memory"
        )
    try:
        yield
    finally:
        switch(0)
