"""The walk of page tables: what the hardware would translate, and nothing that hostile tables
want."""
from __future__ import annotations

from unittest import mock

import pytest
from grader import sv39
from grader.guest_memory import RAM_BASE
from guest_ram import FRAMES, Ram, frame_at
from hypothesis import given, settings
from hypothesis import strategies as st

LEAF = sv39.V | sv39.R | sv39.U | sv39.A
UPPER = 0xFFFFFFC000000000
ROOT = RAM_BASE >> 12
WORDS = st.integers(0, (1 << 64) - 1) | st.builds(  # at random, or entries that name frames
    lambda frame, bits: frame_at(frame) >> 2 | bits,
    st.integers(0, 3) | st.integers(0, FRAMES - 1), st.integers(0, (1 << 10) - 1),
)


class TestWalks:
    """Tables: 0 the root, 1 level 1 and 2 level 0 of the lowest addresses."""

    def setup_method(self) -> None:
        self.ram = Ram()
        self.satp = 8 << 60 | ROOT
        self.ram.entry(0, 0, frame_at(1), sv39.V)
        self.ram.entry(1, 0, frame_at(2), sv39.V)

    def addresses(self, below: int = 1 << 38) -> list[int]:
        """The addresses of all leaves."""
        return [entry.va for entry in sv39.leaves(self.ram, self.satp, below)]

    def test_pages(self) -> None:
        self.ram.entry(2, 3, frame_at(9), LEAF | sv39.W | 1 << 9)
        self.ram.entry(2, 5, frame_at(10), LEAF | sv39.X)
        entry = sv39.lookup(self.ram, self.satp, 0x3123)
        assert entry is not None
        assert (entry.va, entry.pa) == (0x3000, frame_at(9))
        assert (entry.level, entry.size) == (0, 4096)
        assert (entry.r, entry.w, entry.x, entry.u, entry.g, entry.rsw) == (
            True, True, False, True, False, 2
        )
        assert sv39.lookup(self.ram, self.satp, 0x4000) is None
        assert list(sv39.leaves(self.ram, self.satp))[0] == entry
        assert self.addresses() == [0x3000, 0x5000]
        assert self.addresses(0x5000) == [0x3000]
        tables = [frame_at(number) for number in range(3)]
        assert list(sv39.tables(self.ram, self.satp)) == tables

    def test_superpages_and_order(self) -> None:
        self.ram.entry(2, 511, frame_at(9), LEAF)
        self.ram.entry(1, 1, 0x80200000, LEAF)
        self.ram.entry(0, 1, 0xC0000000, LEAF)
        assert self.addresses() == [0x1FF000, 0x200000, 0x40000000]
        entry = sv39.lookup(self.ram, self.satp, 0x3FFFFF)
        assert entry is not None
        assert (entry.va, entry.pa, entry.level, entry.size) == (0x200000, 0x80200000, 1, 2 << 20)

    def test_upper_half(self) -> None:
        self.ram.entry(0, 256, 0x80000000, LEAF)
        entry = sv39.lookup(self.ram, self.satp, UPPER + 0x1234567)
        assert entry is not None
        assert (entry.va, entry.level) == (UPPER, 2)
        assert self.addresses() == []
        assert self.addresses(1 << 64) == [UPPER]

    @pytest.mark.parametrize("va", [1 << 38, 1 << 39, 1 << 63, UPPER - 1, -1, 1 << 64], ids=hex)
    def test_no_addresses(self, va: int) -> None:
        self.ram.entry(0, 256, 0x80000000, LEAF)
        assert sv39.lookup(self.ram, self.satp, va) is None

    @pytest.mark.parametrize("bits", [
        pytest.param(LEAF & ~sv39.V, id="not valid"),
        pytest.param(sv39.V | sv39.W, id="write only"),
        pytest.param(LEAF | 1 << 60, id="reserved"),
        pytest.param(sv39.V, id="table at level 0"),
        pytest.param(LEAF | 1 << 63, id="napot"),
    ])
    def test_leaf_that_faults(self, bits: int) -> None:
        self.ram.entry(2, 7, frame_at(9), bits)
        assert sv39.lookup(self.ram, self.satp, 0x7000) is None
        assert self.addresses() == []

    def test_upper_entries_that_fault(self) -> None:
        self.ram.entry(1, 3, frame_at(1), LEAF)
        assert sv39.lookup(self.ram, self.satp, 3 << 21) is None, "a misaligned superpage"
        self.ram.entry(0, 0, frame_at(1), sv39.V | sv39.U)
        assert sv39.lookup(self.ram, self.satp, 0) is None, "a table with U set"

    @pytest.mark.parametrize("satp", [
        0, ROOT, 9 << 60 | ROOT, 8 << 60, (1 << 64) - 1, 8 << 60 | 1,
    ], ids=hex)
    def test_no_satp(self, satp: int) -> None:
        assert sv39.lookup(self.ram, satp, 0) is None
        assert list(sv39.leaves(self.ram, satp)) == []
        assert list(sv39.tables(self.ram, satp)) == []

    @pytest.mark.parametrize("target", [
        0, RAM_BASE - 4096, RAM_BASE + FRAMES * 4096, (1 << 56) - 4096,
    ], ids=hex)
    def test_tables_outside_ram(self, target: int) -> None:
        self.ram.entry(0, 2, target, sv39.V)
        assert sv39.lookup(self.ram, self.satp, 2 << 30) is None
        assert len(list(sv39.tables(self.ram, self.satp))) == 3

    def test_loops_end(self) -> None:
        """Every entry of the root leads to the root: it is read as a table of level 0 at last,
        whose entries translate nothing."""
        for index in range(512):
            self.ram.entry(0, index, frame_at(0), sv39.V)
        assert list(sv39.tables(self.ram, self.satp)) == [frame_at(0)]
        assert self.addresses() == []

    def test_bounds(self) -> None:
        for index in range(512):
            self.ram.entry(2, index, frame_at(9), LEAF)
            self.ram.entry(1, index, frame_at(2), sv39.V)
            self.ram.entry(0, index, frame_at(1), sv39.V)
        with mock.patch.object(sv39, "MAX_LEAVES", 2000):
            assert self.addresses() == [index << 12 for index in range(2000)]
        with mock.patch.object(sv39, "MAX_TABLES", 12):
            assert len(self.addresses()) == 10 * 512
            for index in range(20):
                self.ram.entry(0, index, frame_at(20 + index), sv39.V)
            assert len(list(sv39.tables(self.ram, self.satp))) == 12

    @settings(max_examples=200)
    @given(
        st.dictionaries(st.integers(0, 4 * 512 - 1), WORDS, max_size=100),
        st.lists(st.integers(0, (1 << 64) - 1), max_size=20),
    )
    def test_any_tables(self, words: dict[int, int], addresses: list[int]) -> None:
        """Whatever words the first four frames hold, nothing raises, and walk and look-up agree."""
        ram = Ram()
        for place, word in words.items():
            ram.put(RAM_BASE + 8 * place, word)
        for leaf in sv39.leaves(ram, self.satp):
            assert sv39.lookup(ram, self.satp, leaf.va) == leaf
        assert set(sv39.tables(ram, self.satp)) <= set(map(frame_at, range(FRAMES)))
        for address in addresses:
            sv39.lookup(ram, self.satp, address)
