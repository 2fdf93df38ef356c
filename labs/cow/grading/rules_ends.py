"""The rules for how processes ended, for what came back, for contents and results.

Names are what known-wrong solutions say of themselves (`cause` in about.ini).
"""
from __future__ import annotations


from labs.cow.grading.rule import LEAKS, READING, READS, WRITES, Rule, filled, freed_too_early

END_RULES: list[Rule] = [
    # Processes
    Rule(
        "killed", "no-frame-in-place",
        "stores succeed without a frame to copy to: the sharing was broken in place, or the "
        "failed allocation is ignored.",
        "stores succeeded", {"memory": "out|"}, WRITES,
    ),
    Rule(
        "killed", "reaches-kernel", "an entry with PTE_U leads to a page table.",
        "to kill the child", {"entry": "table"},
    ),
    Rule(
        "killed", "guard-page",
        "the page below the stack can be reached: the guard page must stay without PTE_U, and "
        "an access where nothing is mapped must not get a page.",
        "page below the stack to kill the child", {"entry": "writable|read-only"},
    ),
    Rule(
        "killed", "hole-filled",
        "an access where the program has asked for no page gets one: compare the address with "
        "the heap's end.",
        "to kill the child", {"entry": "writable|read-only"}, ("sbrk_shrinks_and_grows",),
    ),
    Rule(
        "killed", "bad-access-ignored",
        "a fault at an address that is nobody's must kill the process, not be ignored.",
        "to kill the child",
    ),
    Rule(
        "killed", "wrong-status",
        "the process that is killed ends with the wrong status: it must be -1.",
        "to be killed, status -1",
    ),
    Rule("killed", "", pattern="children to exit", simpler=(*WRITES, "pipes_and_files", *LEAKS)),

    # Frames
    Rule(
        "free_pages", "freed-too-early",
        "a frame is on the free list twice: a reference is not counted, or dropped twice.",
        signs={"circle": "yes"},
    ),
    freed_too_early("free_pages"),
    Rule(
        "free_pages", "reserve",
        "more pages are free than before: the kernel kept some back, or frees some in use.",
        r"lost=-\d",
    ),
    Rule(
        "free_pages", "reserve",
        "the kernel gives processes pages of its own image, or from behind PHYSTOP: did they come "
        "in place of lost ones?",
        "outside the allocator's memory",
    ),
    Rule(
        "free_pages", "", pattern="results that were not", signs={"memory": "free"},
        simpler=(*WRITES, *READS, "wait_status_breaks"),
    ),
    Rule(
        "free_pages", "failed-fork-leaks",
        "a failed fork does not give back all references and tables that it took until then.",
        "forks that fail", simpler=(*LEAKS, READING),
    ),
    Rule(
        "free_pages", "race",
        "a reference is lost when harts drop or take it at the same moment: the count must be "
        "changed atomically or under a lock, and the decision to copy must be taken with it.",
        "the race", simpler=(*WRITES, *LEAKS),
    ),
    Rule(
        "free_pages", "count-too-narrow",
        "with more than 255 sharers frames are lost: is the count wider than 8 bits, and never "
        "cut off?",
        "many processes", {"sharers": r"2[5-9]\d|[3-9]\d\d|\d{4,}"}, LEAKS,
    ),
    Rule(
        "free_pages", "leak",
        "references leak: the old frame must be given up after a copy, and every entry's "
        "reference when an address space goes, or a part of it.",
        simpler=("sbrk_shrinks_and_grows",),
    ),

    # Forks and system calls
    freed_too_early("result"),
    Rule(
        "result", "leak",
        "there is no memory although no process has it: frames that are given back do not become "
        "free. A frame that is handed out starts with a count of 1, and is free at 0.",
        r"to get memory|fork to succeed\n|pages to succeed", {"memory": "out", "lost": "yes"},
        LEAKS,
    ),
    Rule(
        "identity", "failed-fork-frees",
        "a fork that fails takes pages from the parent: its error path may only drop the "
        "references that this fork took.",
        "fork_reap", {"target": "none"},
    ),
    Rule(
        "identity", "lacks-pages",
        "a fork succeeded with a child that lacks pages: it leaves some out, or does not notice "
        "that there was no memory for them.",
        "fork_reap",
    ),
    Rule(
        "present", "failed-fork-frees",
        "a fork that fails takes pages from the parent: its error path may only drop the "
        "references that this fork took.",
        r"last: \w+: fork_reap",
    ),
    Rule(
        "result", "leak",
        "after forks that fail there is no memory: references or tables are not given back.",
        "memory again", {"memory": "out"}, LEAKS,
    ),
    Rule(
        "result", "failed-fork-keeps-slot",
        "a failed fork keeps something for good: its child's slot in the process table?",
        "failed=True", simpler=LEAKS,
    ),
    Rule(
        "result", "shrink-keeps-pages",
        "sbrk with a negative size must unmap the pages and give them back.",
        "heap was given back",
    ),
    Rule(
        "result", "absent-heap",
        "a system call reads or writes heap that nobody has touched yet, and fails: copyin and "
        "copyout must get the page as the page fault does.",
        "heap that nobody has touched",
    ),
    Rule(
        "result", "heap-end-lost",
        "the child's heap does not end where its parent's does: fork must copy the size, too.",
        r"sbrk (?:of -?\d+ pages|to return)[\s\S]*last: (?:child|grandchild)",
    ),
    Rule(
        "result", "files-lost",
        "the child does not have its parent's open files: fork must give it all.",
        r"^(?:close|write|open)\(\)[^\n]* to (?:succeed|return)[\s\S]*last: (?:child|grandchild)",
    ),
    Rule(
        "result", "copy-out-refuses",
        "a system call fails because it is to store into a shared page: copy-out must break the "
        "sharing as the page fault does.",
        r"^(?:read|wait|fstat|pipe)\(\)", {"entry": "read-only|"},
        (*WRITES, "pipes_and_files", *LEAKS),
    ),
    Rule("result", "", simpler=(*WRITES, "pipes_and_files", *LEAKS)),

    # Contents
    Rule(
        "contents", "lacks-pages",
        "the child has zeroes where its parent has contents: fork leaves pages out, or does not "
        "notice that there was no memory for a table.",
        signs={"bytes": "zero", "apart": "yes"},
    ),
    Rule(
        "contents", "lacks-pages", "fork leaves pages of the stack out.", "all pages of the stack",
    ),
    freed_too_early("contents"),
    filled("contents"),
    Rule(
        "contents", "lacks-pages",
        "children of forks with little memory were killed: a fork that does not get all it needs "
        "must fail.",
        "children of forks", {"killed": ".+"}, WRITES,
    ),
    Rule(
        "contents", "flags-lost",
        "the copy of a page with instructions is not executable or not complete: keep the old "
        "flags.",
        r"function to return|jump\(", simpler=WRITES,
    ),
    Rule(
        "contents", "cache-written",
        "a write to a page of program data went to the block cache's frame, which is the file's.",
        "initial data", simpler=WRITES,
    ),
    Rule(
        "contents", "copy-out-old-frame",
        "what a system call stored is not in the caller's page: copy-out must look up the frame "
        "after the sharing is broken.",
        "through the pipe|in the file", simpler=READS,
    ),
    Rule("contents", "", simpler=(*WRITES, "pipes_and_files", "fork_takes_few_frames", *LEAKS)),

    # Races
    Rule(
        "counts", "race",
        "under load frames are freed or reused too early: the old frame must be kept until it "
        "has been copied, and counts and the free list must be changed atomically or under a "
        "lock.",
        simpler=(*WRITES, "parent_write_right_after_fork", "three_generations", *LEAKS),
    ),

]
