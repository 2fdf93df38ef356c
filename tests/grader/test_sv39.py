"""The walk of page tables: what the hardware would translate, and nothing that hostile tables
want."""
from __future__ import annotations

import random
import struct
import unittest
from unittest import mock

from grader import sv39

BASE = 0x80000000
PAGES = 64
LEAF = sv39.V | sv39.R | sv39.U | sv39.A
UPPER = 0xFFFFFFC000000000


class Ram:
    """Memory of a guest."""

    def __init__(self) -> None:
        self.bytes = bytearray(PAGES * sv39.PAGE)

    def read(self, pa: int, n: int) -> bytes:
        """As grader.guest_memory.Memory."""
        if pa < BASE or pa + n > BASE + len(self.bytes):
            raise ValueError("not in RAM")
        return bytes(self.bytes[pa - BASE : pa - BASE + n])

    def entry(self, page: int, index: int, target: int, bits: int) -> None:
        """Sets an entry of the table in a page of RAM."""
        struct.pack_into("<Q", self.bytes, page * sv39.PAGE + 8 * index, target >> 12 << 10 | bits)


def page(number: int) -> int:
    """The address of a page of RAM."""
    return BASE + number * sv39.PAGE


class Walks(unittest.TestCase):
    """Tables: 0 the root, 1 level 1 and 2 level 0 of the lowest addresses."""

    def setUp(self) -> None:
        self.ram = Ram()
        self.satp = 8 << 60 | BASE >> 12
        self.ram.entry(0, 0, page(1), sv39.V)
        self.ram.entry(1, 0, page(2), sv39.V)

    def addresses(self, below: int = 1 << 38) -> list[int]:
        """The addresses of all leaves."""
        return [entry.va for entry in sv39.leaves(self.ram, self.satp, below)]

    def test_pages(self) -> None:
        self.ram.entry(2, 3, page(9), LEAF | sv39.W | 1 << 9)
        self.ram.entry(2, 5, page(10), LEAF | sv39.X)
        entry = sv39.lookup(self.ram, self.satp, 0x3123)
        assert entry is not None
        self.assertEqual((entry.va, entry.pa, entry.level, entry.size), (0x3000, page(9), 0, 4096))
        self.assertEqual(
            (entry.r, entry.w, entry.x, entry.u, entry.g, entry.rsw),
            (True, True, False, True, False, 2)
        )
        self.assertIsNone(sv39.lookup(self.ram, self.satp, 0x4000))
        self.assertEqual(list(sv39.leaves(self.ram, self.satp))[0], entry)
        self.assertEqual(self.addresses(), [0x3000, 0x5000])
        self.assertEqual(self.addresses(0x5000), [0x3000])
        self.assertEqual(list(sv39.tables(self.ram, self.satp)), [page(0), page(1), page(2)])

    def test_superpages_and_order(self) -> None:
        self.ram.entry(2, 511, page(9), LEAF)
        self.ram.entry(1, 1, 0x80200000, LEAF)
        self.ram.entry(0, 1, 0xC0000000, LEAF)
        self.assertEqual(self.addresses(), [0x1FF000, 0x200000, 0x40000000])
        entry = sv39.lookup(self.ram, self.satp, 0x3FFFFF)
        assert entry is not None
        self.assertEqual(
            (entry.va, entry.pa, entry.level, entry.size), (0x200000, 0x80200000, 1, 2 << 20)
        )

    def test_upper_half(self) -> None:
        self.ram.entry(0, 256, 0x80000000, LEAF)
        entry = sv39.lookup(self.ram, self.satp, UPPER + 0x1234567)
        assert entry is not None
        self.assertEqual((entry.va, entry.level), (UPPER, 2))
        self.assertEqual(self.addresses(), [])
        self.assertEqual(self.addresses(1 << 64), [UPPER])

    def test_no_addresses(self) -> None:
        self.ram.entry(0, 256, 0x80000000, LEAF)
        for va in (1 << 38, 1 << 39, 1 << 63, UPPER - 1, -1, 1 << 64):
            with self.subTest(hex(va)):
                self.assertIsNone(sv39.lookup(self.ram, self.satp, va))

    def test_what_faults(self) -> None:
        bad = {
            "not valid": (page(9), LEAF & ~sv39.V), "write only": (page(9), sv39.V | sv39.W),
            "reserved": (page(9), LEAF | 1 << 60), "table at level 0": (page(9), sv39.V),
            "napot": (page(9), LEAF | 1 << 63),
        }
        for name, (target, bits) in bad.items():
            with self.subTest(name):
                self.ram.entry(2, 7, target, bits)
                self.assertIsNone(sv39.lookup(self.ram, self.satp, 0x7000))
                self.assertEqual(self.addresses(), [])
        self.ram.entry(1, 3, page(1), LEAF)
        self.assertIsNone(sv39.lookup(self.ram, self.satp, 3 << 21), "a misaligned superpage")
        self.ram.entry(0, 0, page(1), sv39.V | sv39.U)
        self.assertIsNone(sv39.lookup(self.ram, self.satp, 0), "a table with U set")

    def test_no_satp(self) -> None:
        for satp in (0, BASE >> 12, 9 << 60 | BASE >> 12, 8 << 60, (1 << 64) - 1, 8 << 60 | 1):
            with self.subTest(hex(satp)):
                self.assertIsNone(sv39.lookup(self.ram, satp, 0))
                self.assertEqual(list(sv39.leaves(self.ram, satp)), [])
                self.assertEqual(list(sv39.tables(self.ram, satp)), [])

    def test_tables_outside_ram(self) -> None:
        for target in (0, BASE - 4096, BASE + PAGES * 4096, (1 << 56) - 4096):
            self.ram.entry(0, 2, target, sv39.V)
            self.assertIsNone(sv39.lookup(self.ram, self.satp, 2 << 30))
            self.assertEqual(len(list(sv39.tables(self.ram, self.satp))), 3)

    def test_loops_end(self) -> None:
        """Every entry of the root leads to the root: it is read as a table of level 0 at last,
        whose entries translate nothing."""
        for index in range(512):
            self.ram.entry(0, index, page(0), sv39.V)
        self.assertEqual(list(sv39.tables(self.ram, self.satp)), [page(0)])
        self.assertEqual(self.addresses(), [])

    def test_bounds(self) -> None:
        for index in range(512):
            self.ram.entry(2, index, page(9), LEAF)
            self.ram.entry(1, index, page(2), sv39.V)
            self.ram.entry(0, index, page(1), sv39.V)
        with mock.patch.object(sv39, "MAX_LEAVES", 2000):
            self.assertEqual(self.addresses(), [index << 12 for index in range(2000)])
        with mock.patch.object(sv39, "MAX_TABLES", 12):
            self.assertEqual(len(self.addresses()), 10 * 512)
            for index in range(20):
                self.ram.entry(0, index, page(20 + index), sv39.V)
            self.assertEqual(len(list(sv39.tables(self.ram, self.satp))), 12)

    def test_random_tables_never_raise(self) -> None:
        generator = random.Random(1)
        for _ in range(30):
            words = [
                generator.getrandbits(64) if generator.random() < 0.3
                else page(generator.randrange(PAGES)) >> 2 | generator.getrandbits(10)
                for _ in range(4 * 512)
            ]
            struct.pack_into(f"<{len(words)}Q", self.ram.bytes, 0, *words)
            list(sv39.leaves(self.ram, self.satp))
            list(sv39.tables(self.ram, self.satp))
            for _ in range(20):
                sv39.lookup(self.ram, self.satp, generator.getrandbits(generator.randrange(1, 65)))
