"""Signs of what went wrong, read from memory, steps and console once a test has failed.

A sign is a word for a question; where nothing is known there is none. Signs tell apart faults that
a test sees in the same way, and never decide about points.
"""
from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence

from grader import console as consoles
from grader import sv39
from grader.run import Failure
from labs.cow.grading.freelist import FreeList, read_free_list
from labs.cow.grading.probe import STACK_PAGES
from labs.cow.grading.process import PAGE, USER_END, WORD, Process, page_of
from labs.cow.grading.session import Session
from labs.cow.grading.steps import (
    deed_of, fork_has_failed, last_hoard, last_step, most_children, wrote_since_fork,
)

RESERVE = 24  # free frames that count as none: a kernel may keep some
TABLES_MIN = 8  # frames that may stay with a process that gave all its heap back
COVERED = 512  # pages that a table covers
ENTRIES_MAX = 4096
FREED_FILL, FRESH_FILL = 1, 5  # bytes with which xv6 fills pages that it frees and hands out
FILLED_MIN = PAGE - 64  # so many bytes of a page are its filling; a link, a few words are not
SPECIAL_PAGES = USER_END - (2 << 20)  # from here on xv6 has its own pages without PTE_U
FAULT_ADDRESS = re.compile(r"page fault at address (0x[0-9a-f]+)")
FUNCTION = re.compile(r", in (\w+)")
PANIC_FUNCTIONS = re.compile(r"\w*panic\w*|stop|kerneltrap|report_kernel_fault|trap_from_kernel")
KILLS = (  # how kernels say that a fault killed a process: cow6, xv6 by the cause's number
    re.compile(r"\(pid \d+\): killed at [^\n]*?: (store|load|jump)"),
    re.compile(r"unexpected scause (?:0x)?0*([0-9a-f]+)\b"),
)
NO_MEMORY = re.compile(r"out of memory|no (?:free )?(?:frame|memory|page)")
ACCESSES = {
    "f": "store", "7": "store", "d": "load", "5": "load", "c": "jump", "1": "jump", "2": "jump",
}
READ_LOAD = r".*read_load\(\w+, (\w+), \w+\) -> (-?\d+)"


def read_signs(session: Session, failure: Failure, where: str) -> dict[str, str]:
    """Returns the signs that there are; of a memory that makes no sense there are few."""
    variables, memory = session.built.layout.variables, session.machine.memory
    free = read_free_list(variables, memory, session.is_cow6)
    living = [process for process in session.processes if is_alive(process, free)]
    entries = {process.name: user_entries(process) for process in living}
    console = session.machine.console()
    doing = str(failure.facts.get("doing") or last_step(session.lines))
    who, deed, addresses = deed_of(doing)
    signs = {
        "panic": consoles.panic_text(console), "calls": " ".join(panic_functions(where)),
        "at": " ".join(FUNCTION.findall(where.partition("\n")[0])[:1]),
        "killed": last_kill(console), "deed": deed,
        "target": target_of(entries.get(who), addresses),
        "wrote": "yes" if wrote_since_fork(session.lines) else "no",
        "sharers": str(most_children(session.lines)),
        "failed_fork": "yes" if fork_has_failed(session.lines) else "no",
        "fault": fault_sign(living, where),
        **memory_signs(session, free, entries), **table_signs(session, living),
        **page_signs(session, failure, entries), **place_signs(session, failure),
    }
    signs["mark"] = "differs" if marks_differ(list(entries.values())) else "same"
    signs["freed"] = freed_sign(session, living, entries, signs, free)
    return signs


# ---- Memory ----


def memory_signs(
    session: Session, free: FreeList | None, entries: dict[str, list[sv39.Entry]]
) -> dict[str, str]:
    """Tells whether memory is out, whether frames are lost, whether one is free twice."""
    pages, held = last_hoard(session.lines)
    if free is None:
        return {"memory": "out"} if held else {}
    lost = ""
    if pages and not held:
        is_short = pages - len(free.frames) > pages // COVERED + TABLES_MIN
        lost = "yes" if is_short else "no"
    out = "out" if len(free.frames) <= RESERVE else "free"
    used = {entry.pa for found in entries.values() for entry in found}
    if out == "out" and not held and 2 * len(used) < session.machine.memory.size // PAGE:
        lost = "yes"
    return {"memory": out, "lost": lost, "circle": "yes" if free.is_circular else "no"}


