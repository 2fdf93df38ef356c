"""Which frames a kernel has on its free list, read from outside, to explain verdicts.

No verdict depends on it. cow6 has an array of frames, xv6 a list through the free pages. Where a
kernel keeps it otherwise, or the list makes no sense, nothing is known.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass, field

from grader.machine import Memory

PAGE = 4096
SYMBOLS_MOST = 200_000
FRAME = struct.Struct("<4I")  # cow6's struct frame: count, use, next, seen
COUNT, NEXT, NO_FRAME = 0, 2, 0xFFFFFFFF
LOCK_BYTES = 24  # xv6's struct spinlock, before the list's head
NCPU = 8  # lists that there are in trees with the lab on locks


@dataclass(frozen=True)
class FreeList:
    """The free frames by their physical addresses; `is_circular` if one is on the list twice."""

    frames: set[int]
    is_circular: bool = False
    counts: dict[int, int] = field(default_factory=dict)  # cow6's own, of frames that are used


class KernelVariables:
    """A kernel's variables by name."""

    def __init__(self, elf: bytes, memory: Memory) -> None:
        self.elf, self.memory = elf, memory
        self.sizes: dict[str, int] = {}
        self.places: dict[str, int] = {}
        try:
            self._read_symbols()
        except (struct.error, ValueError, IndexError, OverflowError):
            pass

    def word(self, name: str, offset: int = 0, size: int = 8) -> int | None:
        """Returns a number in a variable; None if there is no such variable."""
        if name not in self.places:
            return None
        try:
            return int.from_bytes(self.memory.read(self.places[name] + offset, size), "little")
        except ValueError:
            return None

    def _read_symbols(self) -> None:
        start, = struct.unpack_from("<Q", self.elf, 40)
        size, count = struct.unpack_from("<HH", self.elf, 58)
        places = range(start, start + count * size, size)
        sections = [struct.unpack_from("<IIQQQQIIQQ", self.elf, place) for place in places]
        for _, kind, _, _, offset, length, link, *_ in sections:
            if kind == 2:  # SHT_SYMTAB
                names, end = sections[link][4], offset + min(length, 24 * SYMBOLS_MOST)
                symbols = struct.iter_unpack("<IBBHQQ", self.elf[offset:end])
                for name, info, _, _, value, n in symbols:
                    if info & 15 == 1:  # STT_OBJECT
                        self._add(names + name, value, n)

    def _add(self, name_at: int, value: int, size: int) -> None:
        name = self.elf[name_at:name_at + 32].partition(b"\0")[0].decode("ascii", "replace")
        place = self._physical(value)
        if place is not None:
            self.places[name], self.sizes[name] = place, size

    def _physical(self, va: int) -> int | None:
        start, = struct.unpack_from("<Q", self.elf, 32)
        size, count = struct.unpack_from("<HH", self.elf, 54)
        for at in range(start, start + count * size, size):
            kind, _, _, first, place, _, n, _ = struct.unpack_from("<IIQQQQQQ", self.elf, at)
            if kind == 1 and first <= va < first + n:
                return va - first + place
        return None


def read_free_list(elf: bytes, memory: Memory, is_cow6: bool) -> FreeList | None:
    """Returns the kernel's free frames, None if they are not known."""
    variables = KernelVariables(elf, memory)
    return read_frames(variables) if is_cow6 else read_chain(variables)


def read_frames(variables: KernelVariables) -> FreeList | None:
    """Reads cow6's array, which stands at the beginning of RAM; frames never used are behind it."""
    names = ("ram_base", "ram_frames", "fresh")
    base, total, fresh = (variables.word(name) or 0 for name in names)
    head = variables.word("free_list", size=4)
    if head is None or not fresh <= total <= variables.memory.size // PAGE:
        return None
    try:
        entries = list(FRAME.iter_unpack(variables.memory.read(base, fresh * FRAME.size)))
    except ValueError:
        return None
    free = set(range(base + fresh * PAGE, base + total * PAGE, PAGE))
    index: int = head
    while index < fresh:
        page = base + index * PAGE
        if page in free:
            return FreeList(free, is_circular=True)
        free.add(page)
        index = entries[index][NEXT]
    counts = {base + i * PAGE: entry[COUNT] for i, entry in enumerate(entries)}
    return FreeList(free, counts=counts) if index == NO_FRAME else None


def read_chain(variables: KernelVariables) -> FreeList | None:
    """Follows xv6's list, or lists."""
    many = variables.sizes.get("kmem") == NCPU * (LOCK_BYTES + 8)
    free: set[int] = set()
    for i in range(NCPU if many else 1):
        page = variables.word("kmem", i * (LOCK_BYTES + 8) + LOCK_BYTES)
        while page:
            if page in free:
                return FreeList(free, is_circular=True)
            if page % PAGE:
                return None
            free.add(page)
            try:
                page = int.from_bytes(variables.memory.read(page, 8), "little")
            except ValueError:
                return None
        if page is None:
            return None
    return FreeList(free)
