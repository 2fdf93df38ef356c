"""Walks Sv39 page tables in guest memory, and trusts nothing in them: no table, however hostile,
makes it raise an exception or run forever.

It reports what the hardware would use: entries that are invalid, reserved, misaligned or outside
RAM translate nothing.
"""
from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

PAGE = 4096
LEVELS = 3
MODE_SV39 = 8
PPN_MASK = (1 << 44) - 1
UPPER_HALF = (1 << 64) - (1 << 39)  # what sign extension adds
RESERVED = 0x3FF << 54  # Svnapot's and Svpbmt's bits too: the machine has neither
MAX_LEAVES = 1 << 18  # a gigabyte of pages; the machines have less
MAX_TABLES = 1 << 12

V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))
ENTRIES = 512  # of a table
TABLE = struct.Struct(f"<{ENTRIES}Q")
# Of all values of an entry's low byte, whether it is a leaf's: readable or executable, and not
# writable alone.
LEAF = [bool(bits & V and bits & (R | X) and bits & (R | W) != W) for bits in range(256)]


class Readable(Protocol):
    """Guest memory; read raises ValueError outside RAM."""

    def read(self, pa: int, n: int) -> bytes:
        """Returns n bytes."""


class Entry(NamedTuple):
    """A present leaf entry: va maps to pa, both where the page (or superpage) starts."""

    va: int
    pa: int
    bits: int
    level: int  # 0: a page of 4 KiB, 1: of 2 MiB, 2: of 1 GiB

    @property
    def size(self) -> int:
        """Bytes that the entry maps."""
        return PAGE << 9 * self.level

    @property
    def r(self) -> bool:
        """Readable."""
        return bool(self.bits & R)

    @property
    def w(self) -> bool:
        """Writable."""
        return bool(self.bits & W)

    @property
    def x(self) -> bool:
        """Executable."""
        return bool(self.bits & X)

    @property
    def u(self) -> bool:
        """Reachable from user mode."""
        return bool(self.bits & U)

    @property
    def g(self) -> bool:
        """Global: the TLB may keep it across address spaces."""
        return bool(self.bits & G)

    @property
    def rsw(self) -> int:
        """Bits 8 and 9, which belong to the kernel."""
        return self.bits >> 8 & 3


def root(satp: int) -> int | None:
    """Returns the physical address of the root table; None if satp does not select Sv39."""
    return (satp & PPN_MASK) * PAGE if satp >> 60 == MODE_SV39 else None


def target(bits: int) -> int:
    """Returns the physical address in an entry."""
    return (bits >> 10 & PPN_MASK) * PAGE


def is_leaf(bits: int, level: int) -> bool:
    """Tells whether the hardware takes this entry for a page."""
    if not LEAF[bits & 0xFF] or bits & RESERVED:
        return False
    return level == 0 or target(bits) % (PAGE << 9 * level) == 0


def is_table(bits: int, level: int) -> bool:
    """Tells whether the hardware takes this entry for the address of a table."""
    return level > 0 and bits & (V | R | W | X | U | A | D) == V and not bits & RESERVED


def read_table(memory: Readable, pa: int) -> Sequence[int]:
    """Returns a table's 512 entries; none if it is not in RAM."""
    try:
        return TABLE.unpack(memory.read(pa, PAGE))
    except (ValueError, struct.error):
        return ()


def lookup(memory: Readable, satp: int, va: int) -> Entry | None:
    """Returns the leaf that translates va; None if that faults."""
    table = root(satp)
    if table is None or va >> 38 not in (0, (1 << 26) - 1):
        return None
    for level in reversed(range(LEVELS)):
        index = va >> 12 + 9 * level & 511
        try:
            bits = int.from_bytes(memory.read(table + 8 * index, 8), "little")
        except ValueError:
            return None
        if is_leaf(bits, level):
            return Entry(va & ~((PAGE << 9 * level) - 1), target(bits), bits, level)
        if not is_table(bits, level):
            return None
        table = target(bits)
    return None


def leaves(memory: Readable, satp: int, below: int = 1 << 38) -> Iterator[Entry]:
    """Yields the leaves of addresses below `below`, ascending; at most MAX_LEAVES of them, from at
    most MAX_TABLES tables."""
    start = root(satp)
    if start is None:
        return iter(())
    tables = _walk(memory, start, LEVELS - 1, 0, below, [MAX_TABLES])
    return itertools.islice(itertools.chain.from_iterable(tables), MAX_LEAVES)


def _walk(
    memory: Readable, table: int, level: int, start: int, below: int, tables_left: list[int]
) -> Iterator[list[Entry]]:
    """Yields the leaves under a table whose first entry is for the address `start`, some at a
    time."""
    tables_left[0] -= 1
    if tables_left[0] < 0:
        return
    words = read_table(memory, table)
    if level == 0:
        yield _pages(words, start, below)
        return
    for index, bits in [(index, bits) for index, bits in enumerate(words) if bits & V]:
        va = start + (index << 12 + 9 * level)
        if level == LEVELS - 1 and index >= 256:
            va += UPPER_HALF
        if va >= below:
            return
        if is_leaf(bits, level):
            yield [Entry(va, target(bits), bits, level)]
        elif is_table(bits, level):
            yield from _walk(memory, target(bits), level - 1, va, below, tables_left)


def _pages(words: Sequence[int], start: int, below: int) -> list[Entry]:
    """Returns the leaves of a last-level table."""
    wanted = words[:max(0, below - start + PAGE - 1) // PAGE]
    return [
        Entry(start + index * PAGE, target(bits), bits, 0)
        for index, bits in enumerate(wanted) if LEAF[bits & 0xFF] and not bits & RESERVED
    ]


def tables(memory: Readable, satp: int) -> Iterator[int]:
    """Yields the physical address of each table in RAM once, the root first; at most MAX_TABLES."""
    start = root(satp)
    unseen = [] if start is None else [(start, 2)]
    seen: set[int] = set()
    while unseen and len(seen) < MAX_TABLES:
        table, level = unseen.pop()
        if table in seen:
            continue
        entries = read_table(memory, table)
        if not entries:
            continue
        seen.add(table)
        yield table
        unseen += [(target(bits), level - 1) for bits in entries if is_table(bits, level)]
