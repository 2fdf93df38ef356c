"""The rules for a machine that stopped running, or a process that did not come back.

A rule's name is what known-wrong solutions declare as their `cause` in about.ini.
"""
from __future__ import annotations

from labs.cow.grading.rule import (
    BREAK_LOSES_MARK, DEADLOCK, LEAKS, WRITES, Rule, freed_too_early,
)

# What kernels, and students in their own words, print when a count is too low.
TOO_LOW = (
    r"(?i)panic(?![^\n]*(?:\bno (?:free|more)\b|out of|not enough|free.?(?:count|pages|frames)))"
    r"[^\n]*(?:reference (?:dropped|taken)"
    r"|\b(?:double|twice|already|still)\b[^\n]*\b(?:free|put|got)"
    r"|\b(?:put|get|drop|take|free|dec|inc)\w*[^\n]*\b(?:free|unused|unallocated)\b"
    r"|(?:ref|count|cnt)\w*[^\n]*(?:zero|\b0\b|[<=]|negative|underflow|too low)|\bkfree\b)"
)
COUNTING = r"\w*(?:put|drop|dec|unref|deref|kfree|frame_get|incref)\w*(?: .*)?"  # the innermost
NOT_MAPPED = r"(?i)panic[^\n]*\buvm(?:copy|unmap)\b[^\n]*(?:exist|present|not mapped|walk)"
LOCKS = r"(?i)panic[^\n]*\b(?:sched locks|acquire|release|lock order|ranks?_held|holding)\b"
SPINNING = r"\w*(?:acquire|spin_lock|spinlock|lock_acquire)\w*"
RACE = "race_.*"
RACE_BREAKS = (
    "the kernel breaks only when several harts are busy: what two of them change at the same time "
    "(counts, entries, the free list) must be changed atomically or under a lock, and looked at in "
    "the same step."
)
EXECUTES = "execute_permission_kept|"  # jumps to a page that can be executed
TOUCH = "store|load|jump|add"
FAULTS = "(?!.*init exiting).+"  # panics, but for that of xv6 when process 1 is killed

