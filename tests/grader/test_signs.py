"""How signs of what went wrong are read: free lists, page tables, steps."""
from __future__ import annotations

import contextlib
from collections.abc import Sequence
from unittest import mock

import pytest
from grader import sv39
from grader.elf import Layout, Variable
from grader.guest_memory import RAM_BASE
from grader.run import Failure
from guest_ram import Ram
from labs.cow.grading import freelist, signs, steps

PAGE = sv39.PAGE
LEAF = sv39.V | sv39.R | sv39.U | sv39.A
KMEM = RAM_BASE + 0x100
VARIABLES = {"kmem": Variable(KMEM, 32)}
NAMES = ("ram_base", "ram_frames", "fresh", "free_list", "zero_list")  # cow6's
NO_FRAME = 0xFFFFFFFF


# ---- The kernels' free lists ----


def chain(ram: Ram, *pages: int) -> freelist.FreeList | None:
    """Returns what is read of xv6's list with these pages."""
    for place, page in zip((KMEM + 24, *pages), (*pages, 0)):
        with contextlib.suppress(ValueError):  # a place that is not in RAM
            ram.put(place, page)
    return freelist.read_free_list(VARIABLES, ram, False)


def test_chain() -> None:
    """xv6's, with its end, with a page twice, with nonsense in it."""
    first, second = RAM_BASE + 8 * PAGE, RAM_BASE + 9 * PAGE
    assert chain(Ram(), first, second) == freelist.FreeList({first, second})
    assert chain(Ram()) == freelist.FreeList(set())
    for nonsense in (first + 8, 0x0101010101010101, RAM_BASE + (1 << 30)):
        assert chain(Ram(), first, nonsense) is None
    ram = Ram()
    chain(ram, first, second)
    ram.put(second, first)
    found = freelist.read_free_list(VARIABLES, ram, False)
    assert found is not None and found.is_circular


@pytest.mark.parametrize("zeroed", [None, (), (3,), (6, 3)])
def test_frames(zeroed: tuple[int, ...] | None) -> None:
    """cow6's array: lists of indices, perhaps one of them of zeroed frames, then frames that were
    never used."""
    places = {name: RAM_BASE + 0x8000 + 8 * i for i, name in enumerate(NAMES)}
    variables = {name: Variable(place, 8) for name, place in places.items()}
    ram = Ram()
    chain_of_zeroed = (*(zeroed or ()), NO_FRAME)
    for name, value in zip(NAMES, (RAM_BASE, 10, 8, 5, chain_of_zeroed[0])):
        ram.put(places[name], value)
    if zeroed is None:
        del variables["zero_list"]
    for i in range(8):
        ram.put(RAM_BASE + 16 * i, i, 1, NO_FRAME, 0, size="I")
    ram.put(RAM_BASE + 16 * 5, 0, 0, 2, 0, size="I")
    for i, following in zip(chain_of_zeroed, chain_of_zeroed[1:]):
        ram.put(RAM_BASE + 16 * i, i, 0, following, 0, size="I")
    found = freelist.read_free_list(variables, ram, True)
    assert found is not None
    assert found.frames == {RAM_BASE + i * PAGE for i in (2, 5, 8, 9, *(zeroed or ()))}
    assert found.counts[RAM_BASE + 4 * PAGE] == 4
    ram.put(RAM_BASE + 16 * 2, 0, 0, 5, 0, size="I")
    found = freelist.read_free_list(variables, ram, True)
    assert found is not None and found.is_circular
    ram.put(places["ram_frames"], 1 << 40)
    assert freelist.read_free_list(variables, ram, True) is None


def test_frame_on_both_lists() -> None:
    """It is free twice; a list that leads nowhere tells nothing."""
    places = {name: RAM_BASE + 0x8000 + 8 * i for i, name in enumerate(NAMES)}
    variables = {name: Variable(place, 8) for name, place in places.items()}
    for last, expected in ((5, True), (9, None), (NO_FRAME, False)):
        ram = Ram()
        for name, value in zip(NAMES, (RAM_BASE, 10, 8, 5, 4)):
            ram.put(places[name], value)
        ram.put(RAM_BASE + 16 * 5, 0, 0, NO_FRAME, 0, size="I")
        ram.put(RAM_BASE + 16 * 4, 0, 0, last, 0, size="I")
        found = freelist.read_free_list(variables, ram, True)
        assert (found and found.is_circular) == expected


@pytest.mark.parametrize("is_cow6", [True, False])
def test_no_variables(is_cow6: bool) -> None:
    """Nothing is known of a kernel without symbols."""
    assert freelist.read_free_list({}, Ram(), is_cow6) is None