# ---- Tables ----


def is_alive(process: Process, free: FreeList | None) -> bool:
    """Tells whether a process may still have its page table: it may have been killed unseen."""
    root = sv39.root(process.satp)
    return root is not None and (free is None or root not in free.frames)


def user_entries(process: Process) -> list[sv39.Entry]:
    """Returns the entries of a process that user mode has, of whatever size; not too many."""
    found = sv39.leaves(process.session.machine.memory, process.satp, USER_END)
    return [entry for entry in itertools.islice(found, ENTRIES_MAX) if entry.u]


def table_signs(session: Session, living: Sequence[Process]) -> dict[str, str]:
    """Tells whether entries use reserved bits, map more than a page, address 0 or one's own
    tables."""
    memory = session.machine.memory
    reserved = superpage = nothing = False
    own_tables = bool(living)
    for process in living:
        entries = user_entries(process)
        tables = list(sv39.tables(memory, process.satp))[:COVERED]
        superpage = superpage or any(entry.level > 0 for entry in entries)
        nothing = nothing or any(entry.pa == 0 for entry in entries)
        own_tables = own_tables and any(entry.pa in tables for entry in entries)
        for table in tables:
            words = sv39.read_table(memory, table)
            reserved = reserved or any(bits & 1 and bits & sv39.RESERVED for bits in words)
    found = {"superpage": superpage, "nothing": nothing, "tables": own_tables}
    return {
        "reserved": "yes" if reserved else "no",
        "reaches": next((word for word, is_found in found.items() if is_found), "no"),
    }


def marks_differ(spaces: Sequence[list[sv39.Entry]]) -> bool:
    """Tells whether a page that two share, both read-only, has a mark in one's entry alone."""
    marked: dict[tuple[int, int], bool] = {}
    for space in spaces:
        for entry in space:
            if not entry.w:
                place, has_mark = (entry.va, entry.pa), entry.rsw != 0
                if marked.setdefault(place, has_mark) != has_mark:
                    return True
    return False


def page_signs(
    session: Session, failure: Failure, entries: dict[str, list[sv39.Entry]]
) -> dict[str, str]:
    """What the page of the failure is to its process, and whether others have its frame."""
    own = entry_at(entries.get(failure.process, []), failure.page)
    if failure.page is None or failure.process not in entries:
        return {}
    if own is None:
        return {"entry": "none"}
    others = [found for name, found in entries.items() if name != failure.process]
    here = [entry_at(found, failure.page) for found in others]
    apart = "no" if any(entry is not None and entry.pa == own.pa for entry in here) else "yes"
    tables = table_frames(session)
    kind = "table" if own.pa in tables else "writable" if own.w else "read-only"
    users = [entry for found in entries.values() for entry in found if entry.pa == own.pa]
    return {
        "entry": kind, "apart": apart, "bytes": fill_of(session, own.pa),
        "twice": "addresses" if len({entry.va for entry in users}) > 1 else "page",
        "marked": "read-only" if any(e and e.rsw and not e.w for e in here) else "no",
    }


def fault_sign(living: Sequence[Process], where: str) -> str:
    """Tells whether a page that a hart faulted at last is a program's that has no PTE_U."""
    for address in [int(text, 0) for text in FAULT_ADDRESS.findall(where)]:
        for process in living if address < SPECIAL_PAGES else ():
            entry = sv39.lookup(process.session.machine.memory, process.satp, address)
            if entry is not None and not entry.u:
                return "guard" if page_of(address) == guard_page(process) else "hidden"
    return ""


def guard_page(process: Process) -> int:
    """Returns the first page below the stack's that user mode does not have."""
    memory, va = process.session.machine.memory, page_of(process.stack_pointer) - PAGE
    below = itertools.takewhile(
        lambda page: getattr(sv39.lookup(memory, process.satp, page), "u", False),
        range(va, max(va - STACK_PAGES * PAGE, 0), -PAGE),
    )
    return va - PAGE * len(list(below))


