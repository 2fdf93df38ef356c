"""A guest's RAM for tests of what is read of it: page tables and lists are written into it."""
from __future__ import annotations

import struct

from grader import sv39
from grader.guest_memory import RAM_BASE, Memory

FRAMES = 64


class Ram(Memory):
    """Guest RAM without a guest."""

    def __init__(self) -> None:
        super().__init__(-1, FRAMES * sv39.PAGE)

    def put(self, pa: int, *words: int, size: str = "Q") -> None:
        """Stores words of a size (of struct)."""
        self.write(pa, struct.pack(f"<{len(words)}{size}", *words))

    def entry(self, table: int, index: int, target: int, bits: int) -> None:
        """Sets an entry of the page table in a frame: the address that it names, and its bits."""
        self.put(frame_at(table) + 8 * index, target >> 12 << 10 | bits)


def frame_at(number: int) -> int:
    """Returns the address of a frame."""
    return RAM_BASE + number * sv39.PAGE
