"""Part D: writes when no frame is free."""
from __future__ import annotations

from collections.abc import Sequence

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import (
    check_alone, check_bytes, check_own, check_shared, start_family,
)
from labs.cow.grading.hoard import holder_for, take_all
from labs.cow.grading.process import OPEN, PAGE, READ, WAIT, WRITE
from labs.cow.grading.process import Answer, Death, Process
from labs.cow.grading.session import Session
from labs.cow.grading.tests_pages_back import check_pages_back

STORES_MAX = 24  # a kernel may have kept back fewer pages than that


def check_killed(death: Death, process: str) -> None:
    """Checks that a process died with the status of a killed one."""
    if death.status != -1:
        seen = f"status {death.status}"
        raise Failure("killed", f"{process} to be killed, status -1", seen, process=process)


class Shortage:
    """A parent, a child that writes when no frame is free, and a sibling that has taken them all.

    Whatever happens to the child, parent and sibling keep sharing what the parent filled.
    """

    def __init__(self, session: Session, parent: Process, pages: int = 8) -> None:
        self.session = session
        self.family = start_family(session, pages, parent)
        self.parent, self.child = self.family.parent, self.family.child
        self.sibling = parent.fork("sibling")
        self.failed: list[int] = []  # pages that the child could not break

    def take_all(self) -> None:
        """Takes all memory."""
        self.hoard = take_all(self.sibling)

    def attempt(self, operation: str, *words: int) -> Answer | Death:
        """Has the child do something that may kill it."""
        return self.session.attempt(self.child, self.parent, operation, *words)

    def check_others(self) -> None:
        """Checks that parent and sibling have what they had, in the same frames."""
        for process in (self.parent, self.sibling):
            self.family.check_intact(process)
        check_shared([self.parent, self.sibling], self.family.vas)
        evidence.check_sole_writers(self.session)

    def check_call(self, what: str, answer: Answer | Death, va: int, expected: bytes) -> bool:
        """Checks a system call that had no frame for its result; tells whether the child lives.

        It may have killed the child, failed and changed nothing, or found a frame after all.
        """
        self.check_others()
        page = va & -PAGE
        if isinstance(answer, Death):
            check_killed(answer, "child")
            return False
        if answer.value > 0:
            told = f"what {what} says it stored (it returned {answer.value})"
            check_bytes(self.child, va, expected[:answer.value], "copied", told)
            check_alone(self.child, va, [self.parent, self.sibling])
        elif self.child.frame(page) == self.parent.frame(page):
            self.family.check_intact(self.child, [page])
            self.failed.append(page)
        return True

    def end(self) -> None:
        """Gives the memory back; then the child's stores break what could not be broken before."""
        self.hoard.give_back_all()
        if self.child in self.session.processes:
            for va in self.failed:
                answer = self.attempt("OP_STORE", va + 8, va, 8)
                if isinstance(answer, Death):
                    expected = "the store to succeed now that there is memory"
                    raise evidence.fail("alive", expected, "it killed the child", self.child, va)
                check_own(self.child, va, [self.parent, self.sibling])
            self.check_others()
            self.session.end(self.child, self.parent)
        self._check_frames_are_whole()
        written = self.family.vas[:self.family.pages // 2]
        self._check_parent_breaks(written)
        self._end_sibling()
        self._check_parent_keeps(self.family.vas[len(written):])
        self.parent.fill(self.family.heap, self.family.pages * PAGE, self.family.seed)
        check_own(self.parent, self.family.heap, [])

    def _check_parent_breaks(self, vas: Sequence[int]) -> None:
        """Checks that the parent's stores copy: with a count too low, both would have one frame."""
        for va in vas:
            self.parent.store(va + 8, va)
            check_own(self.parent, va, [self.sibling])
        self.family.check_intact(self.sibling)

    def _check_parent_keeps(self, vas: Sequence[int]) -> None:
        """Checks that the sibling's exit has not freed pages that the parent still has."""
        hoard = take_all(self.parent)
        self.family.check_intact(self.parent, vas)
        hoard.give_back_all()

    def _end_sibling(self) -> None:
        """Has the parent wait twice: it may have adopted a grandchild, too."""
        self.sibling.exit()
        ended = {self.parent.wait().value for _ in range(2)}
        if self.sibling.pid not in ended:
            expected = f"wait to return the sibling, pid {self.sibling.pid}"
            raise Failure("result", expected, f"{sorted(ended)}", process=self.parent.name)

    def _check_frames_are_whole(self) -> None:
        """Takes all memory once more: it would include frames that were freed although a process
        maps them."""
        hoard = take_all(self.sibling)
        self.check_others()
        hoard.give_back_all()
        for process in (self.parent, self.sibling):
            process.check(self.family.heap, self.family.pages * PAGE, self.family.seed)


def store_without_memory(session: Session) -> None:
    """The child stores page after page until it is killed."""
    parent = session.begin()

    def deed() -> None:
        shortage = Shortage(session, parent, STORES_MAX)
        shortage.take_all()
        for va in shortage.family.vas:
            answer = shortage.attempt("OP_STORE", va + 16, session.random_seed(), 8)
            shortage.check_others()
            if isinstance(answer, Death):
                check_killed(answer, "child")
                break
            check_own(shortage.child, va, [parent, shortage.sibling])
        else:
            expected = "the child to be killed: there is no frame for its copies"
            seen = f"{STORES_MAX} stores succeeded"
            raise Failure("killed", expected, seen, process="child")
        shortage.end()
        parent.grow(-STORES_MAX)

    check_pages_back(session, parent, "stores without memory", deed)


def read_without_memory(session: Session) -> None:
    """Into page after page, from a pipe that was filled before."""
    parent = session.begin()
    reading, writing = parent.pipe()

    def deed() -> None:
        shortage = Shortage(session, parent)
        family = shortage.family
        parent.must("write() to a pipe", WRITE, writing, family.heap, 400)
        data = family.expected(family.heap, 400)
        shortage.take_all()
        for va in family.vas:
            answer = shortage.attempt("OP_CALL", READ, reading, va + 33, 40)
            if not shortage.check_call("read() of a pipe", answer, va + 33, data):
                break
            assert isinstance(answer, Answer)
            data = data[40:] if answer.value == 40 else b""  # a failed read may lose bytes
        shortage.end()
        parent.grow(-family.pages)

    check_pages_back(session, parent, "read() of a pipe without memory", deed)


def file_read_without_memory(session: Session) -> None:
    """read() of a file and wait(), into the pages of a child."""
    parent = session.begin()
    program = session.probe.symbols["path_program"]
    fd = parent.must("open(\"/init\")", OPEN, program, 0)
    base_reports = parent.call(READ, fd, parent.below_stack, 16) <= 0
    status = session.chance.randrange(1, 1000)

    def deed() -> None:
        shortage = Shortage(session, parent)
        child, vas = shortage.child, shortage.family.vas
        file = child.must("open(\"/init\")", OPEN, program, 0)
        child.fork("grandchild").exit(status)
        session.settle(parent)
        shortage.take_all()
        va, data = vas[1] + 100, session.probe.file[:600]
        answer = shortage.attempt("OP_CALL", READ, file, va, len(data))
        if base_reports:
            lives = shortage.check_call("read() of a file", answer, va, data)
        else:  # the base's read() does not report that it could not store
            shortage.check_others()
            lives = isinstance(answer, Answer)
        if lives:
            va, word = vas[4] + 8, status.to_bytes(4, "little")
            answer = shortage.attempt("OP_CALL", WAIT, va)
            shortage.check_call("wait()", wait_result(answer), va, word)
        shortage.end()
        parent.grow(-len(vas))

    check_pages_back(session, parent, "read() of a file and wait() without memory", deed)


def wait_result(answer: Answer | Death) -> Answer | Death:
    """Returns what wait() did as the number of bytes that it stored."""
    if isinstance(answer, Answer) and answer.value > 0:
        return Answer(4, answer.more)
    return answer


def last_owner_without_memory(session: Session) -> None:
    """The parent is not process 1, whose death would end the machine."""
    first = session.begin()
    parent = first.fork("parent")
    holder = holder_for(parent)  # forked first, because it must not share the family's pages
    family = start_family(session, 8, parent)
    frames = {va: parent.frame(va) for va in family.vas}
    session.end(family.child, parent)
    take_all(parent, holder)
    for va in family.vas:
        answer = session.attempt(parent, first, "OP_STORE", va, 1, 8)
        if isinstance(answer, Death):
            expected = "the last owner's write to need no frame"
            seen = "it was killed because memory had run out"
            raise evidence.fail("kept", expected, seen, parent, va)
        if parent.frame(va) != frames[va]:
            expected = f"the last owner to keep frame {frames[va]:#x}"
            raise evidence.fail("kept", expected, f"{parent.frame(va):#x}", parent, va)
        check_bytes(parent, va + 8, family.expected(va + 8, PAGE - 8), "contents", "what it had")
