"""Parts F and H: bad addresses, and what must still work."""
from __future__ import annotations

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import Family, check_bytes, fill_heap, start_family
from labs.cow.grading.process import CLOSE, LAZILY, OPEN, PAGE, READ, UNLINK, WRITE
from labs.cow.grading.process import Death, Process, page_of
from labs.cow.grading.session import Session
from labs.cow.grading.tests_kernel_writes import bad_destinations
from labs.cow.grading.tests_shortage import check_killed

CREATE_READ_WRITE = 0x202

# ---- F ----


def check_each_kills(session: Session, what: str, operation: str, *words: int) -> None:
    """Has one child after the other do it at a bad address."""
    family = start_family(session, 3)
    parent, child = family.parent, family.child
    for where, va in bad_destinations(child).items():
        answer = session.attempt(child, parent, operation, va, *words)
        if not isinstance(answer, Death):
            raise evidence.fail(
                "killed", f"{what} {where} to kill the child", "it succeeded", child, va % (1 << 64)
            )
        check_killed(answer, "child")
        family.check_intact(parent)
        child = parent.fork("child")
        evidence.check_shared([parent, child], family.vas[:1])
    session.end(child, parent)


def bad_stores(session: Session) -> None:
    """With sd."""
    check_each_kills(session, "a store to", "OP_STORE", 1, 8)


def bad_loads(session: Session) -> None:
    """With ld."""
    check_each_kills(session, "a load from", "OP_LOAD", 8)


def bad_jumps(session: Session) -> None:
    """With jalr."""
    check_each_kills(session, "a jump to", "OP_JUMP")


def text_store(session: Session) -> None:
    """Where the base's text is writable, the store must change only the child's."""
    parent = session.begin()
    va = session.probe.symbols["text_target"]
    content = session.probe.text.content[va:va + PAGE]
    parent.load(va)
    family = start_family(session, 2, parent)
    child = family.child
    child.load(va)
    evidence.check_shared([parent, child], [va])
    answer = session.attempt(child, parent, "OP_STORE", va, session.random_seed(), 8)
    check_bytes(parent, va, content, "text", "its program text as it was")
    if isinstance(answer, Death):
        check_killed(answer, "child")
    elif not session.notes.text_was_writable:
        raise evidence.fail(
            "text", "a store to program text to kill the child", "it succeeded", child, va
        )
    else:
        session.end(child, parent)
    other = parent.fork("second child")
    other.load(va)
    check_bytes(other, va, content, "text", "the program text as it was")


# ---- H ----


def pipes_and_files(session: Session) -> None:
    """From the child to the parent."""
    parent = session.begin()
    reading, writing = parent.pipe()
    heap, seed = fill_heap(parent, 4)
    child = parent.fork("child")
    child.must("close()", CLOSE, reading)
    child.must("write() to a pipe", WRITE, writing, heap + 100, 300)
    parent.must("close()", CLOSE, writing)
    family = Family(parent, child, heap, 4, seed)
    result = parent.call(READ, reading, heap + 2 * PAGE + 5, 500)
    if result != 300:
        raise Failure(
            "result", "read() to return the 300 bytes of the pipe", str(result), process="init"
        )
    check_bytes(
        parent, heap + 2 * PAGE + 5, family.expected(heap + 100, 300), "contents",
        "what came through the pipe"
    )
    path = session.probe.symbols["path_file"]
    fd = child.must("open() of a new file", OPEN, path, CREATE_READ_WRITE)
    wrote = child.call(WRITE, fd, heap + 50, 3000)
    child.must("close()", CLOSE, fd)
    session.end(child, parent)
    fd = parent.must("open() of the file", OPEN, path, 0)
    got = parent.call(READ, fd, heap + 1, 4000)
    if (wrote, got) != (3000, 3000):
        raise Failure(
            "result", "3000 bytes to be written to the file and read back",
            f"wrote {wrote}, read {got}", process="init",
        )
    check_bytes(
        parent, heap + 1, family.expected(heap + 50, 3000), "contents", "what is in the file"
    )
    parent.must("close()", CLOSE, fd)
    parent.must("unlink()", UNLINK, path)
    if parent.call(READ, reading, heap, 10) != 0:
        expected, seen = "the pipe to be at its end", "read() returned more"
        raise Failure("result", expected, seen, process="init")