class TestSigns:
    """Signs in page tables."""

    def setup_method(self) -> None:
        self.ram = Ram()
        self.spaces: list[mock.Mock] = []

    def space(self, name: str, table: int, leaves: dict[int, int]) -> mock.Mock:
        """Makes a process whose three tables begin at a page; leaves: page number, entry."""
        root = RAM_BASE + table * PAGE
        self.ram.put(root, (root + PAGE) >> 12 << 10 | sv39.V)
        self.ram.put(root + PAGE, (root + 2 * PAGE) >> 12 << 10 | sv39.V)
        for page, bits in leaves.items():
            self.ram.put(root + 2 * PAGE + 8 * page, bits)
        process = mock.Mock(satp=8 << 60 | root >> 12, stack_pointer=1 << 30)
        process.name = name
        process.session.machine.memory = self.ram
        self.spaces.append(process)
        return process

    def entry(self, frame: int, bits: int = 0) -> int:
        """Returns a user's leaf to a frame."""
        return (RAM_BASE + frame * PAGE) >> 12 << 10 | LEAF | bits

    def read(self, failure: Failure, lines: Sequence[str] = ()) -> dict[str, str]:
        """Returns the signs."""
        machine = mock.Mock(memory=self.ram, console=lambda: "")
        session = mock.Mock(
            machine=machine, processes=self.spaces, lines=list(lines), is_cow6=False
        )
        session.built.layout = Layout(variables=VARIABLES)
        return signs.read_signs(session, failure, "")

    def test_page(self) -> None:
        """What the failing page is, and who else has its frame."""
        self.ram.put(RAM_BASE + 50 * PAGE, 1)
        failure = Failure("untouched", "a", "b", page=3 * PAGE, process="child")
        self.space("child", 10, {3: self.entry(50), 4: self.entry(51, sv39.W)})
        self.space("init", 20, {3: self.entry(50)})
        seen = self.read(failure, ["child: store(0x3008, 1, 8)"])
        expected = {
            "entry": "read-only", "apart": "no", "bytes": "other", "freed": "no", "mark": "same",
            "deed": "store", "target": "mapped", "reaches": "no", "reserved": "no",
        }
        assert {name: seen[name] for name in expected} == expected
        self.ram.put(RAM_BASE + 22 * PAGE + 8 * 3, self.entry(52, 1 << 8))
        assert self.read(failure)["apart"] == "yes"

    def test_freed(self) -> None:
        """On the free list, at two addresses, filled by kfree, a table."""
        failure = Failure("untouched", "a", "b", page=3 * PAGE, process="child")
        self.space("child", 10, {3: self.entry(50)})
        self.ram.put(RAM_BASE + 50 * PAGE, 7)
        assert self.read(failure)["freed"] == "no"
        self.ram.write(RAM_BASE + 50 * PAGE + 8, b"\1" * (PAGE - 8))
        assert self.read(failure)["freed"] == "filled"
        self.space("init", 20, {9: self.entry(50)})
        assert self.read(failure)["freed"] == "given"
        self.ram.put(RAM_BASE + 50 * PAGE, 0)
        self.ram.put(RAM_BASE + 0x118, RAM_BASE + 50 * PAGE)
        assert self.read(failure)["freed"] == "free"

    def test_filling(self) -> None:
        """What kfree and kalloc fill pages with, but for a few words stored since."""
        failure = Failure("contents", "a", "b", page=3 * PAGE, process="child")
        self.space("child", 10, {3: self.entry(50)})
        for byte, kind in ((1, "free"), (5, "fresh"), (7, "other"), (0, "zero")):
            self.ram.write(RAM_BASE + 50 * PAGE, bytes([byte]) * PAGE)
            assert self.read(failure)["bytes"] == kind
            if byte:
                self.ram.put(RAM_BASE + 50 * PAGE + 24, 1 << 60, 3 << 50)
                assert self.read(failure)["bytes"] == kind

    def test_memory(self) -> None:
        """When no frame is free, either a process has them all or frames are lost."""
        failure = Failure("result", "a process to get memory", "sbrk gives none")
        self.space("child", 10, {3: self.entry(50)})
        seen = self.read(failure)
        assert (seen["memory"], seen["lost"]) == ("out", "yes")
        assert self.read(failure, ["child: hoard(9, 9) -> 40, 0"])["lost"] == ""
        self.space("init", 20, {page: self.entry(page) for page in range(24, 60)})
        assert self.read(failure)["lost"] == ""

    def test_faults(self) -> None:
        """Pages without PTE_U: the one below the stack, and others."""
        child = self.space("child", 10, {
            3: self.entry(50) & ~sv39.U, 4: self.entry(51) & ~sv39.U, 5: self.entry(52),
            6: self.entry(53),
        })
        child.stack_pointer = 7 * PAGE - 64
        for page, kind in ((3, "hidden"), (4, "guard"), (5, ""), (9, "")):
            where = f"hart 0: user mode; last trap: store page fault at address {page * PAGE:#x}"
            assert signs.fault_sign([child], where) == kind
        assert signs.fault_sign([child], "hart 0: user mode") == ""

    def test_marked(self) -> None:
        """Whether others have the mark in an entry that they share for reading."""
        failure = Failure("text", "a", "b", page=3 * PAGE, process="child")
        self.space("child", 10, {3: self.entry(51, sv39.W)})
        self.space("init", 20, {3: self.entry(50, 1 << 8)})
        assert self.read(failure)["marked"] == "read-only"
        self.ram.put(RAM_BASE + 22 * PAGE + 8 * 3, self.entry(50))
        assert self.read(failure)["marked"] == "no"

    def test_entries(self) -> None:
        """Marks in one entry alone, reserved bits, tables that a program reaches."""
        failure = Failure("alive", "a", "b")
        child = self.space("child", 10, {3: self.entry(50, 1 << 8)})
        self.space("init", 20, {3: self.entry(50)})
        assert self.read(failure)["mark"] == "differs"
        self.ram.put(RAM_BASE + 12 * PAGE + 8 * 5, self.entry(51) | 1 << 54)
        assert self.read(failure)["reserved"] == "yes"
        self.ram.put(RAM_BASE + 22 * PAGE + 8 * 5, LEAF)
        assert self.read(failure)["reaches"] == "nothing"
        self.spaces.remove(self.spaces[1])
        assert self.read(failure)["reaches"] == "no"
        self.ram.put(RAM_BASE + 12 * PAGE + 8 * 6, self.entry(10))
        assert self.read(failure)["reaches"] == "tables"
        self.ram.put((child.satp << 12) % (1 << 56), 0)
        assert self.read(failure)["reaches"] == "no"


