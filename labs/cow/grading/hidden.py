"""What user mode must not reach: page tables, the kernel's memory, what is not the process's own."""
from __future__ import annotations

import struct
from typing import Set

from grader import sv39
from labs.cow.grading.evidence import fail
from labs.cow.grading.process import PAGE, USER_END, Process, page_of
from labs.cow.grading.session import Session

PAGES_AT_THE_TOP = 16  # of the user half, where some kernels put a page that tells the pid


def kernel_image(session: Session) -> range:
    """Returns the physical addresses of the kernel's program and variables, whole pages."""
    elf = session.built.kernel.read_bytes()
    offset, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    headers = (struct.unpack_from("<IIQQQQQQ", elf, offset + i * size) for i in range(count))
    loaded = [
        (physical, physical + memory)
        for kind, _, _, _, physical, _, memory, _ in headers if kind == 1 and memory
    ]
    start, end = min(start for start, _ in loaded), max(end for _, end in loaded)
    return range(page_of(start), page_of(end + PAGE - 1))


def check_hidden(session: Session) -> None:
    """Entries for user mode lead to memory of the process: no table, nothing of the kernel's.

    A kernel puts tables and its own data outside its ELF file, too; what no system call has given
    to the process is not the process's. All of it lies below the end of the heap.
    """
    memory, kernel = session.machine.memory, kernel_image(session)
    tables: Set[int] = set()
    for process in session.processes:
        tables.update(sv39.tables(memory, process.satp))
    for process in list(session.processes):
        if process.heap_end is None:
            process.grow(0)
        end = process.heap_end or 0
        for va, entry in process.leaves().items():
            what = ""
            if entry.pa in tables:
                what = "a page table"
            elif entry.pa in kernel:
                what = "the kernel's program or variables"
            elif va >= end and not is_message(process, entry):
                what = "memory behind the end of the heap, which the process was never given"
            if what:
                expected = "an entry that leads to a page of the process"
                raise fail("hidden", expected, f"{entry.pa:#x}: {what}", process, va)


def is_message(process: Process, entry: sv39.Entry) -> bool:
    """Says whether this is the page at the top through which a kernel may tell a process its pid.

    It is read-only, nobody else has it, and it is all zero but for its beginning.
    """
    others = (other for other in process.session.processes if other is not process)
    return (
        entry.va >= USER_END - PAGES_AT_THE_TOP * PAGE and not entry.w and not entry.x
        and not any(process.session.frame_bytes(entry.pa)[64:])
        and all(found.pa != entry.pa for other in others for found in other.leaves().values())
    )
