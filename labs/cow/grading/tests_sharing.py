"""Part A: what fork shares."""
from __future__ import annotations

from grader.run import Failure
from labs.cow.grading import evidence
from labs.cow.grading.evidence import Family, check_own, check_shared, fill_heap, start_family
from labs.cow.grading.hidden import check_hidden
from labs.cow.grading.hoard import frames_of, free_pages, make_tables
from labs.cow.grading.process import PAGE, WRITE, Process
from labs.cow.grading.session import Session

BIG_HEAP = 512  # pages
FORK_FRAMES_MAX = 64
OTHER_PROCESSES = 3  # slots are left for so many


def data_pages(process: Process) -> list[int]:
    """Returns the pages of the program's data that are there for tests."""
    start = process.session.probe.symbols["data_pages"]
    return [start + i * PAGE for i in range(4)]


def fork_shares_pages(session: Session) -> None:
    """Heap and data, seen from both sides and from outside."""
    parent = session.begin()
    seed = session.random_seed()
    data = data_pages(parent)
    parent.fill(data[0], 4 * PAGE, seed)
    family = start_family(session, session.chance.randrange(6, 13), parent)
    for process in (family.child, parent):
        process.check(data[0], 4 * PAGE, seed)
        family.check_intact(process)
    check_shared([parent, family.child], data)
    evidence.check_sole_writers(session)


def fork_takes_few_frames(session: Session) -> None:
    """Counts free pages before and after; then forks more children than would fit as copies."""
    parent = session.begin()
    heap, seed = fill_heap(parent, BIG_HEAP)
    make_tables(parent)
    before = free_pages(parent).pages
    child = parent.fork("child")
    taken = before - free_pages(parent).pages
    if taken > FORK_FRAMES_MAX:
        raise too_many_frames(BIG_HEAP, taken)
    child.check(heap, BIG_HEAP * PAGE, seed)
    check_shared([parent, child], range(heap, heap + BIG_HEAP * PAGE, PAGE))
    session.end(child, parent)
    check_many_children(session, parent, before)


def check_many_children(session: Session, parent: Process, free: int) -> None:
    """Forks children that together have twice the memory of the machine, and each reads its own."""
    pages = free // 3
    heap, seed = fill_heap(parent, pages)
    number = min(2 * frames_of(session) // pages, session.slots - OTHER_PROCESSES)
    children: list[Process] = []
    for _ in range(number):
        child = session.try_fork(parent, f"child {len(children) + 1}")
        if child is None:
            raise too_many_frames(pages, (free - pages) // (len(children) + 1))
        children.append(child)
    for child in children:
        child.check(heap, pages * PAGE, seed)
    check_shared([parent, *children], range(heap, heap + pages * PAGE, PAGE))


def too_many_frames(pages: int, taken: int) -> Failure:
    """Returns the failure of a fork that took so many frames, or would have."""
    expected = f"at most {FORK_FRAMES_MAX} frames for a child of {pages} pages"
    return Failure("cost", expected, f"{taken}", process="child", taken=taken)


def reading_copies_nothing(session: Session) -> None:
    """Loads, and write(), for which the kernel loads."""
    parent = session.begin()
    _, writing = parent.pipe()
    family = start_family(session, 6, parent)
    for process in (family.child, parent):
        for va in family.vas:
            offset = session.chance.randrange(PAGE - 8)
            process.load(va + offset, 1)
        sent = process.must(
            "write() of shared memory", WRITE, writing, family.vas[1] + PAGE - 50, 100
        )
        if sent != 100:
            raise Failure("result", "write() to return 100", str(sent), process=process.name)
    check_shared([parent, family.child], family.vas)
    for process in (family.child, parent):
        family.check_intact(process)


def text_pages(session: Session) -> list[int]:
    """Returns the pages of the program's text."""
    text = session.probe.text
    return list(range(text.address, text.address + text.size, PAGE))


def load_pages(process: Process, vas: list[int]) -> None:
    """Loads from each page, so that it is mapped."""
    for va in vas:
        process.load(va, 1)


def text_stays_shared(session: Session) -> None:
    """In some trees text is writable even before a fork; it must then be treated like data."""
    parent = session.begin()
    load_pages(parent, text_pages(session))
    family = start_family(session, 2, parent)
    child = family.child
    load_pages(child, text_pages(session))
    check_shared([parent, child], text_pages(session))
    child.store(family.heap, 1)  # a fault must not change the text
    grandchild = child.fork("grandchild")
    load_pages(grandchild, text_pages(session))
    check_shared([parent, child, grandchild], text_pages(session))


def mark_in_software_bits(session: Session) -> None:
    """Heap, data, text and a page that is both code and data."""
    parent = session.begin()
    data = data_pages(parent)
    parent.fill(data[0], 4 * PAGE, session.random_seed())
    heap, _ = fill_heap(parent, 4)
    code = session.probe.symbols["code_page"]
    parent.store(code + 64, 1)
    load_pages(parent, text_pages(session))
    vas = [heap + i * PAGE for i in range(4)] + data + [code]
    before = evidence.entries(parent, vas + text_pages(session))
    child = parent.fork("child")
    load_pages(child, list(before))
    check_shared([parent, child], vas)
    for process in (parent, child):
        evidence.check_marks(before, process)


def kernel_memory_hidden(session: Session) -> None:
    """Before and after a fork, and after writes by both."""
    parent = session.begin()
    check_hidden(session)
    family = start_family(session, 4, parent)
    check_hidden(session)
    family.child.store(family.vas[1], session.random_seed())
    parent.store(family.vas[2], session.random_seed())
    parent.grow(3)
    check_hidden(session)
    evidence.check_sole_writers(session)


def three_generations(session: Session) -> None:
    """The middle one writes first, then the eldest."""
    grandparent = session.begin()
    family = start_family(session, 5, grandparent)
    parent = family.child
    child = parent.fork("grandchild")
    child.check(family.heap, family.pages * PAGE, family.seed)
    everyone = [grandparent, parent, child]
    check_shared(everyone, family.vas)
    va = session.chance.choice(family.vas[1:-1])  # a page with neighbours
    other, third = session.chance.sample([page for page in family.vas if page != va], 2)
    parent.store(va + 8, session.random_seed())
    check_own(parent, va, [grandparent, child])
    check_shared([grandparent, child], [va])
    check_shared(everyone, [page for page in family.vas if page != va])
    grandparent.store(other, session.random_seed())
    check_own(grandparent, other, [parent, child])
    check_shared([parent, child], [other])
    grandparent.store(va, session.random_seed())
    check_own(grandparent, va, [parent, child])
    Family(parent, child, family.heap, family.pages, family.seed).check_intact(child)
    child.check(family.heap, family.pages * PAGE, family.seed)
    child.store(third, session.random_seed())
    check_own(child, third, [grandparent, parent])
    check_shared([grandparent, parent], [third])
    evidence.check_sole_writers(session)
