"""The rules for what was seen of pages: sharing, copies, entries, contents.

Names are what known-wrong solutions say of themselves (`cause` in about.ini).
"""
from __future__ import annotations


from labs.cow.grading.rule import (
    ANY, FREED, LEAKS, READING, READS, WRITES, Rule, count_too_low, filled, freed_too_early,
)

YES, NO = "yes", "no"

FREED_WITHOUT_MEMORY = Rule(
    "untouched", "freed-too-early",
    "the old frame was given up before there was a copy, and then there was no frame for one: "
    "allocate and copy first.",
    signs={"freed": FREED, "memory": "out"}, simpler=(*WRITES, *LEAKS),
)

PAGE_RULES: list[Rule] = [
    # Whatever the test was about.
    Rule(
        ANY, "reaches-kernel",
        "entries with PTE_U map more than a page, or page tables: look at the flags with which "
        "tables and kernel memory are mapped.",
        signs={"reaches": "superpage|tables"},
    ),
    Rule(
        ANY, "no-frame-ignored",
        "physical address 0 is mapped: it is what an allocation returns that found no free frame; "
        "look at the result before it is used.",
        signs={"reaches": "nothing"},
    ),
    Rule(
        ANY, "mark-not-in-software-bits",
        "a bit of the reserved top of the entry is set, as a mark? Use bit 8 or 9.",
        signs={"reserved": YES, "freed": "no|"},
    ),
    Rule(
        ANY, "no-frame-loses-mark",
        "a break that found no free frame has changed the entry before it failed: its mark is "
        "gone. Allocate first, and change the entry only if that works.",
        r"call (?:read|wait)\([^)]*\) -> -1[\s\S]*last: child: store",
        {"mark": "differs", "freed": "no|"}, WRITES,
    ),
    Rule(
        ANY, "failed-fork-loses-mark",
        "after a fork that failed the parent's pages have lost the mark for copy-on-write, which "
        "they still need: its error path may drop what this fork took, and nothing else.",
        signs={"mark": "differs", "freed": "no|", "failed_fork": YES},
        simpler=(*WRITES, "three_generations"),
    ),
    Rule(
        ANY, "mark-missing",
        "of two processes that share a page only one has the mark for copy-on-write in its entry: "
        "fork must set it in both.",
        signs={"mark": "differs", "freed": "no|"},
    ),

    # Looked at between two instructions
    Rule(
        "steady", "tables-for-show",
        "entries changed although nobody made a system call or faulted: pages are shared where "
        "somebody may look, and something else is true meanwhile.",
    ),
    Rule(
        "used", "tables-for-show",
        "loads do not reach the frames that the page table names: another table is in use.",
    ),

    # Sharing
    Rule(
        "shared", "copies-too-much",
        "copy-out breaks more pages than it writes to: it must stop with the last byte's.",
        signs={"wrote": YES, "deed": "call (?:read|wait|pipe|fstat)|read_load"},
        simpler=("fork_shares_pages", *WRITES, READING),
    ),
    Rule(
        "shared", "copies-too-much", "a fault copies more than the page it concerns.",
        signs={"wrote": YES}, simpler=("fork_shares_pages", READING),
    ),
    Rule(
        "shared", "reading-copies",
        "a page was copied although it was only read: a load, or a system call that reads it "
        "(copy-in), must leave it shared.",
        signs={"test": READING, "deed": "call write|load"}, simpler=("fork_shares_pages",),
    ),
    Rule(
        "shared", "fork-copies",
        "fork copies pages instead of sharing their frames, or something that must not copies "
        "them later.",
        simpler=("fork_shares_pages", READING, *READS),
    ),
    Rule(
        "cost", "leak",
        "frames that processes and failed forks gave back did not become free, so that there "
        "were none for another fork: a reference or a table is not given back.",
        "it fails", {"lost": YES}, LEAKS,
    ),
    Rule(
        "cost", "fork-needs-memory", "fork asks for more memory than the child's tables need.",
        "it fails", simpler=("fork_takes_few_frames", "three_generations"),
    ),
    Rule(
        "cost", "fork-copies",
        "fork copies pages, or allocates a frame for each, instead of sharing them.",
        simpler=("fork_shares_pages", READING, *READS),
    ),
    Rule(
        "read_only", "failed-fork-makes-writable",
        "a fork that failed made the parent's pages writable again, although another child has "
        "them: its error path may undo what this fork did, and nothing else.",
        r"parent_writable=True[\s\S]*last: \w+: fork_reap\([^)]*\) -> -1",
        simpler=("fork_shares_pages", *LEAKS),
    ),
    Rule(
        "read_only", "both-writable", "fork shares the frame but clears PTE_W in neither entry.",
        "parent_writable=True, child_writable=True", {"wrote": NO},
    ),
    Rule(
        "read_only", "parent-writable",
        "fork clears PTE_W in the child's entry only; the parent's must lose it, too (and the "
        "TLB must be flushed: sfence.vma).",
        "parent_writable=True", {"wrote": NO},
    ),
    Rule(
        "read_only", "child-writable",
        "fork clears PTE_W in the parent's entry only; the child's must not have it either.",
        "child_writable=True", {"wrote": NO},
    ),
    Rule(
        "read_only", "written-in-place",
        "an entry of a frame that others have got PTE_W: count references before it is set.",
        simpler=("fork_shares_pages", *WRITES),
    ),

    # Writes
    Rule(
        "untouched", "cache-written",
        "a write to a page of program data that had just come in went to the block cache's "
        "frame: such a page must be broken at once, in the same fault.",
        "program's initial data", simpler=(*WRITES, "pipe_read_breaks"),
    ),
    Rule(
        "untouched", "no-flush-after-fork",
        "the parent's old, writable translation was still in the TLB: after clearing PTE_W fork "
        "must flush it (sfence.vma).",
        "fork_store", simpler=WRITES,
    ),
    Rule(
        "untouched", "failed-fork-frees",
        "a fork that fails takes pages from the parent: its error path may only drop the "
        "references that this fork took.",
        r"last: \w+: fork_reap", simpler=LEAKS,
    ),
    FREED_WITHOUT_MEMORY,
    freed_too_early("untouched"),
    filled("untouched"),
    Rule(
        "untouched", "no-frame-in-place",
        "PTE_W was set although there was no frame for the copy: allocate first, and change the "
        "entry only if that works.",
        signs={"memory": "out", "deed": "store|call .*", "entry": "writable"},
        simpler=(*WRITES, *READS),
    ),
    Rule(
        "untouched", "no-frame-copy-out",
        "copy-out found no frame for its copy and wrote to the shared one; it must fail instead "
        "(return -1).",
        signs={"memory": "out", "deed": "call read"}, simpler=(*WRITES, *READS),
    ),
    Rule(
        "untouched", "no-frame-copy-out",
        "copy-out found no frame for its copy and wrote to the shared one; it must fail instead "
        "(return -1).",
        signs={"memory": "out", "deed": "call .*"}, simpler=(*WRITES, "wait_status_breaks"),
    ),
    Rule(
        "untouched", "no-frame-in-place",
        "a write that found no free frame went to the shared one; allocate first, and kill the "
        "process if that fails.",
        signs={"memory": "out"}, simpler=WRITES,
    ),
    Rule(
        "untouched", "copy-out-old-frame",
        "copy-out breaks the sharing and then stores into the old frame: look up the page's "
        "frame after the break.",
        signs={"deed": "call .*|read_load", "apart": YES}, simpler=WRITES,
    ),
    Rule(
        "untouched", "copy-out-plain",
        "the kernel stores for a system call (copy-out) without breaking the sharing: it must "
        "do what the page fault does, for every page that it touches.",
        signs={"deed": "call .*|read_load"}, simpler=WRITES,
    ),
    Rule(
        "untouched", "copy-incomplete",
        "the process has a frame of its own with wrong bytes: copy all 4096 bytes, from the "
        "page's start, before the old frame is given up.",
        "only its own writes", {"apart": YES}, WRITES,
    ),
    Rule(
        "untouched", "written-in-place",
        "a write went to the shared frame: PTE_W was set without a copy, or the frame's count "
        "was too low.",
        simpler=WRITES,
    ),
    freed_too_early("copied"),
    Rule(
        "copied", "no-frame-ignored",
        "there was no frame for the copy, and the process went on as if there had been: kill "
        "it, or let the system call fail.",
        "it is not", {"memory": "out"}, WRITES,
    ),
    Rule(
        "copied", "copy-out-ignores-failure",
        "the system call returned success although nothing was stored: an error of copy-out is "
        "ignored.",
        "says it stored",
    ),
    Rule(
        "copied", "copy-incomplete",
        "the new frame does not get the whole page: copy all 4096 bytes, from the page's start, "
        "before the old frame is given up.",
        r"old contents around|its own copy|what read\(\) stored", simpler=WRITES,
    ),
    Rule(
        "copied", "copy-out-old-frame",
        "copy-out breaks the sharing and then stores into the old frame: look up the page's frame "
        "after the break.",
        "two descriptors|the file's size|what it wrote", {"deed": "call .*", "apart": YES}, WRITES,
    ),
    Rule(
        "copied", "copy-out-ignores-failure",
        "the system call returned success although nothing was stored: an error of copy-out is "
        "ignored.",
        r"both have 0x[0-9a-f]+\b(?!,)", {"deed": "call .*|read_load"}, WRITES,
    ),
    count_too_low("copied", "both have"),
    Rule(
        "copied", "written-in-place",
        "the writer has got PTE_W on a frame that others still have: copy it unless the count "
        "is 1.",
        "both have", simpler=WRITES,
    ),
    Rule(
        "copied", "still-read-only",
        "after the copy the entry is still read-only, or still marked.",
        "not writable|it is not", simpler=WRITES,
    ),
    Rule("copied", "", simpler=WRITES),
    Rule(
        "stale", "copy-out-old-frame",
        "copy-out breaks the sharing and then stores into the old frame: look up the page's "
        "frame after the break.",
        signs={"loaded": "memory", "apart": YES},
    ),
    Rule("stale", "copy-out-plain", signs={"loaded": "memory"}, simpler=READS),
    Rule(
        "stale", "no-flush-after-copy",
        "after an entry was changed its translation must be flushed (sfence.vma), also when a "
        "system call changed it.",
    ),
    Rule("neighbours", "copies-too-much", "a fault copies more than the page it concerns."),
    Rule(
        "kept", "last-owner-copies",
        "the last owner copies, too: if the frame's count is 1, set PTE_W and keep the frame.",
        "killed|memory", simpler=LEAKS,
    ),
    Rule(
        "kept", "last-owner-copies",
        "the last owner copies although nobody else has the frame: if the count is 1, set PTE_W "
        "and keep the frame.",
        simpler=LEAKS,
    ),
]
