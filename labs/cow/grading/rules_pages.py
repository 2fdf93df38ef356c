"""The rules for what was seen of pages: sharing, copies, entries, contents.

A rule's name is what known-wrong solutions declare as their `cause` in about.ini.
"""
from __future__ import annotations

from labs.cow.grading.rule import (
    ANY, BREAK_LOSES_MARK, COPIES_TOO_MUCH, COPY_OUT_FAILURE_IGNORED, COPY_OUT_NO_FRAME,
    COPY_OUT_OLD_FRAME, FAILED_FORK_FREES, FREED, LEAKS, READING, READS, SET_WITHOUT_FRAME,
    WRITES, Rule, count_too_low, filled, freed_too_early,
)

YES, NO = "yes", "no"

FREED_WITHOUT_MEMORY = Rule(
    "untouched", "freed-too-early",
    "the old frame was freed before its copy was made, and then there was no frame for the copy: "
    "allocate and copy first.",
    signs={"freed": FREED, "memory": "out"}, simpler=(*WRITES, *LEAKS),
)

PAGE_RULES: list[Rule] = [
    # Whatever the test is about
    Rule(
        ANY, "reaches-kernel",
        "entries with PTE_U map more than a page, or page tables: check the flags with which page "
        "tables and kernel memory are mapped.",
        signs={"reaches": "superpage|tables"},
    ),
    Rule(
        ANY, "no-frame-ignored",
        "physical address 0 is mapped: that is what a failed allocation returns. Check the result "
        "before you use it.",
        signs={"reaches": "nothing"},
    ),
    Rule(
        ANY, "mark-not-in-software-bits",
        "one of the reserved bits at the top of the entry is set: if it is the copy-on-write bit, "
        "use bit 8 or 9 instead.",
        signs={"reserved": YES, "freed": "no|"},
    ),
    Rule(
        ANY, "no-frame-loses-mark",
        BREAK_LOSES_MARK,
        r"call (?:read|wait)\([^)]*\) -> -1[\s\S]*last: child: store",
        {"mark": "differs", "freed": "no|"}, WRITES,
    ),
    Rule(
        ANY, "failed-fork-loses-mark",
        "after a fork that failed, the parent's pages have lost the copy-on-write bit, which they "
        "still need: its error path may undo only what this fork did.",
        signs={"mark": "differs", "freed": "no|", "failed_fork": YES},
        simpler=(*WRITES, "three_generations"),
    ),
    Rule(
        ANY, "mark-missing",
        "of two processes that share a page, only one has the copy-on-write bit in its entry: fork "
        "must set it in both.",
        signs={"mark": "differs", "freed": "no|"},
    ),

    # Inspected between two instructions
    Rule(
        "steady", "tables-for-show",
        "entries changed although no process made a system call or faulted: pages are shared only "
        "while the kernel expects to be inspected.",
    ),
    Rule(
        "used", "freed-too-early",
        "a page of the program changed although it did not store to it: a frame was freed while a "
        "process still maps it, and given out once more.",
        signs={"freed": "free|given|table"}, simpler=LEAKS,
    ),
    Rule(
        "used", "tables-for-show",
        "loads do not reach the frames that the page table maps: another page table is in use.",
    ),

    # Sharing
    Rule(
        "shared", "copies-too-much",
        "copy-out breaks more pages than it writes to: it must stop after the page of the last "
        "byte.",
        signs={"wrote": YES, "deed": "call (?:read|wait|pipe|fstat)|read_load"},
        simpler=("fork_shares_pages", *WRITES, READING),
    ),
    Rule(
        "shared", "copies-too-much", COPIES_TOO_MUCH,
        signs={"wrote": YES}, simpler=("fork_shares_pages", READING),
    ),
    Rule(
        "shared", "reading-copies",
        "a page was copied although it was only read: loads, and system calls that read it "
        "(copy-in), must leave it shared.",
        signs={"test": READING, "deed": "call write|load"}, simpler=("fork_shares_pages",),
    ),
    Rule(
        "shared", "fork-copies",
        "fork copies pages instead of sharing their frames, or they are copied later without a "
        "write.",
        simpler=("fork_shares_pages", READING, *READS),
    ),
    Rule(
        "cost", "leak",
        "another fork found no memory, because frames of processes and failed forks had not been "
        "freed: drop every reference, and free every page table.",
        "it fails", {"lost": YES}, LEAKS,
    ),
    Rule(
        "cost", "fork-needs-memory",
        "fork demands more memory than the child's page tables need.",
        "it fails", simpler=("fork_takes_few_frames", "three_generations"),
    ),
    Rule(
        "cost", "fork-copies",
        "fork copies pages, or allocates a frame for each, instead of sharing them.",
        simpler=("fork_shares_pages", READING, *READS),
    ),
    Rule(
        "read_only", "failed-fork-makes-writable",
        "a fork that failed made the parent's pages writable again, although another child shares "
        "them: its error path may undo only what this fork did.",
        r"parent_writable=True[\s\S]*last: \w+: fork_reap\([^)]*\) -> -1",
        simpler=("fork_shares_pages", *LEAKS),
    ),
    Rule(
        "read_only", "both-writable",
        "fork shares the frame, but clears PTE_W in neither entry.",
        "parent_writable=True, child_writable=True", {"wrote": NO},
    ),
    Rule(
        "read_only", "parent-writable",
        "fork clears PTE_W only in the child's entry: clear it in the parent's, too, and flush the "
        "TLB (sfence.vma).",
        "parent_writable=True", {"wrote": NO},
    ),
    Rule(
        "read_only", "child-writable",
        "fork clears PTE_W only in the parent's entry: the child's must not have it either.",
        "child_writable=True", {"wrote": NO},
    ),
    Rule(
        "read_only", "written-in-place",
        "an entry got PTE_W while other processes still map the frame: check the reference count "
        "before you set it.",
        simpler=("fork_shares_pages", *WRITES),
    ),

    # Writes
    Rule(
        "untouched", "cache-written",
        "a write to a page of program data that had just been read in went to the block cache's "
        "frame: break the sharing of such a page at once, in the same fault.",
        "program's initial data", simpler=(*WRITES, "pipe_read_breaks"),
    ),
    Rule(
        "untouched", "no-flush-after-fork",
        "the parent wrote through a stale, writable TLB entry: after fork has cleared PTE_W, it "
        "must flush the TLB (sfence.vma).",
        "fork_store", simpler=WRITES,
    ),
    Rule(
        "untouched", "failed-fork-frees",
        FAILED_FORK_FREES,
        r"last: \w+: fork_reap", simpler=LEAKS,
    ),
    FREED_WITHOUT_MEMORY,
    freed_too_early("untouched"),
    filled("untouched"),
    Rule(
        "untouched", "no-frame-in-place",
        SET_WITHOUT_FRAME,
        signs={"memory": "out", "deed": "store|call .*", "entry": "writable"},
        simpler=(*WRITES, *READS),
    ),
    Rule(
        "untouched", "no-frame-copy-out",
        COPY_OUT_NO_FRAME,
        signs={"memory": "out", "deed": "call read"}, simpler=(*WRITES, *READS),
    ),
    Rule(
        "untouched", "no-frame-copy-out",
        COPY_OUT_NO_FRAME,
        signs={"memory": "out", "deed": "call .*"}, simpler=(*WRITES, "wait_status_breaks"),
    ),
    Rule(
        "untouched", "no-frame-in-place",
        "a write that found no free frame went to the shared one: allocate first, and kill the "
        "process if that fails.",
        signs={"memory": "out"}, simpler=WRITES,
    ),
    Rule(
        "untouched", "copy-out-old-frame",
        COPY_OUT_OLD_FRAME,
        signs={"deed": "call .*|read_load", "apart": YES}, simpler=WRITES,
    ),
    Rule(
        "untouched", "copy-out-plain",
        "the kernel stored for a system call (copy-out) without breaking the sharing: it must do "
        "what the page fault does, for every page that it touches.",
        signs={"deed": "call .*|read_load"}, simpler=WRITES,
    ),
    Rule(
        "untouched", "copy-incomplete",
        "the process has a frame of its own, but with wrong bytes: copy all 4096 bytes, from the "
        "start of the page, before you drop the old frame.",
        "only its own writes", {"apart": YES}, WRITES,
    ),
    Rule(
        "untouched", "written-in-place",
        "a write went to the shared frame: PTE_W was set without a copy, or the frame's reference "
        "count was too low.",
        simpler=WRITES,
    ),
    freed_too_early("copied"),
    Rule(
        "copied", "no-frame-ignored",
        "there was no frame for the copy, and the process continued as if there had been: kill it, "
        "or let the system call fail.",
        "it is not", {"memory": "out"}, WRITES,
    ),
    Rule(
        "copied", "copy-out-ignores-failure",
        COPY_OUT_FAILURE_IGNORED,
        "says it stored",
    ),
    Rule(
        "copied", "copy-incomplete",
        "the new frame does not have the whole page: copy all 4096 bytes, from the start of the "
        "page, before you drop the old frame.",
        r"old contents around|its own copy|what read\(\) stored", simpler=WRITES,
    ),
    Rule(
        "copied", "copy-out-old-frame",
        COPY_OUT_OLD_FRAME,
        "two descriptors|the file's size|what it wrote", {"deed": "call .*", "apart": YES}, WRITES,
    ),
    Rule(
        "copied", "copy-out-ignores-failure",
        COPY_OUT_FAILURE_IGNORED,
        r"both have 0x[0-9a-f]+\b(?!,)", {"deed": "call .*|read_load"}, WRITES,
    ),
    count_too_low("copied", "both have"),
    Rule(
        "copied", "written-in-place",
        "the writer was given PTE_W on a frame that other processes still map: copy it unless the "
        "reference count is 1.",
        "both have", simpler=WRITES,
    ),
    Rule(
        "copied", "still-read-only",
        "after the copy the entry is still read-only, or still has the copy-on-write bit.",
        "not writable|it is not", simpler=WRITES,
    ),
    Rule("copied", "", simpler=WRITES),
    Rule(
        "stale", "copy-out-old-frame",
        COPY_OUT_OLD_FRAME,
        signs={"loaded": "memory", "apart": YES},
    ),
    Rule("stale", "copy-out-plain", signs={"loaded": "memory"}, simpler=READS),
    Rule(
        "stale", "no-flush-after-copy",
        "the process used a stale TLB entry: whenever an entry is changed, also by a system call, "
        "flush its translation (sfence.vma).",
    ),
    Rule("neighbours", "copies-too-much", COPIES_TOO_MUCH),
    Rule(
        "kept", "last-owner-copies",
        "even the last owner copies: if the reference count is 1, set PTE_W and keep the frame.",
        "killed|memory", simpler=LEAKS,
    ),
    Rule(
        "kept", "last-owner-copies",
        "the last owner copies although no other process maps the frame: if the reference count is "
        "1, set PTE_W and keep the frame.",
        simpler=LEAKS,
    ),
]
