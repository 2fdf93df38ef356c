"""The rules for what was seen of entries: COW bits, permissions, what user mode can access.

A rule's name is what known-wrong solutions declare as their `cause` in about.ini.
"""
from __future__ import annotations

from labs.cow.grading.rule import (
    FREED, LEAKS, READS, SET_WITHOUT_FRAME, TABLE_REACHED, WRITES, Rule, count_too_low,
    freed_too_early,
)

ENTRY_RULES: list[Rule] = [
    Rule(
        "marks", "mark-not-in-software-bits",
        "the global bit (5) is used as the copy-on-write bit: the TLB of a real machine keeps such "
        "translations across address spaces. Use bit 8 or 9.",
        r"bits=\[5\]",
    ),
    Rule(
        "marks", "mark-not-in-software-bits",
        "one of the reserved bits at the top of the entry is used as the copy-on-write bit: use "
        "bit 8 or 9.",
        r"bits=\[(5[4-9]|6\d)",
    ),
    Rule(
        "marks", "mark-not-in-software-bits",
        "fork changed bits of the entry that have a meaning for the hardware.",
    ),
    Rule(
        "execute", "flags-lost",
        "the copy's entry lost permissions: keep the flags of the old entry, and change only "
        "PTE_W and the copy-on-write bit.",
    ),
    Rule(
        "text", "failed-fork-frees",
        "a fork that failed freed the program's text, which the parent still uses: its error path "
        "may drop only the references that this fork took.",
        r"other bytes[\s\S]*last: \w+: fork_reap", simpler=LEAKS,
    ),
    freed_too_early("text"),
    Rule(
        "text", "text-writable",
        "program text has the copy-on-write bit, so a store made it writable: fork may set the "
        "bit only for pages that were writable.",
        "kill the child|read-only", {"marked": "read-only"},
    ),
    Rule(
        "text", "text-writable",
        "every store fault on a present page is taken for copy-on-write: check the copy-on-write "
        "bit before you make a page writable.",
        "kill the child|read-only",
    ),
    Rule(
        "text", "text-writable",
        "program text was changed: the page fault or copy-out makes pages writable that do not "
        "have the copy-on-write bit, or copy-out does not check PTE_W.",
    ),
    Rule(
        "hidden", "reaches-kernel",
        "an entry with PTE_U points to kernel memory: check the flags with which page tables and "
        "kernel pages are mapped.",
    ),
    Rule(
        "refused", "text-writable",
        "copy-out wrote to a page that the program itself may not write to: it must check PTE_W "
        "and the copy-on-write bit.",
        "program text",
    ),
    Rule("refused", "reaches-kernel", TABLE_REACHED, signs={"entry": "table"}),
    Rule(
        "refused", "guard-page",
        "the page below the stack could be written: the guard page must stay without PTE_U, and "
        "copy-out must not allocate a page where the process has none.",
        "page below the stack", {"entry": "writable|read-only"},
    ),
    Rule(
        "refused", "hole-filled",
        "a page was mapped where the program did not ask for one: check what copy-out and the "
        "page fault do with an address past the end of the heap.",
        signs={"entry": "writable|read-only"}, simpler=("sbrk_shrinks_and_grows",),
    ),
    Rule(
        "refused", "copy-out-unchecked",
        "copy-out does not check the destination: it must be a user page (PTE_U), writable or "
        "copy-on-write, below the end of the user half.",
    ),
    Rule(
        "sole_writer", "failed-fork-frees",
        "after a fork that failed, two processes have a frame that only one should have: its error "
        "path may drop only the references that this fork took.",
        r"fork_reap[\s\S]*last:", {"freed": FREED}, LEAKS,
    ),
    freed_too_early("sole_writer"),
    Rule(
        "sole_writer", "no-frame-in-place",
        SET_WITHOUT_FRAME,
        signs={"memory": "out", "deed": "store|call .*"}, simpler=(*WRITES, *READS),
    ),
    Rule(
        "sole_writer", "both-writable",
        "fork leaves a page, perhaps of the stack, writable for several processes: clear PTE_W in "
        "both entries.",
        signs={"place": "stack"}, simpler=WRITES,
    ),
    count_too_low("sole_writer"),
    Rule(
        "sole_writer", "written-in-place",
        "an entry was made writable while other processes still map the frame: check the "
        "reference count before you set PTE_W.",
        simpler=("fork_shares_pages", *WRITES),
    ),
]
