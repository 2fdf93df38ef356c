"""Which frames a kernel has on its free list, read from outside, to explain verdicts.

No verdict depends on it. cow6 has an array of frames and lists of indices into it, xv6 a list
through the free pages. Of a kernel that has another kind of list, or one that makes no sense,
nothing is known.
"""
from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from grader.elf import Variable
from grader.guest_memory import Memory

PAGE = 4096
FRAME = struct.Struct("<4I")  # cow6's struct frame: count, what it is used for, next, seen
COUNT, NEXT, NO_FRAME = 0, 2, 0xFFFFFFFF
LISTS = ("free_list", "zero_list")  # some kernels have only the first
LOCK_BYTES = 24  # xv6's struct spinlock, which comes before the head of the list
NCPU = 8  # the number of lists in trees with the lab on locks


@dataclass(frozen=True)
class FreeList:
    """The free frames by their physical addresses; `is_circular` if one is on the list twice."""

    frames: set[int]
    is_circular: bool = False
    counts: dict[int, int] = field(default_factory=dict)  # cow6's own, of frames that are used


class KernelVariables:
    """A kernel's variables by name."""

    def __init__(self, variables: Mapping[str, Variable], memory: Memory) -> None:
        self.variables, self.memory = variables, memory

    def size(self, name: str) -> int:
        """Returns how many bytes a variable has; 0 if there is no such variable."""
        return self.variables[name].size if name in self.variables else 0

    def word(self, name: str, offset: int = 0, size: int = 8) -> int | None:
        """Returns a number in a variable; None if there is no such variable."""
        if name not in self.variables:
            return None
        try:
            place = self.variables[name].pa + offset
            return int.from_bytes(self.memory.read(place, size), "little")
        except ValueError:
            return None


def read_free_list(
    known: Mapping[str, Variable], memory: Memory, is_cow6: bool
) -> FreeList | None:
    """Returns the kernel's free frames, None if they are not known."""
    variables = KernelVariables(known, memory)
    return read_frames(variables) if is_cow6 else read_chain(variables)


def read_frames(variables: KernelVariables) -> FreeList | None:
    """Reads cow6's array, which is at the beginning of RAM; frames that were never used follow the
    ones that were."""
    names = ("ram_base", "ram_frames", "fresh")
    base, total, fresh = (variables.word(name) or 0 for name in names)
    heads = [variables.word(name, size=4) for name in LISTS]
    if heads[0] is None or not fresh <= total <= variables.memory.size // PAGE:
        return None
    try:
        entries = list(FRAME.iter_unpack(variables.memory.read(base, fresh * FRAME.size)))
    except ValueError:
        return None
    free = set(range(base + fresh * PAGE, base + total * PAGE, PAGE))
    for head in heads:
        index = NO_FRAME if head is None else head
        while index < fresh:
            page = base + index * PAGE
            if page in free:
                return FreeList(free, is_circular=True)
            free.add(page)
            index = entries[index][NEXT]
        if index != NO_FRAME:
            return None
    counts = {base + i * PAGE: entry[COUNT] for i, entry in enumerate(entries)}
    return FreeList(free, counts=counts)


def read_chain(variables: KernelVariables) -> FreeList | None:
    """Follows xv6's list, or lists."""
    many = variables.size("kmem") == NCPU * (LOCK_BYTES + 8)
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