MACHINE_RULES: list[Rule] = [
    Rule(
        "alive", "flags-lost",
        "a page of the process has lost PTE_U, so the process can no longer access it: the copy "
        "must keep the flags of the old entry, except PTE_W and the copy-on-write bit.",
        signs={"fault": "hidden"}, simpler=WRITES,
    ),
    Rule(
        "alive", "address-not-rounded",
        "an address was used as the address of its page: round it down first (PGROUNDDOWN).",
        r"(?i)panic[^\n]*(?:not aligned|unaligned|misaligned|% ?(?:PAGE_SIZE|PGSIZE|4096) ?==)",
    ),
    Rule(
        "alive", "text-writable",
        "a write to program text was not refused: the page fault must first check what the region "
        "allows.",
        r"(?i)panic[^\n]*just granted", {"test": "text_.*"},
    ),
    Rule(
        "alive", "cache-written",
        "a page that is mapped because of a write must also have its sharing broken in the same "
        "fault.",
        r"(?i)panic[^\n]*just granted",
    ),
    Rule(
        "alive", "lock-kept",
        "a lock was taken twice or never released, perhaps on a path that returns early.", LOCKS,
    ),
    Rule(
        "alive", "freed-too-early",
        "a reference count was too low before the first process ran: kinit() frees every page "
        "once, so each page needs a count of its own, which must be 1 by then.",
        "(?i)after: the start" + TOO_LOW.replace("(?i)", r"[\s\S]*"),
    ),
    Rule(
        "alive", "race",
        "reference counts go wrong when several harts change them at the same time: change the "
        "count and decide whether to copy in one atomic step, or under a lock.",
        TOO_LOW, {"deed": RACE}, (*WRITES, "three_generations", *LEAKS),
    ),
    Rule(
        "alive", "freed-too-early",
        "a reference count was too low: a reference was not taken, or was dropped too often, "
        "perhaps by the error path of a fork that failed.",
        TOO_LOW, {"deed": "fork_reap"}, LEAKS,
    ),
    Rule(
        "alive", "freed-too-early",
        "a reference count was too low: a reference was not taken, or was dropped too early or "
        "twice, or the count has too few bits for so many references.",
        TOO_LOW,
    ),
    Rule(
        "alive", "freed-too-early",
        "a reference count was too low: a reference was not taken, or was dropped too early or "
        "twice.",
        signs={"panic": ".+", "calls": COUNTING, "memory": "free"},
    ),
    Rule(
        "alive", "leaf-left",
        "a page table was freed that still had an entry: a fork that fails must unmap what it has "
        "mapped so far.",
        r"(?i)panic[^\n]*freewalk",
    ),
    Rule(
        "alive", "mapped-twice",
        "a page was mapped where there is one already: put the copy into the existing entry, or "
        "unmap the old page first.",
        r"(?i)panic[^\n]*(?:\bremap\b|assertion failed: !\(pte->bits & PTE_V\))",
    ),
    Rule(
        "alive", "failed-fork-frees",
        "the error path of a fork that failed unmaps pages that the child never had: the child has "
        "only the pages before the one at which fork failed.",
        NOT_MAPPED, {"deed": "fork_reap"},
    ),
    Rule(
        "alive", "absent-heap",
        "the kernel panicked because a page of the program has no entry: heap that has not been "
        "touched yet has none, so skip it.",
        NOT_MAPPED, simpler=("sbrk_shrinks_and_grows",),
    ),
    Rule(
        "alive", "bad-access-panics",
        "walk() panics on addresses at or above MAXVA: check the address before you look up its "
        "entry.",
        r"(?i)panic[^\n]*\bwalk\b",
    ),
    Rule(
        "alive", "copy-out-unchecked",
        "copy-out used an address that the process does not have: accept only user pages, "
        "writable or copy-on-write, below the end of the user half.",
        signs={"panic": ".+", "deed": "call .*", "target": "none"},
    ),
    Rule(
        "alive", "no-frame-panics",
        "the kernel panicked because it was out of memory: kill the process instead, or let the "
        "system call fail.",
        signs={"panic": ".+", "memory": "out", "deed": f"{TOUCH}|touch|call .*|fork_\\w+"},
        simpler=WRITES,
    ),
    Rule(
        "alive", "bad-access-panics",
        "the kernel panicked because a program accessed an address that it does not have, or in a "
        "way that is not allowed: such an access must kill the program.",
        signs={"panic": FAULTS, "deed": TOUCH, "target": "none"},
    ),
    Rule(
        "alive", "bad-access-panics",
        "the kernel panicked because a program jumped to a page that is not executable: that must "
        "kill the program.",
        signs={"panic": FAULTS, "deed": "jump"},
    ),
    Rule(
        "alive", "sbrk-grants-too-much",
        "sbrk granted memory that was not there when it was touched: frames were lost, or a count "
        "that is too high made the last owner copy.",
        "kind=", {"killed": "memory", "deed": "hoard|touch"}, LEAKS,
    ),
    Rule(
        "alive", "leak",
        "memory ran out while children were forked and exited again: everything that a child had "
        "must be freed, and a break must drop the reference to the old frame.",
        "kind=", {"killed": "memory", "deed": "cycle"}, ("sbrk_shrinks_and_grows",),
    ),
    Rule(
        "alive", "no-frame-loses-mark",
        BREAK_LOSES_MARK,
        "now that there is memory",
    ),
    freed_too_early("alive", "kind=(?:lost|exit|hang)"),
    Rule(
        "alive", "absent-heap",
        "a load from heap that had not been touched yet killed the process: the first access, load "
        "or store, must allocate the page.",
        "kind=(?:lost|exit|panic)", {"killed": "load", "deed": "load"},
    ),
    Rule(
        "alive", "absent-heap",
        "a store to heap that had only been read, or not been touched yet, killed the process: the "
        "first access, load or store, must allocate the page, and stores must then succeed.",
        "kind=(?:lost|exit|panic)",
        {"killed": "store", "deed": "store", "test": "pages_not_there_yet"}, WRITES,
    ),
    Rule(
        "alive", "mark-missing",
        "a store to a page that fork had shared killed the process: the copy-on-write bit is not "
        "set, or the page fault does not check it.",
        "kind=(?:lost|exit|panic)", {"killed": "store"}, (*WRITES, "three_generations", *LEAKS),
    ),
    Rule(
        "alive", "flags-lost",
        "the copied page is not executable: keep the flags of the old entry.",
        "kind=(?:lost|exit|panic)", {"killed": "jump", "test": EXECUTES},
    ),
    Rule(
        "alive", "race", RACE_BREAKS, signs={"panic": ".+", "deed": RACE},
        simpler=(*WRITES, "three_generations", *LEAKS),
    ),
    Rule("alive", "", signs={"panic": ".+"}, simpler=(*WRITES, *LEAKS)),
    Rule("alive", "lock-kept", DEADLOCK, signs={"at": SPINNING}),
    Rule("alive", "lock-kept", DEADLOCK, "kind=hang"),
    Rule(
        "alive", "flags-lost",
        "the copied page is not executable, and the jump to it faults forever: keep the flags of "
        "the old entry.",
        "kind=limit", {"deed": "jump", "target": "mapped", "test": EXECUTES},
    ),
    Rule(
        "alive", "tried-again",
        "a store to the guard page is taken for copy-on-write, and faults forever: a page without "
        "PTE_U, or without the copy-on-write bit, must not be broken; kill the process.",
        "kind=limit", {"fault": "guard", "deed": TOUCH},
    ),
    Rule(
        "alive", "tried-again",
        "the same instruction faults forever: a fault that cannot be repaired must kill the "
        "process.",
        "kind=limit", {"deed": TOUCH},
    ),
    Rule(
        "alive", "tried-again",
        "a system call tries forever to store where it may not: copy-out must return an error.",
        "kind=limit", {"deed": "call .*", "target": "none"},
    ),
    Rule(
        "alive", "machine-ended",
        "the machine was reset or switched off: the kernel's trap handler faulted, or process 1 "
        "was killed.",
        "kind=exit", simpler=WRITES,
    ),
    Rule(
        "alive", "race", RACE_BREAKS, signs={"deed": RACE},
        simpler=(*WRITES, "three_generations", *LEAKS),
    ),
    Rule("alive", "", simpler=(*WRITES, "pipes_and_files", "three_generations", *LEAKS)),
]
