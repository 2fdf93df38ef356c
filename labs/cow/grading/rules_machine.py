"""The rules for a machine that did not go on, or a process that did not come back.

Names are what known-wrong solutions say of themselves (`cause` in about.ini).
"""
from __future__ import annotations


from labs.cow.grading.rule import LEAKS, WRITES, Rule, freed_too_early

# What kernels, and students in their own words, say of a count that is too low.
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
EXECUTES = "execute_permission_kept|"  # jumps to a page that can be executed
TOUCH = "store|load|jump|add"
FAULTS = "(?!.*init exiting).+"  # panics, but for that of xv6 when process 1 is killed

MACHINE_RULES: list[Rule] = [
    Rule(
        "alive", "flags-lost",
        "a page that the process had is there without PTE_U, so that it cannot reach it any more: "
        "the copy must keep the old flags, but for PTE_W and the mark.",
        signs={"fault": "hidden"}, simpler=WRITES,
    ),
    Rule(
        "alive", "address-not-rounded",
        "an address was used for its page's without being rounded down (PGROUNDDOWN).",
        r"(?i)panic[^\n]*(?:not aligned|unaligned|misaligned|% ?(?:PAGE_SIZE|PGSIZE|4096) ?==)",
    ),
    Rule(
        "alive", "text-writable",
        "a write to program text was not refused: the page fault must ask first what the region "
        "allows.",
        r"(?i)panic[^\n]*just granted", {"test": "text_.*"},
    ),
    Rule(
        "alive", "cache-written",
        "a page that comes in for a write must be broken at once, in the same fault.",
        r"(?i)panic[^\n]*just granted",
    ),
    Rule(
        "alive", "lock-kept",
        "a lock is taken twice or never given back, on a path that returns early perhaps.", LOCKS,
    ),
    Rule(
        "alive", "freed-too-early",
        "a frame's count was too low before the first process ran: kinit() frees every page once, "
        "so its count must be 1 then; and each page needs a count of its own.",
        "(?i)after: the start" + TOO_LOW.replace("(?i)", r"[\s\S]*"),
    ),
    Rule(
        "alive", "race",
        "under load counts go wrong: they, and the decision to copy, must be changed atomically "
        "or under a lock.",
        TOO_LOW, {"deed": RACE}, (*WRITES, "three_generations", *LEAKS),
    ),
    Rule(
        "alive", "freed-too-early",
        "a frame's count was too low: a reference was not taken, or was dropped too often, by the "
        "error path of a fork that failed perhaps.",
        TOO_LOW, {"deed": "fork_reap"}, LEAKS,
    ),
    Rule(
        "alive", "freed-too-early",
        "a frame's count was too low: a reference was not taken, or was given up too early or "
        "twice, or the count is too narrow for so many.",
        TOO_LOW,
    ),
    Rule(
        "alive", "freed-too-early",
        "a frame's count was too low: a reference was not taken, or was given up too early or "
        "twice.",
        signs={"panic": ".+", "calls": COUNTING, "memory": "free"},
    ),
    Rule(
        "alive", "leaf-left",
        "an entry was left when a page table was freed: a failed fork must unmap what it has "
        "mapped so far.",
        r"(?i)panic[^\n]*freewalk",
    ),
    Rule(
        "alive", "mapped-twice",
        "a page was mapped where one is: put the copy into the entry that there is, or unmap the "
        "old page first; a page that is there needs no new one.",
        r"(?i)panic[^\n]*(?:\bremap\b|assertion failed: !\(pte->bits & PTE_V\))",
    ),
    Rule(
        "alive", "failed-fork-frees",
        "the error path of a fork that failed unmaps pages that the child has not got: only those "
        "before the one at which it failed are the child's.",
        NOT_MAPPED, {"deed": "fork_reap"},
    ),
    Rule(
        "alive", "absent-heap",
        "the kernel panics because a page of the program has no entry: heap that nobody has "
        "touched yet has none, and must be left out.",
        NOT_MAPPED, simpler=("sbrk_shrinks_and_grows",),
    ),
    Rule(
        "alive", "bad-access-panics",
        "walk() panics on addresses at or above MAXVA: check the address before looking for its "
        "entry.",
        r"(?i)panic[^\n]*\bwalk\b",
    ),
    Rule(
        "alive", "copy-out-unchecked",
        "copy-out used an address that nobody has: it must be a user page that is writable or "
        "marked, below the end of the user half.",
        signs={"panic": ".+", "deed": "call .*", "target": "none"},
    ),
    Rule(
        "alive", "no-frame-panics",
        "the kernel panics when there is no frame left: kill the process, or let the system "
        "call fail.",
        signs={"panic": ".+", "memory": "out", "deed": f"{TOUCH}|touch|call .*|fork_\\w+"},
        simpler=WRITES,
    ),
    Rule(
        "alive", "bad-access-panics",
        "the kernel panics because of a program's access to an address that is nobody's, or "
        "that it may not use so: that must kill the program.",
        signs={"panic": FAULTS, "deed": TOUCH, "target": "none"},
    ),
    Rule(
        "alive", "bad-access-panics",
        "the kernel panics because of a jump to a page that cannot be executed: that must kill "
        "the program.",
        signs={"panic": FAULTS, "deed": "jump"},
    ),
    Rule(
        "alive", "sbrk-grants-too-much",
        "sbrk granted memory, and then there was none when it was touched: frames get lost, or a "
        "count that is too high makes the only owner copy.",
        "kind=", {"killed": "memory", "deed": "hoard|touch"}, LEAKS,
    ),
    Rule(
        "alive", "leak",
        "while children came and ended memory ran out: what each of them has got must become free "
        "again, and a break must give the old frame up.",
        "kind=", {"killed": "memory", "deed": "cycle"}, ("sbrk_shrinks_and_grows",),
    ),
    Rule(
        "alive", "no-frame-loses-mark",
        "a break that found no free frame has changed the entry before it failed: its mark is "
        "gone. Allocate first, and change the entry only if that works.",
        "now that there is memory",
    ),
    freed_too_early("alive", "kind=(?:lost|exit|hang)"),
    Rule(
        "alive", "absent-heap",
        "a load from heap that nobody has touched yet killed the process: the page must come at "
        "the first access of either kind.",
        "kind=(?:lost|exit|panic)", {"killed": "load", "deed": "load"},
    ),
    Rule(
        "alive", "absent-heap",
        "a store to heap that nobody has touched yet, or only read, killed the process: the page "
        "must come at the first access of either kind, and stores must work then.",
        "kind=(?:lost|exit|panic)",
        {"killed": "store", "deed": "store", "test": "pages_not_there_yet"}, WRITES,
    ),
    Rule(
        "alive", "mark-missing",
        "a store to a page that fork had shared killed the process: the mark is missing or not "
        "recognised.",
        "kind=(?:lost|exit|panic)", {"killed": "store"}, (*WRITES, "three_generations", *LEAKS),
    ),
    Rule(
        "alive", "flags-lost",
        "the copied page cannot be executed: keep the old flags of the entry.",
        "kind=(?:lost|exit|panic)", {"killed": "jump", "test": EXECUTES},
    ),
    Rule("alive", "", signs={"panic": ".+"}, simpler=(*WRITES, *LEAKS)),
    Rule(
        "alive", "lock-kept", "a deadlock: a lock is taken twice or never given back.",
        signs={"at": SPINNING},
    ),
    Rule(
        "alive", "lock-kept", "a deadlock: a lock is taken twice or never given back.", "kind=hang",
    ),
    Rule(
        "alive", "flags-lost",
        "the copied page cannot be executed, and the jump to it is tried for ever: keep the old "
        "flags of the entry.",
        "kind=limit", {"deed": "jump", "target": "mapped", "test": EXECUTES},
    ),
    Rule(
        "alive", "tried-again",
        "a store to the guard page is taken for copy-on-write, and tried again for ever: a page "
        "without PTE_U, or without the mark, must not be broken, and the process must be killed.",
        "kind=limit", {"fault": "guard", "deed": TOUCH},
    ),
    Rule(
        "alive", "tried-again",
        "the faulting instruction is run again for ever: a fault that is not repaired must kill "
        "the process.",
        "kind=limit", {"deed": TOUCH},
    ),
    Rule(
        "alive", "tried-again",
        "a system call tries for ever to store where it cannot: copy-out must fail then.",
        "kind=limit", {"deed": "call .*", "target": "none"},
    ),
    Rule(
        "alive", "machine-ended",
        "the machine was reset or switched off: a fault in the kernel's trap handler, or "
        "process 1 was killed.",
        "kind=exit", simpler=WRITES,
    ),
    Rule("alive", "", simpler=(*WRITES, "pipes_and_files", "three_generations", *LEAKS)),
]
