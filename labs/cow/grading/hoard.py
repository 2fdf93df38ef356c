"""All memory there is: counting it, taking it, giving it back.

On most trees a process grows until sbrk fails. On trees whose sbrk never fails, because pages are
allocated at the first touch and none are reserved, a process that touches one page too many is
killed. There a child, the scout, finds out how many pages there are, and another child, the holder,
takes as many: forks of the same process need the same number of pages.
"""
from __future__ import annotations

from dataclasses import dataclass

from grader.guest_memory import RAM_BASE
from grader.run import Failure
from labs.cow.grading.hidden import kernel_image
from labs.cow.grading.process import EAGERLY, MEMSTAT, PAGE, SBRK, Death, Process
from labs.cow.grading.session import Session

PAGES_AHEAD = 128
PAGES_OF_TABLE = 512  # that a leaf table maps
MORE_THAN_HIDDEN = 32  # more rounds than there are frames out of sight
STEP = 64  # pages that a scout touches at once until the number is known roughly


@dataclass
class Hoard:
    """All pages, in the heap of their owner or of a child that holds them for it.

    A child shares those with its owner that the owner has touched `ahead`.
    """

    owner: Process
    holder: Process
    pages: int
    ahead: int = 0

    def give_back(self, pages: int) -> None:
        """Gives back some."""
        self.holder.grow(-pages)
        self.pages -= pages

    def take_back(self, pages: int) -> None:
        """Takes some that are free."""
        self.holder.do("OP_TOUCH", self.holder.grow(pages), pages)
        self.pages += pages

    def give_back_all(self) -> None:
        """Gives back the rest. The holder, if it is a child, exits, and the owner waits for it and
        for children that exited before."""
        if self.holder is self.owner:
            self.give_back(self.pages)
            return
        self.holder.exit()
        while self.owner.wait().value not in (self.holder.pid, -1):
            continue
        if self.ahead:
            self.owner.grow(-self.ahead)


def sbrk_fails(process: Process) -> bool:
    """Tells whether sbrk fails when it is asked for more than there is."""
    _, most = _step_and_most(process)
    if process.call(SBRK, (most + 1) * PAGE, EAGERLY) < 0:
        return True
    process.grow(-(most + 1))
    return False


def holder_for(process: Process) -> Process:
    """Returns the process that can hold all memory: this one, or a child of it if sbrk never
    fails."""
    return process if sbrk_fails(process) else process.fork("holder")


def take_all(owner: Process, holder: Process | None = None, ahead: int = 0) -> Hoard:
    """Takes all pages there are, except that a holder which was forked before leaves as many as a
    fork takes. The owner touches those `ahead` first."""
    pages = owner.do("OP_HOARD", *_step_and_most(owner), 1, ahead).value
    if pages >= 0:
        hoard = Hoard(owner, owner, pages)
    else:
        if ahead:
            owner.do("OP_TOUCH", owner.grow(ahead), ahead)
        pages = _count_by_scout(owner)
        holder = holder or owner.fork("holder")
        holder.do("OP_TOUCH", holder.grow(pages), pages)
        hoard = Hoard(owner, holder, ahead + pages, ahead)
    check_touched(hoard)
    return hoard


def check_touched(hoard: Hoard) -> None:
    """Each page has a frame of its own, with the word that was stored."""
    holder, pages = hoard.holder, hoard.pages
    usable = memory_for_processes(holder.session)
    end, memory = holder.grow(0), holder.session.machine.memory
    leaves = holder.leaves()
    seen: set[int] = set()
    offset = end % PAGE
    for va in range(end - pages * PAGE, end, PAGE):
        entry = leaves.get(va - offset)
        if (
            entry is None or entry.pa in seen
            or memory.read(entry.pa + offset, 8) != va.to_bytes(8, "little")
        ):
            expected = (
                f"each of {pages} pages that sbrk granted to have a frame of its own once it is "
                "touched"
            )
            what = f"page {len(seen) + 1} has no frame of its own"
            raise Failure("free_pages", expected, what, page=va, process=holder.name)
        if entry.pa not in usable:
            expected = f"frames between {usable.start:#x} and {usable.stop:#x} for processes"
            what = f"{entry.pa:#x}, which is outside the allocator's memory"
            raise Failure("free_pages", expected, what, page=va, process=holder.name)
        seen.add(entry.pa)


