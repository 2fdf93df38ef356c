"""Part E: every frame is freed in the end."""
from __future__ import annotations

from collections.abc import Callable

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import Family, fill_heap
from labs.cow.grading.hoard import free_pages, make_tables, rounds_to_exhaust
from labs.cow.grading.process import KILL, OPEN, PAGE, Answer, Process
from labs.cow.grading.session import Session

# How a child of OP_CYCLE ends.
WAYS: dict[str, int] = {"exit": 0, "exec": 1, "kill": 2, "a fault": 3, "an orphan": 4}
CYCLE_PAGES = 8
FRAMES_MISSING = 5  # so many of the shared frames count as lost
# Page tables and kernel stacks of the processes at a count may be other frames than at the last: a
# dozen for the largest process.
FRAMES_REPLACED_MOST = 32
# Of the frames that replace as many lost ones, a dozen may be such tables; the others are too many.
CYCLES_MOST = FRAMES_REPLACED_MOST * 3 // 2


def check_pages_back(
    session: Session, process: Process, what: str, deed: Callable[[], object]
) -> None:
    """Checks that after the deed as many pages are free as before, by a count and by the kernel."""
    make_tables(process)
    before = free_pages(process)
    if before.pages == 0:
        raise Failure("result", "a process to get memory", "sbrk gives none", process=process.name)
    session.notes.frames_shared.clear()
    deed()
    seen, after = set(session.notes.frames_shared), free_pages(process)
    for how, old, new in (
        ("that a process can allocate", before.pages, after.pages),
        ("free according to the kernel", before.told, after.told),
    ):
        if old != new:
            raise Failure(
                "free_pages", f"{old} pages {how} after {what}, as before", f"{new}",
                process=process.name, lost=old - new, what=what,
            )
    check_same_frames(process, seen, after.frames, what)
    check_few_are_new(process, before.frames, after.frames, what)


def check_same_frames(process: Process, seen: set[int], frames: set[int], what: str) -> None:
    """Checks that frames which were shared in the deed are among those that belonged to processes
    when one of them took all.

    If not, the kernel has replaced them with frames that it had kept back. A few may have become
    page tables or buffers.
    """
    missing = seen - frames
    if len(missing) >= FRAMES_MISSING and 2 * len(missing) > len(seen):
        expected = f"the {len(seen)} frames that were shared to be free after {what}"
        seen_now = f"{len(missing)} of them have been replaced by others"
        raise Failure("free_pages", expected, seen_now, process=process.name, what=what)


def check_few_are_new(process: Process, before: set[int], after: set[int], what: str) -> None:
    """Checks that hardly a frame belongs to processes now that none could get before: the kernel
    would have kept it back, to replace one that it lost."""
    new = len(after - before)
    if new > FRAMES_REPLACED_MOST:
        expected = f"the frames that processes could get before {what}"
        seen = f"{new} others, which the kernel had kept back"
        raise Failure("free_pages", expected, seen, process=process.name, what=what)


def check_cycles(session: Session, first: Process, ways: list[str]) -> None:
    """Breaks and frees frames in each of the ways, so often that a kernel which loses one each time
    cannot replace them all, or not unseen."""
    reading, writing = first.pipe()
    file = first.must("open(\"/init\")", OPEN, session.probe.symbols["path_program"], 0)
    heap, _ = fill_heap(first, CYCLE_PAGES)

    def deed() -> None:
        times = min(rounds_to_exhaust(session), CYCLES_MOST)
        for way in ways:
            words = (heap, times, reading | writing << 16 | file << 32, WAYS[way])
            wrong = first.do("OP_CYCLE", *words).value
            if wrong:
                seen = "fork failed" if wrong < 0 else f"{wrong} results were wrong"
                expected = f"{times} children to end by {way}, each with the right results"
                raise Failure("free_pages", expected, seen, process=first.name, way=way)

    check_pages_back(session, first, "children that ended by " + ", ".join(ways), deed)


def write_pages(process: Process, vas: list[int]) -> None:
    """Stores into each of the pages."""
    for va in vas:
        process.store(va + 8, va)


def exit_returns_pages(session: Session) -> None:
    """The child writes, the parent writes, both do; two children; heap that grew after the fork."""
    parent = session.begin()
    heap, _ = fill_heap(parent, 8)
    vas = [heap + i * PAGE for i in range(8)]

    def one_child(before: list[int], of_parent: list[int]) -> None:
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

    def deed() -> None:
        check_first_is_shared(session, parent, vas)
        one_child([], [])
        one_child(vas[:4], [])
        one_child([], vas[2:])
        one_child(vas[1:5], vas[3:7])
        one_child(vas, vas)
        two_children()
        grown_child(parent)

    check_pages_back(session, parent, "fork, writes and exits", deed)
    check_cycles(session, parent, ["exit"])


def grown_child(parent: Process) -> None:
    """A child whose heap grows, and shrinks while a grandchild shares it."""
    child = parent.fork("child")
    fill_heap(child, 5)
    grandchild = child.fork("grandchild")
    child.grow(-5)
    grandchild.exit()
    child.reap(grandchild)
    child.exit()
    parent.reap(child)


def check_first_is_shared(session: Session, parent: Process, vas: list[int]) -> None:
    """Checks that fork shares: counting the pages of a fork that copies would show nothing."""
    child = parent.fork("child")
    child.load(vas[0])
    evidence.check_shared([parent, child], vas[:1])
    session.end(child, parent)


def execute_in_child(session: Session, parent: Process, vas: list[int]) -> None:
    """A child breaks pages, calls exec and forks: a new program's pages are shared like others."""
    child = parent.fork("child")
    write_pages(child, vas)
    session.exec(child)
    child.store(session.probe.symbols["data_pages"], 1)
    session.end(child.fork("grandchild"), child)
    child.exit(3)
    parent.reap(child, 3)


def exec_and_kill_return_pages(session: Session) -> None:
    """Other ways to leave an address space."""
    parent = session.begin()
    heap, _ = fill_heap(parent, 8)
    vas = [heap + i * PAGE for i in range(8)]
    data = session.probe.symbols["data_pages"]

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
            expected = "the execution of zeroes to kill the child"
            raise evidence.fail("killed", expected, "it succeeded", child, no_code)

    def deed() -> None:
        check_first_is_shared(session, parent, vas)
        execute_in_child(session, parent, vas[:3])
        for way in (killed, faulted):
            write_pages(parent, vas)  # the last owner needs no new frame
            way()
        write_pages(parent, vas)

    check_pages_back(session, parent, "exec, kill and a fatal fault", deed)
    check_cycles(session, parent, ["exec", "kill", "a fault"])


def grandchild_outlives(session: Session) -> None:
    """The middle generation exits first."""
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
    check_cycles(session, first, ["an orphan"])