def place_signs(session: Session, failure: Failure) -> dict[str, str]:
    """Tells whether the page is a stack's, and whether a load was right about memory."""
    process = next((known for known in session.processes if known.name == failure.process), None)
    if process is None or failure.page is None:
        return {}
    away = abs(failure.page - page_of(process.stack_pointer)) // PAGE
    signs = {"place": "stack" if away < STACK_PAGES else "other"}
    match = re.match(READ_LOAD, session.lines[-1]) if session.lines else None
    if match is not None:
        value = int(match.group(2)) % WORD
        is_there = process.read(int(match.group(1), 0), 8) == value.to_bytes(8, "little")
        signs["loaded"] = "memory" if is_there else "stale"
    return signs


def table_frames(session: Session) -> set[int]:
    """Returns the frames of all page tables."""
    memory = session.machine.memory
    return {table for process in session.processes for table in sv39.tables(memory, process.satp)}


def freed_sign(
    session: Session, living: Sequence[Process], entries: dict[str, list[sv39.Entry]],
    signs: dict[str, str], free: FreeList | None,
) -> str:
    """How it shows that a frame was freed while a process still maps it; "no" if it does not."""
    mapped = {entry.pa for found in entries.values() for entry in found}
    if free is not None and mapped & free.frames:
        return "free"
    if signs.get("twice") == "addresses":
        return "given"
    if signs.get("entry") == "table":
        return "table"
    if signs.get("bytes") == "free":
        return "filled"
    names = Counter(name for table in leaf_tables(session, living) for name in table)
    counts = {frame: free.counts.get(frame, 0) for frame in names} if free and free.counts else {}
    shared = [frame for frame in counts if names[frame] > 1]
    is_counted = any(counts[frame] > 1 for frame in shared)
    return "counted" if is_counted and any(counts[f] < names[f] for f in shared) else "no"


def leaf_tables(session: Session, living: Sequence[Process]) -> list[list[int]]:
    """Returns the frames that user mode has, by the table that names them; each table once."""
    memory = session.machine.memory
    tables = {table for process in living for table in sv39.tables(memory, process.satp)}
    return [
        [sv39.target(bits) for bits in sv39.read_table(memory, table)
         if bits & sv39.U and sv39.is_leaf(bits, 0)]
        for table in tables
    ]


def entry_at(entries: Sequence[sv39.Entry], va: int | None) -> sv39.Entry | None:
    """Returns the entry of an address."""
    if va is None:
        return None
    return next((entry for entry in entries if entry.va <= va < entry.va + entry.size), None)


def fill_of(session: Session, frame: int) -> str:
    """Tells a page of zeroes, and one that is filled as after it was freed, or handed out."""
    try:
        data = session.machine.memory.read(frame, PAGE)
    except ValueError:
        return ""
    if not any(data):
        return "zero"
    if data.count(FREED_FILL) >= FILLED_MIN:
        return "free"
    return "fresh" if data.count(FRESH_FILL) >= FILLED_MIN else "other"


def target_of(entries: list[sv39.Entry] | None, addresses: Sequence[int]) -> str:
    """Tells whether all addresses that a deed concerned are mapped for user mode."""
    if entries is None or not addresses:
        return ""
    found = [entry_at(entries, address) for address in addresses]
    return "none" if None in found else "mapped"


# ---- Console ----


def panic_functions(where: str) -> list[str]:
    """Returns the functions that a panic came through, the innermost first."""
    lines = where.split("\n")
    for i, line in enumerate(lines):
        if line.startswith("hart ") and re.search(r"panic", "\n".join(lines[i:i + 4])):
            found = FUNCTION.findall("\n".join(lines[i:]).partition("\nhart ")[0])
            return [name for name in found if not PANIC_FUNCTIONS.fullmatch(name)]
    return []


def last_kill(console: str) -> str:
    """Returns why a process was last killed: a store, a load, a jump, or no memory."""
    for line in reversed(consoles.own_lines(console)):
        for pattern in KILLS:
            match = pattern.search(line[:consoles.LINE_MAX])
            if match:
                if NO_MEMORY.search(line):
                    return "memory"
                return ACCESSES.get(match.group(1), match.group(1))
    return ""
