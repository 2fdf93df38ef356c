"""Part D: forks that fail because memory ran out, while a child shares the parent's pages."""
from __future__ import annotations

from collections.abc import Callable

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import check_bytes, check_own, check_shared, start_family
from labs.cow.grading.hidden import check_hidden
from labs.cow.grading.hoard import Hoard, make_tables, rounds_to_exhaust, take_all
from labs.cow.grading.process import PAGE, READ, WRITE
from labs.cow.grading.session import Session
from labs.cow.grading.tests_pages_back import check_pages_back

FORK_TRIES = 40  # pages that a fork may need besides a leaf table for each 2 MiB of memory
FORKS_WORKING = 3
LEAF_TABLE_COVERS = 2 << 20
TWO_LEAF_TABLES = (LEAF_TABLE_COVERS // PAGE) * 5 // 4  # so many pages need a second leaf table


class LittleMemory:
    """A parent that forks although all memory is taken, while a child shares its pages.

    If the sharer takes the memory, the parent's own pages need only two leaf tables. A fork of so
    few pages fails quickly, and can be tried thousands of times.
    """

    def __init__(self, session: Session, sharer_takes: bool = False) -> None:
        self.session = session
        self.parent = session.begin()
        self.reading, self.writing = self.parent.pipe()
        self.family = start_family(session, 16, self.parent)
        self.sharer = self.family.child
        self.shared = list(self.family.vas)
        self.taker = self.sharer if sharer_takes else self.parent
        self.tries = FORK_TRIES + session.built.memory // LEAF_TABLE_COVERS
        self.spared = session.built.traits.fork_panics_below

    def fork(self, times: int) -> bool:
        """Forks until that succeeds, but at most so many times; tells whether it succeeded.

        The child checks its memory.
        """
        family = self.family
        words = (times | self.writing << 16, family.heap, family.pages * PAGE // 8, family.seed)
        return self.parent.do("OP_FORK_REAP", *words).value > 0

    def check_children(self, worked: int) -> None:
        """Checks that so many children found their memory intact, and said so through the pipe."""
        self.parent.must("write() to a pipe", WRITE, self.writing, self.family.heap, 1)
        said = self.parent.call(READ, self.reading, self.parent.scratch, 500) - 1
        if said != worked:
            expected = f"{worked} children of forks with little memory to be intact"
            raise Failure("contents", expected, f"{said} were", process="child")

    def check_sharing(self) -> None:
        """Checks that parent and sharer have what they had, in the same frames."""
        for process in (self.parent, self.sharer):
            self.family.check_intact(process)
        check_shared([self.parent, self.sharer], self.shared)

    def check_write(self) -> None:
        """Checks that the parent owns a page alone after a write; it writes what was there."""
        va = self.shared.pop()
        self.parent.store(va, int.from_bytes(self.family.expected(va, 8), "little"))
        check_own(self.parent, va, [self.sharer])
        self.check_sharing()

    def is_spared(self, free: int) -> bool:
        """Tells whether the base's own code panics in a fork when so many pages are free."""
        return 0 < free < self.spared

    def forks(
        self, times: Callable[[int], int], at_the_edge: int = 0,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Forks with no page free, then with one, two ..., until fork succeeds.

        `times` returns, for a number of free pages, how often to try. Then so many more forks are
        made at the edge: they lack only one page, so they fail when they have done almost all that
        a fork does. Once memory has been given back, `look` inspects what the failed forks left,
        before a fork that succeeds can repair it.
        """
        hoard = take_all(self.taker)
        failed = worked = free = 0
        while free < self.tries and worked < FORKS_WORKING:
            if not self.is_spared(free):
                forked = self.fork(times(free))
                failed, worked = failed + (not forked), worked + forked
                self.check_sharing()
            hoard.give_back(1)
            free += 1
        if at_the_edge and worked:
            worked += self._find_edge(hoard, free) + self.fork(at_the_edge)
            self.check_sharing()
        self.check_children(worked)
        hoard.give_back_all()
        look()
        self._check_counts(failed, worked)

    def _find_edge(self, hoard: Hoard, free: int) -> int:
        """Takes pages back until forks fail; returns how many succeeded."""
        worked = 0
        while free > 0 and self.fork(1):
            worked += 1
            fewer = next(pages for pages in reversed(range(free)) if not self.is_spared(pages))
            hoard.take_back(free - fewer)
            free = fewer
        return worked

    def _check_counts(self, failed: int, worked: int) -> None:
        """Checks that forks failed while there was no memory, and succeed now."""
        if failed == 0:
            expected = "fork to fail when there is no memory at all"
            raise Failure("result", expected, "it succeeded", process="init")
        if not self.fork(1):
            expected = "fork to succeed when there is memory again"
            raise Failure("result", expected, "it fails", process="init", failed=True)
        if worked == 0:
            pages = self.tries - 1
            expected = f"fork to succeed with {pages} free pages: it needs only page tables"
            raise Failure("cost", expected, "it fails", process="init")


def failed_fork_is_harmless(session: Session) -> None:
    """Checks contents after each fork; then all write, the parent also right after a fork that
    failed. More forks fail than there are process slots."""
    little = LittleMemory(session)
    family, parent, sharer = little.family, little.parent, little.sharer
    little.forks(lambda free: session.slots + 8 if free == 0 else 2, 1, little.check_write)
    hoard = take_all(parent)  # it gets frames that were freed although a process maps them
    little.check_sharing()
    evidence.check_sole_writers(session)
    hoard.give_back_all()
    for va in family.vas:
        parent.store(va, 1)
        check_own(parent, va, [sharer])
        check_bytes(parent, va + 8, family.expected(va + 8, PAGE - 8), "untouched", "what it had")
    sharer.check(family.heap, family.pages * PAGE, family.seed)
    child = parent.fork("late child")
    parent.store(family.heap, 2)
    before = (1).to_bytes(8, "little")
    check_bytes(child, family.heap, before, "untouched", "what was there at the fork")
    evidence.check_sole_writers(session)
    check_hidden(session)


def failed_fork_leaks_nothing(session: Session) -> None:
    """Counts free pages after more failed forks than a kernel has hidden frames to replace."""
    little = LittleMemory(session, sharer_takes=True)
    parent, often = little.parent, session.chance.randrange(FORKS_WORKING + 5)

    def times(free: int) -> int:
        return rounds_to_exhaust(session) if free == often else 2

    def deed() -> None:
        heap = parent.grow(TWO_LEAF_TABLES)
        parent.do("OP_TOUCH", heap, TWO_LEAF_TABLES)
        little.forks(times, rounds_to_exhaust(session))
        parent.grow(-TWO_LEAF_TABLES)

    make_tables(little.taker)
    check_pages_back(session, parent, "forks that fail", deed)
