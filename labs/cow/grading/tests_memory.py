"""Parts D and E: no frame left, and every frame back."""
from __future__ import annotations

from typing import Callable, List

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import Family, check_bytes, fill_heap, start_family
from labs.cow.grading.hoard import Hoard, free_pages, holder_for, take_all
from labs.cow.grading.puppet import KILL, OPEN, PAGE, READ, WAIT, WRITE, Answer, Death, Process, Session

STORES_MOST = 24  # pages that a kernel may still have somewhere
FORK_TRIES = 40  # pages that a fork may need besides a leaf table for each 2 MiB
LEAF_TABLE_COVERS = 2 << 20


# ---- D ----


def check_killed(death: Death, process: str) -> None:
    """A process died as one that is killed does."""
    if death.status != -1:
        raise Failure("killed", f"{process} to be killed, status -1", f"status {death.status}", process=process)


def store_without_memory(session: Session) -> None:
    """The child stores page after page until it is killed."""
    family = start_family(session, STORES_MOST)
    hoard = take_all(family.parent)
    for number, va in enumerate(family.vas):
        answer = session.attempt(family.child, family.parent, "OP_STORE", va + 16, session.random_seed(), 8)
        family.check_intact(family.parent)
        if isinstance(answer, Death):
            check_killed(answer, "child")
            break
        evidence.check_own(family.child, va, [family.parent])
    else:
        raise Failure(
            "killed", "the child to be killed: there is no frame for its copies", f"{number + 1} stores succeeded",
            process="child",
        )
    check_parent_lives(session, family, hoard)


def check_write_without_memory(family: Family, what: str, answer: "Answer | Death", va: int, expected: bytes) -> bool:
    """What a system call may do that has no frame for its result; tells whether the child lives."""
    family.check_intact(family.parent)
    if isinstance(answer, Death):
        check_killed(answer, "child")
        return False
    if answer.value > 0:
        size = min(len(expected), answer.value)
        check_bytes(
            family.child, va, expected[:size], "copied", f"what {what} says it stored (it returned {answer.value})"
        )
        evidence.check_own(family.child, va, [family.parent])
    return True


def read_without_memory(session: Session) -> None:
    """Into page after page, from a pipe that was filled before."""
    parent = session.begin()
    reading, writing = parent.pipe()
    family = start_family(session, 8, parent)
    parent.must("write() to a pipe", WRITE, writing, family.heap, 400)
    data = family.expected(family.heap, 400)
    hoard = take_all(parent)
    for va in family.vas:
        answer = session.attempt(family.child, parent, "OP_CALL", READ, reading, va + 33, 40)
        if not check_write_without_memory(family, "read() of a pipe", answer, va + 33, data):
            break
        assert isinstance(answer, Answer)
        data = data[max(0, answer.value):] if answer.value == 40 else b""
        if not data:
            break
    check_parent_lives(session, family, hoard)


def check_parent_lives(session: Session, family: Family, hoard: Hoard) -> None:
    """The parent, who may still wait for the child, has all it had, and nobody else gets its frames."""
    parent = family.parent
    if family.child in session.processes:
        session.end(family.child, parent)
    evidence.check_sole_writers(session)
    hoard.give_back_all()
    parent.wait()  # a grandchild whose wait() could not store the status keeps its memory until now
    hoard = take_all(parent)  # what was freed by mistake is somebody's now
    evidence.check_sole_writers(session)
    family.check_intact(parent)
    parent.check(family.heap, family.pages * PAGE, family.seed)
    hoard.give_back_all()
    parent.store(family.heap, 1)
    evidence.check_own(parent, family.heap, [])


def file_read_without_memory(session: Session) -> None:
    """read() of a file and wait(); if the base's read() does not report a bad destination only the parent counts."""
    parent = session.begin()
    fd = parent.must("open(\"/init\")", OPEN, session.probe.symbols["path_program"], 0)
    base_reports = parent.call(READ, fd, parent.below_stack, 16) <= 0
    family = start_family(session, 8, parent)
    child = family.child
    fd = child.must("open(\"/init\")", OPEN, session.probe.symbols["path_program"], 0)
    grandchild = child.fork("grandchild")
    status = session.chance.randrange(1, 1000)
    grandchild.exit(status)
    session.settle(parent)
    hoard = take_all(parent)
    answer = session.attempt(child, parent, "OP_CALL", READ, fd, family.vas[1] + 100, 600)
    if base_reports:
        lives = check_write_without_memory(
            family, "read() of a file", answer, family.vas[1] + 100, session.probe.file[:600]
        )
    else:
        family.check_intact(parent)
        lives = isinstance(answer, Answer)
    if lives:
        answer = session.attempt(child, parent, "OP_CALL", WAIT, family.vas[4] + 8)
        check_write_without_memory(family, "wait()", answer, family.vas[4] + 8, status.to_bytes(4, "little"))
    check_parent_lives(session, family, hoard)