def memory_for_processes(session: Session) -> range:
    """Returns where frames can be: after the kernel's image, up to the end of its memory.

    Frames from elsewhere could replace any number of lost ones.
    """
    return range(kernel_image(session).stop, RAM_BASE + frames_of(session) * PAGE)


def frames_hidden(session: Session) -> int:
    """Returns how many frames the last count did not see: they hold the kernel's tables, stacks and
    buffers.

    A kernel could make up for so many lost frames, so a test must break and free more of them than
    that. The last count decides, because a kernel may keep frames back from then on.
    """
    frames = len(memory_for_processes(session)) // PAGE
    hidden = frames - session.notes.allocatable
    if hidden > frames // 2:
        expected = "processes to get at least half of the memory after the kernel's image"
        raise Failure("free_pages", expected, f"the kernel keeps {hidden} frames")
    return max(0, hidden)


def rounds_to_exhaust(session: Session) -> int:
    """Returns how often to repeat something until a kernel that loses a frame each time has none
    left to make up for it."""
    return frames_hidden(session) + MORE_THAN_HIDDEN


def frames_of(session: Session) -> int:
    """Returns how many frames of RAM the kernel can use."""
    built = session.built
    end = built.traits.memory_end
    return (end - RAM_BASE if end else built.memory) // PAGE


@dataclass(frozen=True)
class Count:
    """How many pages a process can allocate, how many are free according to the kernel (0 if it
    does not tell), and the frames of all processes while one of them had all pages."""

    pages: int
    told: int
    frames: set[int]


def free_pages(process: Process) -> Count:
    """Counts the free pages.

    The process first touches some, which get the frames that were freed last: otherwise those would
    become page tables for all the other pages.
    """
    hoard = take_all(process, ahead=PAGES_AHEAD)
    pages = process.session.notes.allocatable = hoard.pages
    frames = {
        entry.pa for owner in {*process.session.processes, hoard.holder}
        for entry in owner.leaves().values()
    }
    hoard.give_back_all()
    if not process.session.is_cow6:
        return Count(pages, 0, frames)
    process.must("memstat()", MEMSTAT, process.scratch - 512, 0)
    told = int.from_bytes(process.read(process.scratch - 512 + 8, 8), "little")
    return Count(pages, told, frames)


def make_tables(process: Process) -> None:
    """Has the process get the page tables for all pages there are: these stay, and would be missed
    in a later count."""
    pages = process.do("OP_HOARD", *_step_and_most(process), PAGES_OF_TABLE, 0).value
    if pages < 0:
        free_pages(process)
    else:
        process.grow(-pages)


def _step_and_most(process: Process) -> tuple[int, int]:
    most = frames_of(process.session)
    return 1 << max(0, (most // 8).bit_length() - 1), most


def _count_by_scout(parent: Process) -> int:
    """Returns how many pages a child of the process can touch; the last number is a good guess."""
    notes = parent.session.notes
    pages = 0
    if notes.touchable:
        pages = _scout(parent, max(0, notes.touchable - STEP // 4), 1)
    notes.touchable = pages or _scout(parent, _scout(parent, 0, STEP), 1)
    return notes.touchable


def _scout(parent: Process, start: int, step: int) -> int:
    """Has a child touch `start` pages, then `step` more at a time; returns how many it had before
    the step that killed it."""
    session = parent.session
    scout = parent.fork("scout")
    _, most = _step_and_most(parent)
    heap, pages = scout.grow(most), 0
    while pages < most:
        more = start or step if pages == 0 else step
        if isinstance(session.attempt(scout, parent, "OP_TOUCH", heap + pages * PAGE, more), Death):
            return pages
        pages += more
    raise Failure(
        "killed", f"a child that touches more than {most} pages to be killed", "it lives",
        process="scout"
    )
