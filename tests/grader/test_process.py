"""The pages of a process as seen from outside, in tables that are made to deceive."""
from __future__ import annotations

from unittest.mock import Mock, patch

import pytest
from grader import sv39
from grader.built import Traits
from grader.elf import Layout, Segment
from grader.guest_memory import RAM_BASE
from grader.run import Failure
from guest_ram import FRAMES, Ram, frame_at
from labs.cow.grading.hidden import check_hidden
from labs.cow.grading.hoard import Hoard, check_touched
from labs.cow.grading.pagemap import map_of_pages
from labs.cow.grading.process import PAGE, Process

TABLE, LEAF = sv39.V, sv39.V | sv39.R | sv39.U
HEAP_END = 0x5000


class TestPages:
    """A process with some pages."""

    def setup_method(self) -> None:
        self.ram = Ram()
        self.ram.entry(0, 0, frame_at(1), TABLE)  # tables: root, middle, leaf
        self.ram.entry(1, 0, frame_at(2), TABLE)
        self.session = Mock()
        self.session.machine.memory = self.ram
        self.session.frame_bytes = lambda pa: self.ram.read(pa, PAGE)
        self.session.built.layout = layout(RAM_BASE + 8 * PAGE)
        self.process = self.new_process("init")
        for page in range(5):
            self.ram.entry(2, page, frame_at(10 + page), LEAF | sv39.W)

    def new_process(self, name: str) -> Process:
        """Returns one more process, with the same tables."""
        process = Process(self.session, name, 1, 8 << 60 | RAM_BASE // PAGE)
        process.heap_end = HEAP_END
        self.session.processes = [process]
        return process

    def refused(self) -> str:
        """Returns what is said of the process's pages."""
        with pytest.raises(Failure) as caught:
            self.process.leaves()
        assert caught.value.invariant == "hidden"
        return caught.value.seen

    def test_honest(self) -> None:
        """Pages are found by address; what user mode cannot reach does not count."""
        self.ram.entry(2, 9, frame_at(20), LEAF & ~sv39.U)
        assert list(self.process.leaves()) == [page * PAGE for page in range(5)]
        check_hidden(self.session)

    def test_giant_page(self) -> None:
        """A page of 1 GiB is not read page by page."""
        self.ram.entry(0, 2, frame_at(0), LEAF)
        assert "1024 MiB" in self.refused()
        assert "1024 MiB" in map_of_pages([self.process])[0]["problem"]

    def test_outside_ram(self) -> None:
        """An entry may lead to a device."""
        self.ram.entry(2, 7, frame_at(FRAMES), LEAF)
        assert "no RAM" in self.refused()

    @pytest.mark.parametrize("bits", [LEAF, LEAF & ~sv39.U])
    def test_more_pages_than_frames(self, bits: int) -> None:
        """One leaf table serves for all addresses."""
        for index in range(512):
            self.ram.entry(1, index, frame_at(2), TABLE)
            self.ram.entry(2, index, frame_at(20), bits)
        assert "more entries" in self.refused()

    @pytest.mark.parametrize("leaf, index, frame, bits, said", [
        (2, 3, 1, LEAF, "a page table"),
        (2, 3, 8, LEAF, "kernel's program"),
        (2, 8, 30, LEAF, "never given"),
        (4, 511, 31, LEAF | sv39.W, "never given"),  # at USER_END - PAGE, the kernel's message
        (4, 511, 32, LEAF, "never given"),
        (4, 511, 33, LEAF, ""),
    ])
    def test_hidden(self, leaf: int, index: int, frame: int, bits: int, said: str) -> None:
        """Tables, the kernel's image, and pages past the end of the heap."""
        self.ram.entry(0, 255, frame_at(3), TABLE)
        self.ram.entry(3, 511, frame_at(4), TABLE)
        self.ram.write(frame_at(32) + 100, b"\1")  # the kernel has more than a pid there
        self.ram.entry(leaf, index, frame_at(frame), bits)
        assert said in "".join(self.said_of_hidden())
        assert bool(said) == bool(self.said_of_hidden())

    def test_stack(self) -> None:
        """It has four pages below the heap, and those beside it are not the process's."""
        self.session.is_cow6, self.session.probe.segments = True, []
        self.process.heap_start = self.process.heap_end = 16 * PAGE
        for page in range(5):
            self.ram.entry(2, page, 0, 0)
        for page in range(5, 18):
            self.ram.entry(2, page, frame_at(20), LEAF | sv39.W)
            assert bool(self.said_of_hidden()) == (page not in range(12, 16)), page
            self.ram.entry(2, page, 0, 0)

    @pytest.mark.parametrize("image, end, seen", [
        (9, 15, ""), (10, 15, "outside"), (9, 14, "outside"),
    ])
    def test_hoarded_frames(self, image: int, end: int, seen: str) -> None:
        """They lie between the kernel's image and the end of its memory."""
        for page in range(5):
            self.ram.put(frame_at(10 + page), page * PAGE)
        self.session.built.traits = Traits(memory_end=RAM_BASE + end * PAGE)
        self.session.built.layout = layout(RAM_BASE + image * PAGE)
        said = self.said_of_hoard()
        assert seen in said
        assert bool(said) == bool(seen)

    def said_of_hoard(self) -> str:
        """Returns what is said of the process's pages if they are all that can be had."""
        try:
            with patch.object(self.process, "grow", return_value=HEAP_END):
                check_touched(Hoard(self.process, self.process, 5))
        except Failure as failure:
            return failure.seen
        return ""

    def said_of_hidden(self) -> list[str]:
        """Returns what is said, if anything is."""
        try:
            check_hidden(self.session)
        except Failure as failure:
            return [failure.seen]
        return []


def layout(start: int) -> Layout:
    """Returns the layout of a kernel that has one page, at `start`."""
    return Layout([Segment(start, start, PAGE, PAGE)])