class LittleMemory:
    """A parent that forks although it has taken all memory."""

    def __init__(self, session: Session) -> None:
        self.parent = session.begin()
        self.reading, self.writing = self.parent.pipe()
        self.family = start_family(session, 16, self.parent)
        session.end(self.family.child, self.parent)
        self.tries = FORK_TRIES + session.built.memory // LEAF_TABLE_COVERS

    def fork(self, times: int) -> bool:
        """Forks until that works, but so many times at most; the child looks at its memory. Tells whether it worked."""
        family = self.family
        words = (times | self.writing << 16, family.heap, family.pages * PAGE // 8, family.seed)
        return self.parent.do("OP_FORK_REAP", *words).value > 0

    def check_children(self, worked: int) -> None:
        """So many children have found their memory in order and said so through the pipe."""
        self.parent.must("write() to a pipe", WRITE, self.writing, self.family.heap, 1)
        said = self.parent.call(READ, self.reading, self.parent.scratch, 500) - 1
        if said != worked:
            seen = f"{said} found all their memory"
            raise Failure("contents", f"{worked} children of forks with little memory to live", seen, process="child")

    def forks(self, times: int, visit: Callable[[], None]) -> None:
        """Forks with no page free (so many times), one, two ..., until it works; visits after each."""
        hoard = take_all(self.parent)
        failed = worked = 0
        for attempt in range(self.tries):
            forked = self.fork(times if attempt == 0 else 2)
            failed, worked = failed + (not forked), worked + forked
            visit()
            if worked >= 3:
                break
            hoard.give_back(1)
        self.check_children(worked)
        hoard.give_back_all()
        if failed == 0:
            raise Failure("result", "fork to fail when there is no memory at all", "it succeeded", process="init")
        if not self.fork(1):
            raise Failure(
                "result", "fork to succeed when there is memory again", "it fails", process="init", failed=True
            )
        if worked == 0:
            expected = f"fork to succeed with {self.tries - 1} free pages: it needs tables only"
            raise Failure("cost", expected, "it fails", process="init")


def failed_fork_is_harmless(session: Session) -> None:
    """Contents after each fork; at the end each page is written. More forks fail than there are processes."""
    little = LittleMemory(session)
    family, parent = little.family, little.parent
    little.forks(session.slots + 8, lambda: family.check_intact(parent))
    for va in family.vas:
        parent.store(va, 1)
        check_bytes(parent, va + 8, family.expected(va + 8, PAGE - 8), "untouched", "what it had")
    child = parent.fork("late child")
    parent.store(family.heap, 2)
    check_bytes(child, family.heap, (1).to_bytes(8, "little"), "untouched", "what was there at the fork")
    evidence.check_sole_writers(session)


def failed_fork_leaks_nothing(session: Session) -> None:
    """The count of pages that can be had."""
    little = LittleMemory(session)
    check_pages_back(session, little.parent, "forks that fail", lambda: little.forks(2, lambda: None))


def last_owner_without_memory(session: Session) -> None:
    """Not process 1 is the parent here, because its death would end the machine."""
    first = session.begin()
    parent = first.fork("parent")
    holder = holder_for(parent)  # before there is a family: it must not share its pages
    family = start_family(session, 8, parent)
    frames = {va: parent.frame(va) for va in family.vas}
    session.end(family.child, parent)
    take_all(parent, holder)
    for va in family.vas:
        answer = session.attempt(parent, first, "OP_STORE", va, 1, 8)
        if isinstance(answer, Death):
            raise evidence.fail(
                "kept", "the last owner's write to need no frame", "it was killed for want of memory", parent, va
            )
        if parent.frame(va) != frames[va]:
            raise evidence.fail(
                "kept", f"the last owner to keep frame {frames[va]:#x}", f"{parent.frame(va):#x}", parent, va
            )
        check_bytes(parent, va + 8, family.expected(va + 8, PAGE - 8), "contents", "what it had")


# ---- E ----


def check_pages_back(session: Session, process: Process, what: str, deed: Callable[[], object]) -> None:
    """After the deed there are as many free pages as before, counted and by what the kernel says."""
    free_pages(process)  # tables that counting needs stay
    before = free_pages(process)
    if before[0] == 0:
        raise Failure("result", "a process to get memory", "sbrk gives none", process=process.name)
    deed()
    after = free_pages(process)
    for how, old, new in (
        ("that a process can have", before[0], after[0]), ("free by what the kernel says", before[1], after[1])
    ):
        if old != new:
            raise Failure(
                "free_pages", f"{old} pages {how} after {what}, as before", f"{new}", process=process.name,
                lost=old - new, what=what,
            )


def write_pages(process: Process, vas: List[int]) -> None:
    """Stores into each of the pages."""
    for va in vas:
        process.store(va + 8, va)


def exit_returns_pages(session: Session) -> None:
    """Child writes, parent writes, both, two children, heap that grew after the fork."""
    parent = session.begin()
    heap, _ = fill_heap(parent, 8)
    vas = [heap + i * PAGE for i in range(8)]

    def one_child(before: List[int], of_parent: List[int]) -> None:
        child = parent.fork("child")
        write_pages(child, before)
        write_pages(parent, of_parent)
        child.exit()
        parent.reap(child)
        write_pages(parent, of_parent)

    def two_children() -> None:
        first, second = parent.fork("first child"), parent.fork("second child")
        write_pages(first, vas[:5])
        write_pages(second, vas[3:])
        first.exit()
        parent.reap(first)
        write_pages(parent, vas[2:6])
        write_pages(second, vas)
        second.exit()
        parent.reap(second)

    def grown_child() -> None:
        child = parent.fork("child")
        fill_heap(child, 5)
        grandchild = child.fork("grandchild")
        child.grow(-5)
        grandchild.exit()
        child.reap(grandchild)
        child.exit()
        parent.reap(child)

    def deed() -> None:
        check_first_is_shared(session, parent, vas)
        one_child([], [])
        one_child(vas[:4], [])
        one_child([], vas[2:])
        one_child(vas[1:5], vas[3:7])
        one_child(vas, vas)
        two_children()
        grown_child()

    check_pages_back(session, parent, "fork, writes and exits", deed)


def check_first_is_shared(session: Session, parent: Process, vas: List[int]) -> None:
    """Counting the pages of a fork that copies would show nothing."""
    child = parent.fork("child")
    child.load(vas[0])
    evidence.check_shared([parent, child], vas[:1])
    session.end(child, parent)


def exec_and_kill_return_pages(session: Session) -> None:
    """Other ways to leave an address space."""
    parent = session.begin()
    heap, _ = fill_heap(parent, 8)
    vas = [heap + i * PAGE for i in range(8)]
    data = session.probe.symbols["data_pages"]

    def executed() -> None:
        child = parent.fork("child")
        write_pages(child, vas[:3])
        session.exec(child)
        child.store(data, 1)
        child.exit(3)
        parent.reap(child, 3)

    def killed() -> None:
        child = parent.fork("child")
        write_pages(child, vas[2:6])
        grandchild = child.fork("grandchild")
        grandchild.store(vas[7], 1)
        for victim, its_parent in ((grandchild, child), (child, parent)):
            parent.must("kill()", KILL, victim.pid)
            session.forget(victim)
            its_parent.reap(victim, -1)

    def faulted() -> None:
        child = parent.fork("child")
        write_pages(child, vas[4:])
        no_code = data + PAGE // 2  # zeroes
        if isinstance(session.attempt(child, parent, "OP_JUMP", no_code), Answer):
            raise evidence.fail("killed", "the execution of zeroes to kill the child", "it succeeded", child, no_code)

    def deed() -> None:
        check_first_is_shared(session, parent, vas)
        for way in (executed, killed, faulted):
            way()
            write_pages(parent, vas)  # the last owner needs no frame, or gives one back

    check_pages_back(session, parent, "exec, kill and a fatal fault", deed)


def grandchild_outlives(session: Session) -> None:
    """The middle generation goes first."""
    first = session.begin()
    heap, seed = fill_heap(first, 8)
    vas = [heap + i * PAGE for i in range(8)]

    def deed() -> None:
        child = first.fork("child")
        family = Family(first, child, heap, 8, seed)
        grandchild = child.fork("grandchild")
        grandchild.check(heap, 8 * PAGE, seed)
        evidence.check_shared([first, child, grandchild], vas)
        write_pages(child, vas[:4])
        child.exit()
        first.reap(child)
        grandchild.check(heap, 8 * PAGE, seed)
        write_pages(first, vas[2:])
        family.check_intact(grandchild)
        grandchild.check(heap, 8 * PAGE, seed)
        write_pages(grandchild, vas[3:5])
        evidence.check_sole_writers(session)
        grandchild.exit(4)
        first.reap(grandchild, 4)
        first.fill(heap, 8 * PAGE, seed)

    check_pages_back(session, first, "a grandchild that outlived its parent", deed)
    first.check(heap, 8 * PAGE, seed)