# ---- What is read from the transcript's steps ----


@pytest.mark.parametrize("text, deed", [
    ("child: store(0x9000, 1, 8)", ("child", "store", [0x9000])),
    ("init: call read(3, 0x8021, 40) -> 40, 0", ("init", "call read", [0x8021])),
    ("init: call wait(0x9008)", ("init", "call wait", [0x9008])),
    ("init: wait()", ("init", "wait", [])),
    ("init: fork_reap(2, 0x9000, 0x400, 7)", ("init", "fork_reap", [0x9000, 0xA000])),
    ("the start", ("", "", [])),
])
def test_deeds(text: str, deed: tuple[str, str, list[int]]) -> None:
    """Who did what, and where."""
    assert steps.deed_of(text) == deed


def test_last_step() -> None:
    """Waiting, and the message of a death, are no deeds."""
    read = "child: call read(3, 0x8021, 40)"
    lines = ["init: call fork() -> 2, 0", read, "init: wait()", "child died, status -1"]
    assert steps.last_step(lines) == read
    assert steps.last_step([]) == ""


def test_hoard() -> None:
    """Whether memory is still taken."""
    taken = ["init: hoard(1024, 2048)", "init: hoard(1024, 2048) -> 1500, 0"]
    some = ["init: call sbrk(0xfffffffffffff000, 1)"]
    all_of_it = ["init: call sbrk(0xffffffffffa24000, 1)"]
    assert steps.last_hoard(taken) == (1500, True)
    assert steps.last_hoard(taken + some) == (1500, True)
    assert steps.last_hoard(taken + all_of_it) == (1500, False)
    holder = ["holder: touch(0x9000, 900) -> 0, 0"]
    assert steps.last_hoard(holder) == (900, True)
    assert steps.last_hoard([*holder, "holder: call exit(0)"]) == (900, False)
    assert steps.last_hoard(["init: hoard(1, 2) -> -1, 0"]) == (-1, False)


def test_failed_fork() -> None:
    """Forks that found no memory."""
    fork = "init: fork_reap(0x10002, 0xc000, 0x400, 7)"
    assert steps.fork_has_failed([fork, f"{fork} -> -1, 0"])
    assert not steps.fork_has_failed([fork, f"{fork} -> 9, 0"])


def test_writes() -> None:
    """Stores since the last fork."""
    fork = "child appears: pid 2, page table at 0x80001000"
    assert not steps.wrote_since_fork(["init: store(0x9000, 1, 8) -> 0, 0", fork])
    assert steps.wrote_since_fork([fork, "init: store(0x9000, 1, 8) -> 0, 0"])
    assert steps.wrote_since_fork(["init: fork_store(0x9000, 1, 2) -> 2, 0", fork])