def exec_starts_afresh(session: Session) -> None:
    """The program's data is the file's again."""
    parent = session.begin()
    data = session.probe.symbols["data_pages"]
    value = session.random_seed()
    parent.store(data + 8, value)
    child = parent.fork("child")
    child.store(data + PAGE + 8, value)
    session.exec(child)
    if child.load(data) != 1 or child.load(data + 8) != 0 or child.load(data + PAGE + 8) != 0:
        raise evidence.fail(
            "contents", "the program's initial data after exec", "other bytes", child, data
        )
    child.store(data + 16, value)
    check_bytes(
        parent, data, (1).to_bytes(8, "little") + value.to_bytes(8, "little") + bytes(8),
        "untouched", "what it stored"
    )
    evidence.check_sole_writers(session)
    session.end(child, parent, 5)


def sbrk_shrinks_and_grows(session: Session) -> None:
    """The child gives shared pages back, while the parent keeps them."""
    parent = session.begin()
    heap, seed = fill_heap(parent, 6)
    child = parent.fork("child")
    child.must("sbrk of -4 pages", 12, -4 * PAGE, 1)
    check_gone(child, heap + 3 * PAGE)
    again = child.grow(4)
    if again != heap + 2 * PAGE:
        raise Failure(
            "result", f"sbrk to return {heap + 2 * PAGE:#x}", f"{again:#x}", process="child"
        )
    for i in range(2, 6):
        if child.load(heap + i * PAGE + 8) != 0:
            raise evidence.fail(
                "contents", "new heap to be zero", "old bytes", child, heap + i * PAGE
            )
    child.fill(heap + 2 * PAGE, 4 * PAGE, seed + 1)
    child.check(heap, 2 * PAGE, seed)
    parent.check(heap, 6 * PAGE, seed)
    Family(parent, child, heap, 6, seed).check_intact(parent)
    evidence.check_sole_writers(session)


def pages_not_there_yet(session: Session) -> None:
    """Heap that is allocated at the first touch, on kernels that do so.

    A load, a store, write() from there, read() to there, and a child that touches what its parent
    never touched: each must find a page of zeroes.
    """
    parent = session.begin()
    reading, writing = parent.pipe()
    family = start_family(session, 2, parent)
    heap = parent.grow(8, LAZILY)
    child = parent.fork("second child")
    pages = [heap + i * PAGE for i in range(8)]
    for process, va in ((parent, pages[0]), (child, pages[0]), (child, pages[1])):
        if process.load(va + 8) != 0:
            raise evidence.fail("contents", "new heap to be zero", "other bytes", process, va)
    check_crosses_pipe(parent, reading, writing, pages[2] + 100, pages[3] + 200)
    check_crosses_pipe(child, reading, writing, pages[2] + 100, pages[4] - 20)
    value = session.random_seed()
    for process in (child, parent):
        process.store(pages[6] + 16, value)
        process.store(pages[0] + 16, value)  # from where both have loaded
    for process in (parent, child):
        expected = bytes(16) + value.to_bytes(8, "little") + bytes(PAGE - 24)
        for page in (pages[0], pages[6]):
            check_bytes(process, page, expected, "contents", "what it stored and zeroes")
    grandchild = child.fork("grandchild")
    grandchild.store(pages[6], value)
    check_bytes(child, pages[6], bytes(16), "untouched", "what it had")
    if grandchild.load(pages[7]) != 0:
        raise evidence.fail("contents", "new heap to be zero", "other bytes", grandchild, pages[7])
    evidence.check_sole_writers(session)
    for process in (family.parent, family.child):
        family.check_intact(process)


def check_crosses_pipe(process: Process, reading: int, writing: int, source: int, to: int) -> None:
    """Sends 64 zeroes from a page that is not allocated yet, through a pipe, into another such
    page."""
    for call, number, fd, va in (("write", WRITE, writing, source), ("read", READ, reading, to)):
        result = process.call(number, fd, va, 64)
        if result != 64:
            expected = f"{call}() of 64 bytes of heap that has not been touched"
            raise Failure("result", expected, f"it returned {result}", process=process.name)
    check_bytes(process, to, bytes(64), "contents", "the zeroes from the pipe")


def check_gone(process: Process, va: int) -> None:
    """Checks that the process can no longer access the page."""
    if process.find(va) is not None:
        raise evidence.fail(
            "result", "no page where heap was given back", "one is mapped", process, page_of(va)
        )
