"""The rules for how processes ended, for pages that came back, for contents and results.

A rule's name is what known-wrong solutions declare as their `cause` in about.ini.
"""
from __future__ import annotations

from labs.cow.grading.rule import (
    FAILED_FORK_FREES, LEAKS, READING, READS, TABLE_REACHED, WRITES, Rule, filled,
    freed_too_early,
)

END_RULES: list[Rule] = [
    # Processes
    Rule(
        "killed", "no-frame-in-place",
        "stores succeeded although there was no frame for the copy: the sharing was broken in "
        "place, or the result of the failed allocation was ignored.",
        "stores succeeded", {"memory": "out|"}, WRITES,
    ),
    Rule(
        "killed", "reaches-kernel", TABLE_REACHED, "to kill the child", {"entry": "table"},
    ),
    Rule(
        "killed", "guard-page",
        "user mode can access the page below the stack: the guard page must stay without PTE_U, "
        "and an access where nothing is mapped must not be given a page.",
        "page below the stack to kill the child", {"entry": "writable|read-only"},
    ),
    Rule(
        "killed", "hole-filled",
        "an access outside the memory that the program asked for was given a page: compare the "
        "faulting address with the end of the heap.",
        "to kill the child", {"entry": "writable|read-only"}, ("sbrk_shrinks_and_grows",),
    ),
    Rule(
        "killed", "bad-access-ignored",
        "a fault at an address that the process does not have was ignored: it must kill the "
        "process.",
        "to kill the child",
    ),
    Rule(
        "killed", "wrong-status",
        "the killed process ended with the wrong status: it must be -1.",
        "to be killed, status -1",
    ),
    Rule("killed", "", pattern="children to exit", simpler=(*WRITES, "pipes_and_files", *LEAKS)),

    # Frames
    Rule(
        "free_pages", "freed-too-early",
        "a frame is on the free list twice: a reference was not counted, or was dropped twice.",
        signs={"circle": "yes"},
    ),
    freed_too_early("free_pages"),
    Rule(
        "free_pages", "reserve",
        "more pages are free than before: the kernel had kept some back, or it freed pages that "
        "are in use.",
        r"lost=-\d",
    ),
    Rule(
        "free_pages", "reserve",
        "the kernel gave processes pages of its own image, or from above PHYSTOP: do they replace "
        "frames that it has lost?",
        "outside the allocator's memory",
    ),
    Rule(
        "free_pages", "reserve",
        "processes got frames that none could get before, as many as if the kernel had kept them "
        "back to replace others: does it lose frames?",
        "which the kernel had kept back",
    ),
    Rule(
        "free_pages", "", pattern="results were wrong", signs={"memory": "free"},
        simpler=(*WRITES, *READS, "wait_status_breaks"),
    ),
    Rule(
        "free_pages", "failed-fork-leaks",
        "a fork that fails must give back all references and page tables that it took before it "
        "failed.",
        "forks that fail", simpler=(*LEAKS, READING),
    ),
    Rule(
        "free_pages", "race",
        "an update of a reference count is lost when two harts change it at the same time: change "
        "the count atomically or under a lock, and decide whether to copy in the same step.",
        "the race", simpler=(*WRITES, *LEAKS),
    ),
    Rule(
        "free_pages", "count-too-narrow",
        "frames are lost when more than 255 processes share them: does the reference count have "
        "more than 8 bits everywhere, and is it never truncated?",
        "many processes", {"sharers": r"2[5-9]\d|[3-9]\d\d|\d{4,}"}, LEAKS,
    ),
    Rule(
        "free_pages", "leak",
        "references leak: drop the reference to the old frame after a copy, and that of every "
        "entry that is unmapped, with its address space or alone.",
        simpler=("sbrk_shrinks_and_grows",),
    ),

    # Forks and system calls
    freed_too_early("result"),
    Rule(
        "result", "leak",
        "memory ran out although no process uses it: frames that were given back did not become "
        "free. A frame must be handed out with a reference count of 1, and be freed at 0.",
        r"to get memory|fork to succeed\n|pages to succeed", {"memory": "out", "lost": "yes"},
        LEAKS,
    ),
    Rule(
        "identity", "failed-fork-frees",
        FAILED_FORK_FREES,
        "fork_reap", {"target": "none"},
    ),
    Rule(
        "identity", "lacks-pages",
        "fork succeeded although the child lacks pages: it leaves some out, or ignores that there "
        "was no memory for them.",
        "fork_reap",
    ),
    Rule(
        "present", "failed-fork-frees",
        FAILED_FORK_FREES,
        r"last: \w+: fork_reap",
    ),
    Rule(
        "result", "leak",
        "after failed forks memory has run out: they do not give back their references or page "
        "tables.",
        "memory again", {"memory": "out"}, LEAKS,
    ),
    Rule(
        "result", "failed-fork-keeps-slot",
        "each failed fork keeps something for good: perhaps the child's slot in the process "
        "table.",
        "failed=True", simpler=LEAKS,
    ),
    Rule(
        "result", "shrink-keeps-pages",
        "sbrk with a negative size must unmap the pages and free them.",
        "heap was given back",
    ),
    Rule(
        "result", "absent-heap",
        "a system call failed because it used heap that had not been touched yet: copyin and "
        "copyout must allocate the page as the page fault does.",
        "heap that has not been touched",
    ),
    Rule(
        "result", "heap-end-lost",
        "the child's heap does not end where its parent's does: fork must copy its size, too.",
        r"sbrk (?:of -?\d+ pages|to return)[\s\S]*last: (?:child|grandchild)",
    ),
    Rule(
        "result", "files-lost",
        "the child does not have all open files of its parent: fork must duplicate them.",
        r"^(?:close|write|open)\(\)[^\n]* to (?:succeed|return)[\s\S]*last: (?:child|grandchild)",
    ),
    Rule(
        "result", "copy-out-refuses",
        "a system call failed when it had to store into a shared page: copy-out must break the "
        "sharing as the page fault does.",
        r"^(?:read|wait|fstat|pipe)\(\)", {"entry": "read-only|"},
        (*WRITES, "pipes_and_files", *LEAKS),
    ),
    Rule("result", "", simpler=(*WRITES, "pipes_and_files", *LEAKS)),

    # Contents
    Rule(
        "contents", "lacks-pages",
        "the child reads zeroes where its parent has data: fork leaves pages out, or ignores that "
        "there was no memory for a page table.",
        signs={"bytes": "zero", "apart": "yes"},
    ),
    Rule(
        "contents", "lacks-pages", "fork leaves out pages of the stack.", "all pages of the stack",
    ),
    freed_too_early("contents"),
    filled("contents"),
    Rule(
        "contents", "lacks-pages",
        "children were killed that were forked when memory was short: a fork that cannot get all "
        "that it needs must fail.",
        "children of forks", {"killed": ".+"}, WRITES,
    ),
    Rule(
        "contents", "flags-lost",
        "the copy of a page with instructions is not executable or not complete: keep the flags "
        "of the old entry, and copy the whole page.",
        r"function to return|jump\(", simpler=WRITES,
    ),
    Rule(
        "contents", "cache-written",
        "a write to a page of program data went to the block cache's frame, and so to the file.",
        "initial data", simpler=WRITES,
    ),
    Rule(
        "contents", "copy-out-old-frame",
        "what a system call stored did not reach the caller's page: copy-out must look up the "
        "frame after it has broken the sharing.",
        "through the pipe|in the file", simpler=READS,
    ),
    Rule("contents", "", simpler=(*WRITES, "pipes_and_files", "fork_takes_few_frames", *LEAKS)),

    # Races
    Rule(
        "counts", "race",
        "when several harts are busy, frames are freed or reused too early: keep the old frame "
        "until it has been copied, and change counts and the free list atomically or under a "
        "lock.",
        simpler=(*WRITES, "parent_write_right_after_fork", "three_generations", *LEAKS),
    ),
]
