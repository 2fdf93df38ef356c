"""What user mode must not access: page tables, the kernel, memory that it was never given."""
from __future__ import annotations

from grader import sv39
from labs.cow.grading.evidence import fail
from labs.cow.grading.probe import STACK_PAGES
from labs.cow.grading.process import PAGE, USER_END, Process, page_of
from labs.cow.grading.session import Session

# At the top of the user half, where some kernels put a page that tells the pid.
PAGES_AT_THE_TOP = 16


def kernel_image(session: Session) -> range:
    """Returns the physical addresses of the kernel's program and variables, whole pages."""
    image = session.built.layout.image
    return range(page_of(image.start), page_of(image.stop + PAGE - 1))


def check_hidden(session: Session) -> None:
    """Checks that entries for user mode point to memory of the process.

    A kernel has tables and data outside its ELF image, too. So anything but the program, its stack
    and its heap counts as memory that the process was never given.
    """
    memory, kernel = session.machine.memory, kernel_image(session)
    tables: set[int] = set()
    for process in session.processes:
        tables.update(sv39.tables(memory, process.satp))
    for process in list(session.processes):
        if process.heap_end is None:
            process.grow(0)
        end = process.heap_end or 0
        check_upper_half(process)
        for va, entry in process.leaves().items():
            what = ""
            if entry.pa in tables:
                what = "a page table"
            elif entry.pa in kernel:
                what = "the kernel's program or variables"
            elif va >= end and not is_message(process, entry):
                what = "memory past the end of the heap, which the process was never given"
            elif not is_owned(process, entry):
                what = "memory between the parts of the program, which it was never given"
            if what:
                expected = "an entry that points to a page of the process"
                raise fail("hidden", expected, f"{entry.pa:#x}: {what}", process, va)


def check_upper_half(process: Process) -> None:
    """Checks that nothing above the user half is for user mode."""
    for entry in sv39.leaves(process.session.machine.memory, process.satp, 1 << 64):
        if entry.va >= USER_END and entry.u:
            expected = "no entry for user mode above the user half"
            seen = f"{entry.size >> 10} KiB at {entry.pa:#x}"
            raise fail("hidden", expected, seen, process, entry.va)


def is_owned(process: Process, entry: sv39.Entry) -> bool:
    """Tells whether an address below the end of the heap belongs to the program, its stack or its
    heap.

    The stack ends where the heap begins. On cow6 it has a known number of pages; elsewhere it is
    the run of pages below the heap that can be written to.
    """
    start = page_of((process.heap_start or 0) + PAGE - 1)
    segments = process.session.probe.segments
    if entry.va >= start or any(
        page_of(segment.address) <= entry.va < segment.address + segment.size
        for segment in segments
    ):
        return True
    if process.session.is_cow6:
        return entry.va >= start - STACK_PAGES * PAGE
    stack = (process.find(va) for va in range(entry.va, start, PAGE))
    return all(found is not None and (found.w or found.rsw) for found in stack)


def is_message(process: Process, entry: sv39.Entry) -> bool:
    """Tells whether this is the page at the top in which a kernel may tell a process its pid.

    It is read-only, no other process has it, and it is zero except at its beginning.
    """
    others = (other for other in process.session.processes if other is not process)
    return (
        entry.va >= USER_END - PAGES_AT_THE_TOP * PAGE and not entry.w and not entry.x
        and not any(process.session.frame_bytes(entry.pa)[64:])
        and all(found.pa != entry.pa for other in others for found in other.leaves().values())
    )
