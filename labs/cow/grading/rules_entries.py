"""The rules for what was seen of entries: marks, permissions, what user mode reaches.

Names are what known-wrong solutions say of themselves (`cause` in about.ini).
"""
from __future__ import annotations


from labs.cow.grading.rule import (
    FREED, LEAKS, READS, WRITES, Rule, count_too_low, freed_too_early,
)

ENTRY_RULES: list[Rule] = [
    Rule(
        "marks", "mark-not-in-software-bits",
        "the global bit (5) is used as the mark: real machines keep such translations across "
        "address spaces. Use bit 8 or 9.",
        r"bits=\[5\]",
    ),
    Rule(
        "marks", "mark-not-in-software-bits",
        "a bit of the reserved top of the entry is used as the mark: use bit 8 or 9.",
        r"bits=\[(5[4-9]|6\d)",
    ),
    Rule(
        "marks", "mark-not-in-software-bits",
        "fork changes bits of the entry that mean something to the hardware.",
    ),
    Rule(
        "execute", "flags-lost",
        "the copy's permissions are built by hand: keep the old flags and change W and the mark "
        "only.",
    ),
    Rule(
        "text", "failed-fork-frees",
        "a fork that failed freed the program's text, which the parent still has: its error path "
        "may only drop the references that this fork took.",
        r"other bytes[\s\S]*last: \w+: fork_reap", simpler=LEAKS,
    ),
    freed_too_early("text"),
    Rule(
        "text", "text-writable",
        "program text has the mark for copy-on-write, so that a store makes it writable: fork may "
        "mark only pages that were writable.",
        "kill the child|read-only", {"marked": "read-only"},
    ),
    Rule(
        "text", "text-writable",
        "every store fault on a present page is treated as copy-on-write: check the mark before "
        "making a page writable.",
        "kill the child|read-only",
    ),
    Rule(
        "text", "text-writable",
        "program text was changed: the page fault or copy-out makes pages writable that are not "
        "marked, or copy-out does not look at PTE_W.",
    ),
    Rule(
        "hidden", "reaches-kernel",
        "an entry with PTE_U leads to kernel memory: look at the flags with which tables and "
        "kernel pages are mapped.",
    ),
    Rule(
        "refused", "text-writable",
        "copy-out writes to a page that the program itself may not write to: it must look at "
        "PTE_W or the mark.",
        "program text",
    ),
    Rule(
        "refused", "reaches-kernel",
        "an entry with PTE_U leads to a page table.", signs={"entry": "table"},
    ),
    Rule(
        "refused", "guard-page",
        "the page below the stack can be written: the guard page must stay without PTE_U, and "
        "copy-out must not get a page for an address that has none.",
        "page below the stack", {"entry": "writable|read-only"},
    ),
    Rule(
        "refused", "hole-filled",
        "a page is mapped where the program has asked for none: look at what copy-out and the "
        "page fault do with an address beyond the heap's end.",
        signs={"entry": "writable|read-only"}, simpler=("sbrk_shrinks_and_grows",),
    ),
    Rule(
        "refused", "copy-out-unchecked",
        "copy-out does not check the destination: it must be a user page (PTE_U) that is "
        "writable or marked, below the end of the user half.",
    ),
    Rule(
        "sole_writer", "failed-fork-frees",
        "a frame belongs to two although only one should have it, after a fork that failed: its "
        "error path may only drop the references that this fork took.",
        r"fork_reap[\s\S]*last:", {"freed": FREED}, LEAKS,
    ),
    freed_too_early("sole_writer"),
    Rule(
        "sole_writer", "no-frame-in-place",
        "PTE_W was set although there was no frame for the copy: allocate first, and change the "
        "entry only if that works.",
        signs={"memory": "out", "deed": "store|call .*"}, simpler=(*WRITES, *READS),
    ),
    Rule(
        "sole_writer", "both-writable",
        "fork leaves a page writable for several, the stack's perhaps: clear PTE_W in both "
        "entries.",
        signs={"place": "stack"}, simpler=WRITES,
    ),
    count_too_low("sole_writer"),
    Rule(
        "sole_writer", "written-in-place",
        "an entry was made writable while others still have the frame: count references before "
        "PTE_W is set.",
        simpler=("fork_shares_pages", *WRITES),
    ),
]
