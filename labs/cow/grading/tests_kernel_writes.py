"""Part C: system calls that store into shared pages."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import Family, check_bytes, start_family
from labs.cow.grading.hidden import check_hidden
from labs.cow.grading.process import FSTAT, OPEN, PAGE, PIPE, READ, USER_END, WAIT, WORD, WRITE
from labs.cow.grading.process import Answer, Process, page_of
from labs.cow.grading.session import Session

STAT_BYTES = 24
INITIAL_DATA = 2  # the first word of the second of the probe's data pages


def frames_of(family: Family) -> dict[int, int]:
    """Returns the shared frames."""
    return {va: family.parent.frame(va) for va in family.vas}


def family_with_pipe(session: Session, size: int) -> tuple[Family, int, bytes]:
    """Makes a family with bytes in a pipe: the family, the pipe's reading end, the bytes."""
    parent = session.begin()
    reading, writing = parent.pipe()
    family = start_family(session, 8, parent)
    va = family.heap + session.chance.randrange(PAGE)
    parent.must("write() to a pipe", WRITE, writing, va, size)
    return family, reading, family.expected(va, size)


def expect_result(process: Process, call: str, result: int, expected: int) -> None:
    """Checks what a system call returned."""
    if result != expected:
        raise Failure("result", f"{call} to return {expected}", str(result), process=process.name)


def pipe_read_breaks(session: Session) -> None:
    """To an odd address inside one page, across two pages, up to the end of the heap."""
    family, reading, data = family_with_pipe(session, 440)
    frames, child = frames_of(family), family.child
    inside = family.vas[2] + session.chance.randrange(1, 3000) | 1
    across = family.vas[5] - session.chance.randrange(1, 99)
    answer = child.do("OP_READ_LOAD", reading, inside, 300)
    expect_result(child, "read() of a pipe", answer.more, 300)
    if answer.value % WORD != int.from_bytes(data[:8], "little"):
        raise evidence.fail(
            "stale", "the process to load what read() stored", "the old bytes", child, inside
        )
    expect_result(child, "read() of a pipe", child.call(READ, reading, across, 100), 100)
    last = family.heap + family.pages * PAGE - 40
    expect_result(child, "read() of a pipe", child.call(READ, reading, last, 40), 40)
    written = {inside: data[:300], across: data[300:400], last: data[400:]}
    family.check_broken(child, family.parent, frames, written)
    family.parent.check(family.heap, family.pages * PAGE, family.seed)


