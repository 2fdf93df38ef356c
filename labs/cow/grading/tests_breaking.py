"""Part B: what a write does to shared pages."""
from __future__ import annotations

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import (
    Family, check_bytes, check_own, check_shared, fill_heap, start_family,
)
from labs.cow.grading.process import PAGE, WRITE, Process
from labs.cow.grading.session import Session
from labs.cow.grading.tests_pages_back import check_pages_back
from labs.cow.grading.visits import prove

RETURN_22 = 0x01600513  # li a0, 22
SHARERS_MIN = 20
OTHER_PROCESSES = 2  # a kernel may have so many of its own
SHARERS_WRITING = 6


def break_one(family: Family, writer: Process, other: Process) -> None:
    """The writer stores into one page, twice; checks what must change, and all that must not."""
    chance = writer.session.chance
    va = chance.choice(family.vas[1:-1]) + 8 * chance.randrange(PAGE // 8)
    frames = {page: other.frame(page) for page in family.vas}
    value = writer.session.random_seed()
    writer.store(va, value)
    family.check_broken(writer, other, frames, {va: value.to_bytes(8, "little")})
    frame = writer.frame(va)
    value = writer.session.random_seed()
    writer.store(va, value)
    if writer.frame(va) != frame:
        raise evidence.fail(
            "kept", "a second write to need no further copy",
            f"frame {writer.frame(va):#x} after {frame:#x}",
            writer, va,
        )
    family.check_broken(writer, other, frames, {va: value.to_bytes(8, "little")})
    if writer.load(va) != value:
        expected = f"{writer.name} to load {value:#x}"
        raise evidence.fail("contents", expected, "another value", writer, va)
    other.check(family.heap, family.pages * PAGE, family.seed)


def child_write_copies_one_page(session: Session) -> None:
    """The child writes."""
    family = start_family(session)
    break_one(family, family.child, family.parent)


def parent_write_copies_one_page(session: Session) -> None:
    """The parent writes."""
    family = start_family(session)
    break_one(family, family.parent, family.child)


def parent_write_right_after_fork(session: Session) -> None:
    """The entry that allowed writing is still in the TLB unless fork flushed it."""
    parent = session.begin()
    heap, seed = fill_heap(parent, 3)
    session.end(parent.fork("first child"), parent)  # a fork without a store, which must share
    va = heap + PAGE + 8 * session.chance.randrange(PAGE // 8)
    before, after = session.random_seed(), session.random_seed()
    child = session.fork(parent, "child", "OP_FORK_STORE", va, before, after)
    for process, value, what in (
        (child, before, "what was there at the fork"),
        (parent, after, "what it wrote after the fork")
    ):
        check_bytes(process, va, value.to_bytes(8, "little"), "untouched", what)
        if process.load(va) != value:
            raise evidence.fail(
                "untouched", f"{process.name} to load {what}", "another value", process, va
            )
    check_own(parent, va, [child])
    check_shared([parent, child], [heap, heap + 2 * PAGE])
    child.check(heap, PAGE, seed)


def last_owner_keeps_frame(session: Session) -> None:
    """The others have exited, or have copies of their own."""
    family = start_family(session)
    parent, child = family.parent, family.child
    left, broken = family.vas[2], family.vas[4]
    frames = {va: parent.frame(va) for va in (left, broken)}
    child.store(broken, session.random_seed())
    parent.store(broken + 8, session.random_seed())
    parent_keeps(parent, broken, frames[broken], "after the child has copied the page")
    session.end(child, parent)
    parent.store(left + 8, session.random_seed())
    parent_keeps(parent, left, frames[left], "after the child's exit")
    check_bytes(parent, left + 16, family.expected(left + 16, 64), "contents", "what it had")


def parent_keeps(parent: Process, va: int, frame: int, when: str) -> None:
    """The parent's write needed no copy."""
    if parent.frame(va) != frame:
        raise evidence.fail(
            "kept", f"the last owner to keep frame {frame:#x} {when}", f"{parent.frame(va):#x}",
            parent, va
        )
    check_own(parent, va, [])


def execute_permission_kept(session: Session) -> None:
    """On a page of the program that is both code and data."""
    parent = session.begin()
    code = session.probe.symbols["code_page"]
    parent.store(code + 64, 1)
    returns(parent, code, 11)
    executable = parent.entry(code).x
    child = parent.fork("child")
    returns(child, code, 11)
    check_shared([parent, child], [code])
    child.store(code, RETURN_22, 4)
    if executable and not child.entry(code).x:
        raise evidence.fail(
            "execute", "the copy to be executable like the original", "it is not", child, code
        )
    check_flushed(child, code)
    returns(parent, code, 11)
    check_own(child, code, [parent])


def check_flushed(process: Process, code: int) -> None:
    """Checks that the function returns 22, as its instructions now say, not 11 as before."""
    value = process.do("OP_JUMP", code).value
    if value == 11 and process.read(code, 4) == RETURN_22.to_bytes(4, "little"):
        raise evidence.fail(
            "stale", "the function to return 22 after its code has changed", "11", process, code
        )
    if value != 22:
        raise wrong_result(process, code, 22, value)


def returns(process: Process, function: int, expected: int) -> None:
    """Checks what the function at that address returns."""
    value = process.do("OP_JUMP", function).value
    if value != expected:
        raise wrong_result(process, function, expected, value)


def wrong_result(process: Process, function: int, expected: int, value: int) -> Failure:
    """Returns the failure of a function that has returned something else."""
    return evidence.fail(
        "contents", f"the function to return {expected}", str(value), process, function
    )


def many_sharers(session: Session) -> None:
    """Children wait for a byte from a pipe. Some get one and write, then all are told to exit."""
    parent = session.begin()
    heap, seed = fill_heap(parent, 3)
    zeroes = parent.grow(1)
    parent.store(zeroes, 0)
    reading, writing = parent.pipe()
    session.end(parent.fork("first child"), parent)  # a fork without a store, which must share

    def deed() -> None:
        session.newcomers.expect_any()
        number = parent.do("OP_FORK_MANY", reading).value
        least = max(2, min(SHARERS_MIN, session.slots - 1 - OTHER_PROCESSES))
        if number < least:
            expected = f"at least {least} forks to succeed"
            raise Failure("result", expected, f"{number} did", process="init")
        children: list[Process] = []
        for _ in range(min(SHARERS_WRITING, number)):
            parent.store(parent.scratch, 1, 1)
            parent.must("write() to a pipe", WRITE, writing, parent.scratch, 1)
            children.append(session.next_newcomer())
            one_of_many(Family(parent, children[-1], heap, 3, seed), children[:-1])
        for child in children:
            child.start("OP_AWAIT", reading)
        parent.must("write() to a pipe", WRITE, writing, zeroes, number)
        bad = parent.do("OP_REAP", number).value
        if bad:
            raise Failure(
                "killed", f"all {number} children to exit with status 0", f"{bad} did not",
                process="init"
            )
        for child in children:
            session.forget(child)
        parent.check(heap, 3 * PAGE, seed)
        for va in (heap, heap + PAGE, heap + 2 * PAGE):
            parent.store(va, 1)  # the last owner needs no new frame

    check_pages_back(session, parent, "many processes shared them", deed)


def one_of_many(family: Family, others: list[Process]) -> None:
    """A child that shares the family's pages with many others writes to one."""
    child, va = family.child, family.heap + PAGE
    check_shared([family.parent, child], family.vas)
    prove([family.parent, child], family.vas)
    value = child.session.random_seed().to_bytes(8, "little")
    child.store(va + 8, int.from_bytes(value, "little"))
    check_bytes(child, va, family.expected(va, 8) + value, "copied", "its own copy")
    check_own(child, va, [family.parent, *others])
    family.check_intact(family.parent)


def odd_stores(session: Session) -> None:
    """Last byte, misaligned, across two pages, and an atomic addition."""
    family = start_family(session, 9)
    child, pages = family.child, family.vas
    frames = {va: family.parent.frame(va) for va in pages}
    chance = session.chance
    written: dict[int, bytes] = {}
    crossing = pages[4] - chance.randrange(1, 8)
    for va, size in (
        (pages[1] + PAGE - 1, 1), (pages[6] + 2 * chance.randrange(1000) + 1, 4), (crossing, 8)
    ):
        value = chance.getrandbits(8 * size)
        child.store(va, value, size)
        written[va] = value.to_bytes(size, "little")
    va = pages[7] + 8 * chance.randrange(PAGE // 8)
    before, more = int.from_bytes(family.expected(va, 8), "little"), chance.getrandbits(32)
    child.do("OP_ADD", va, more)
    written[va] = ((before + more) % (1 << 64)).to_bytes(8, "little")
    family.check_broken(child, family.parent, frames, written)
    family.parent.check(family.heap, family.pages * PAGE, family.seed)


def stack_is_private(session: Session) -> None:
    """Bytes below the stack pointers; fork may copy the stack at once."""
    parent = session.begin()
    values = [session.random_seed() for _ in range(3)]
    va = parent.scratch
    parent.store(va, values[0])
    va_below = va - 2 * PAGE if session.is_cow6 else None  # there the stack has more than a page
    if va_below is not None:
        parent.store(va_below, values[0])
    child = parent.fork("child")
    saw = child.load(va)
    child.store(va, values[1])
    parent.store(va, values[2])
    if saw != values[0] or child.load(va) != values[1] or parent.load(va) != values[2]:
        raise evidence.fail(
            "untouched", "each to have what it wrote to its stack", "the other's bytes", child, va
        )
    check_own(child, va, [parent])
    check_own(parent, va, [child])
    heap = fill_heap(parent, 2)[0]
    other = parent.fork("second child")
    check_shared([parent, other], [heap, heap + PAGE])
    if va_below is not None and other.load(va_below) != values[0]:
        raise evidence.fail(
            "contents", "the child to have all pages of the stack", "other bytes", other, va_below
        )