def untouched_data_breaks(session: Session) -> None:
    """The child's data page is read in for read(). The parent's, read in later, must be as in the
    file."""
    family, reading, data = family_with_pipe(session, 8)
    parent, child = family.parent, family.child
    page = session.probe.symbols["data_pages"] + PAGE
    offset = 8 * session.chance.randrange(1, PAGE // 8)
    expect_result(child, "read() of a pipe", child.call(READ, reading, page + offset, 8), 8)
    initial = INITIAL_DATA.to_bytes(8, "little") + bytes(PAGE - 8)
    if parent.load(page) != INITIAL_DATA or parent.load(page + offset) != 0:
        raise evidence.fail("untouched", "the program's initial data", "other bytes", parent, page)
    check_bytes(parent, page, initial, "untouched", "the program's initial data")
    check_bytes(
        child, page, initial[:offset] + data + initial[offset + 8:], "copied", "what read() stored"
    )
    evidence.check_writable(child, page, [parent])
    family.check_intact(parent)


def file_read_across_pages(session: Session) -> None:
    """The file is the probe itself."""
    family = start_family(session)
    frames, child = frames_of(family), family.child
    fd = child.must("open(\"/init\")", OPEN, session.probe.symbols["path_program"], 0)
    size = PAGE + session.chance.randrange(1000, 3000)
    va = family.vas[3] - session.chance.randrange(1, 900)
    expect_result(child, "read() of a file", child.call(READ, fd, va, size), size)
    family.check_broken(child, family.parent, frames, {va: session.probe.file[:size]})
    family.parent.check(family.heap, family.pages * PAGE, family.seed)


def wait_status_breaks(session: Session) -> None:
    """The child waits for grandchildren: one status is anywhere in a page, one at a page's end."""
    family = start_family(session)
    child, frames = family.child, frames_of(family)
    written: dict[int, bytes] = {}
    anywhere = family.vas[1] + 4 * session.chance.randrange(PAGE // 4)
    for va in (anywhere, family.vas[4] - 4):
        grandchild = child.fork("grandchild")
        status = session.chance.randrange(1, 1 << 31)
        grandchild.exit(status)
        expect_result(child, "wait()", child.call(WAIT, va), grandchild.pid)
        written[va] = status.to_bytes(4, "little")
    family.check_broken(child, family.parent, frames, written)


def pipe_descriptors_break(session: Session) -> None:
    """One descriptor in each of two pages."""
    family = start_family(session)
    frames, child = frames_of(family), family.child
    va = family.vas[4] - 4
    child.must("pipe()", PIPE, va)
    first, second = child.read(va, 4), child.read(va + 4, 4)
    if (
        not 0 <= int.from_bytes(first, "little") < 16
        or not 0 <= int.from_bytes(second, "little") < 16
        or first == second
    ):
        raise evidence.fail(
            "copied", "two descriptors", f"{first.hex()} and {second.hex()}", child, va
        )
    family.check_broken(child, family.parent, frames, {va: first + second})


def fstat_breaks(session: Session) -> None:
    """A struct stat across two pages."""
    family = start_family(session)
    frames, child = frames_of(family), family.child
    fd = child.must("open(\"/init\")", OPEN, session.probe.symbols["path_program"], 0)
    va = family.vas[4] - 12
    child.must("fstat()", FSTAT, fd, va)
    data = child.read(va, STAT_BYTES)
    if int.from_bytes(data[16:24], "little") != len(session.probe.file):
        raise evidence.fail(
            "copied", f"the file's size, {len(session.probe.file)}", data[16:24].hex(), child, va
        )
    # Padding may be anything; the bytes around the result must not change.
    family.check_broken(child, family.parent, frames, {va: data})


def bad_destinations(child: Process) -> dict[str, int]:
    """Returns addresses to which a process has no right to write."""
    end = child.grow(0)
    return {
        "the page below the stack": child.below_stack,
        "past the end of the heap": end + 3 * PAGE,
        "the last pages of the user half": USER_END - 2 * PAGE,
        "the last page of the user half": USER_END - PAGE,
        "the end of the user half": USER_END,
        "the start of RAM": 0x80000000,
        "the kernel's program": 0x80200000,
        "a device": 0x10000000,
        "the upper half": -(1 << 38),
        "an address that is not canonical": 1 << 62,
        "the last page of the address space": -PAGE,
    }


def bad_destinations_refused(session: Session) -> None:
    """read(), fstat(), pipe() and wait() to each; the kernel may also kill the caller."""
    family, reading, _ = family_with_pipe(session, 200)
    program = session.probe.symbols["path_program"]
    file = family.child.must("open(\"/init\")", OPEN, program, 0)
    calls: dict[str, Callable[[int], Sequence[int]]] = {
        "read() of a pipe": lambda va: (READ, reading, va, 8),
        "fstat()": lambda va: (FSTAT, file, va),
        "pipe()": lambda va: (PIPE, va),
        "wait()": lambda va: (WAIT, va),
    }
    for where, va in bad_destinations(family.child).items():
        for call, words in calls.items():
            check_refused(family, call, where, words(va))
            if family.child not in session.processes:
                family.child = family.parent.fork("child")
                file = family.child.must("open(\"/init\")", OPEN, program, 0)
    check_hidden(session)
    evidence.check_sole_writers(session)
    family.check_intact(family.child)
    session.end(family.child, family.parent)
    family.check_intact(family.parent)


def check_refused(family: Family, call: str, where: str, words: Sequence[int]) -> None:
    """Checks that the child's system call to a bad address fails, or kills the child."""
    child, session = family.child, family.child.session
    if words[0] == WAIT:  # it stores a status only if a child has exited
        child.fork("grandchild").exit(7)
        session.settle(child)
    answer = session.attempt(child, family.parent, "OP_CALL", *words)
    if not isinstance(answer, Answer):
        return
    refused = 0 if call.startswith("read") else -1  # read() may return that it read nothing
    if answer.value > refused:
        raise evidence.fail(
            "refused", f"{call} to refuse {where}", f"it returned {answer.value}", child,
            words[-1 if words[0] != READ else 2] % WORD, call=call,
        )
    if words[0] == WAIT:
        child.call(WAIT, 0)  # the zombie may still be there


def text_not_written_by_kernel(session: Session) -> None:
    """In trees whose base makes text writable, the caller may get a copy of its own."""
    family, reading, _ = family_with_pipe(session, 32)
    parent, child = family.parent, family.child
    va = session.probe.symbols["text_target"]
    page = page_of(va)
    for process in (parent, child):
        process.load(va)
    was_writable = session.notes.text_was_writable or not session.is_cow6
    original = parent.read(page, PAGE)
    answer = session.attempt(child, parent, "OP_CALL", READ, reading, va, 8)
    check_bytes(parent, page, original, "text", "its program text as it was")
    if not hasattr(answer, "value"):
        return
    if child.frame(va) == parent.frame(va) or not was_writable:
        check_bytes(child, page, original, "text", "its program text as it was")
        if answer.value > 0:
            raise evidence.fail(
                "refused", "read() into program text to be refused", f"it returned {answer.value}",
                child, va
            )
    if child.entry(va).w and not session.notes.text_was_writable:
        raise evidence.fail("text", "program text to stay read-only", "it is writable", child, va)
