"""What is probably wrong in a submission, from what a failed test saw: the faults that students' solutions really have.

A rule has an invariant, words that what was expected, seen or done must contain (any of them; none: always), and the
cause. The first rule that fits is told.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List

from grader.run import Failure


@dataclass(frozen=True)
class Rule:
    """A cause and how it shows."""

    invariant: str
    pattern: str
    cause: str


RULES: List[Rule] = [
    Rule(
        "shared", "", "fork copies pages instead of sharing their frames, or something that must not copies them later."
    ),
    Rule("cost", r"it fails", "fork asks for more memory than the child's tables need."),
    Rule("cost", "", "fork copies pages, or allocates a frame for each, instead of sharing them."),
    Rule(
        "read_only", r"parent_writable=True, child_writable=True",
        "fork shares the frame but clears PTE_W in neither entry.",
    ),
    Rule(
        "read_only", r"parent_writable=True",
        "fork clears PTE_W in the child's entry only; the parent's must lose it, too (and the TLB must be flushed: "
        "sfence.vma).",
    ),
    Rule(
        "read_only", r"child_writable=True",
        "fork clears PTE_W in the parent's entry only; the child's must not have it either.",
    ),
    Rule("read_only", "", "an entry of a shared frame kept or got PTE_W."),
    Rule(
        "untouched", r"program's initial data",
        "the kernel's write to a page that just came in went to the block cache's frame: such a page must be broken at "
        "once, in the same fault.",
    ),
    Rule(
        "untouched", r"fork_store",
        "the parent's old, writable translation was still in the TLB: after clearing PTE_W fork must flush it "
        "(sfence.vma).",
    ),
    Rule(
        "untouched", r"hoard\([\s\S]*call (?:wait|read)\(",
        "copy-out found no frame for its copy and wrote to the shared one; it must fail instead (return -1).",
    ),
    Rule(
        "untouched", r"hoard\(",
        "a write that found no free frame went to the shared one; allocate first, and kill the process if that fails.",
    ),
    Rule(
        "untouched", r"last: \w[\w ]*: call (?:wait|pipe|read|fstat)\(",
        "the kernel stores for a system call (copy-out) without breaking the sharing: it must do what the page fault "
        "does, for every page that it touches.",
    ),
    Rule(
        "untouched", "",
        "a write went to the shared frame: PTE_W was set without a copy, or the frame's count was too low.",
    ),
    Rule(
        "copied", r"old contents around",
        "the new frame does not get the whole page: copy all 4096 bytes, from the page's start, before the old frame "
        "is given up.",
    ),
    Rule(
        "copied", r"says it stored",
        "the system call returned success although nothing was stored: an error of copy-out is ignored.",
    ),
    Rule("copied", r"not writable|it is not", "after the copy the entry is still read-only, or still marked."),
    Rule(
        "stale", "",
        "after an entry was changed its translation must be flushed (sfence.vma), also when a system call changed it.",
    ),
    Rule("neighbours", "", "a fault copies more than the page it concerns."),
    Rule(
        "kept", r"killed|memory", "the last owner copies, too: if the frame's count is 1, set PTE_W and keep the frame."
    ),
    Rule(
        "kept", "",
        "the last owner copies although nobody else has the frame: if the count is 1, set PTE_W and keep the frame.",
    ),
    Rule(
        "marks", r"bits=\[5\]",
        "the global bit (5) is used as the mark: real machines keep such translations across address spaces. Use bit "
        "8 or 9.",
    ),
    Rule(
        "marks", r"bits=\[(5[4-9]|6\d)", "a bit of the reserved top of the entry is used as the mark: use bit 8 or 9."
    ),
    Rule("marks", "", "fork changes bits of the entry that mean something to the hardware."),
    Rule("execute", "", "the copy's permissions are built by hand: keep the old flags and change W and the mark only."),
    Rule(
        "contents", r"function to return|jump\(",
        "the copy of a page with instructions is not executable or not complete: keep the old flags.",
    ),
    Rule(
        "text", r"kill the child|read-only",
        "every store fault on a present page is treated as copy-on-write: check the mark before making a page "
        "writable.",
    ),
    Rule(
        "text", "",
        "program text was changed: the page fault or copy-out makes pages writable that are not marked, or copy-out "
        "does not look at PTE_W.",
    ),
    Rule(
        "hidden", "",
        "an entry with PTE_U leads to kernel memory: look at the flags with which tables and kernel pages are mapped.",
    ),
    Rule(
        "refused", "",
        "copy-out does not check the destination: it must be a user page (PTE_U) that is writable or marked, below "
        "the end of the user half.",
    ),
    Rule(
        "sole_writer", "",
        "an entry was made writable while others still have the frame: count references before PTE_W is set.",
    ),
    Rule(
        "killed", r"stores succeeded",
        "stores succeed without a frame to copy to: the sharing was broken in place, or the failed allocation is "
        "ignored.",
    ),
    Rule(
        "killed", r"to kill the child", "a fault at an address that is nobody's must kill the process, not be ignored."
    ),
    Rule("killed", "", "the wrong process died, or with the wrong status."),
    Rule(
        "free_pages", r"forks that fail",
        "a failed fork does not give back all references and tables that it took until then.",
    ),
    Rule(
        "free_pages", r"lost=-\d",
        "frames were freed twice or while somebody still has them: a reference is not counted, or dropped twice.",
    ),
    Rule(
        "free_pages", r"race",
        "a reference is lost when harts drop or take it at the same moment: the count must be changed atomically or "
        "under a lock, and the decision to copy must be taken with it.",
    ),
    Rule(
        "free_pages", "",
        "references leak: the old frame must be given up after a copy, and every entry's reference when an address "
        "space goes.",
    ),
    Rule("identity", r"fork_reap", "a fork for which memory was too short succeeded, with a child that lacks pages."),
    Rule("result", r"failed=True", "a failed fork keeps something for good: its child's slot in the process table?"),
    Rule("counts", r"fork failed", "memory ran out in the race: pages leak."),
    Rule(
        "counts", "",
        "under load frames are freed or reused too early: the old frame must be kept until it has been copied, and "
        "counts must be atomic. Or fork leaves old translations in the TLB: does parent_write_right_after_fork pass?",
    ),
    Rule(
        "alive", r"(?i)panic[^\n]*\bwalk",
        "walk() panics on addresses at or above MAXVA: check the address before looking for its entry."
    ),
    Rule(
        "alive", r"(?i)panic[^\n]*freewalk",
        "an entry was left when a page table was freed: a failed fork must unmap what it has mapped so far.",
    ),
    Rule(
        "alive", r"(?i)panic[^\n]*frame[^\n]*(?:reference dropped while|taken while)",
        "a frame's count was too low: a reference was not taken, or was given up too early or twice.",
    ),
    Rule(
        "alive", r"(?i)panic[\s\S]*(?:doing=.*(?:store|call read)|hoard)",
        "the kernel panics when there is no frame left: kill the process, or let the system call fail.",
    ),
    Rule(
        "alive", r"(?i)panic",
        "the kernel panics because of what a program did: that must kill the program or fail, never stop the machine.",
    ),
    Rule(
        "alive", r"kind=limit[\s\S]*doing=[^\n]*(?:store|load|jump|add)\(",
        "the faulting instruction is run again for ever: a fault that is not repaired must kill the process.",
    ),
    Rule("alive", r"doing=[^\n]*jump\(", "the copied page cannot be executed: keep the old flags of the entry."),
    Rule(
        "alive", r"scause[ =]*0x0*[fF]\b",
        "a store fault that should have been repaired killed the process: the mark is missing or not recognised.",
    ),
    Rule("alive", r"kind=lost", "a process was killed that did nothing wrong, or sleeps for ever."),
    Rule(
        "alive", r"kind=exit",
        "the machine was reset or switched off: a fault in the kernel's trap handler, or process 1 was killed.",
    ),
    Rule("alive", r"kind=hang", "a deadlock: a lock is taken twice or never given back."),
]


def likely_cause(failure: Failure, console: str, history: str) -> str:
    """Returns the likely cause, "" if nothing is known."""
    facts = ", ".join(f"{name}={value}" for name, value in failure.facts.items())
    steps = history.splitlines()
    last = steps[-1] if steps else ""
    known = "\n".join([failure.expected, failure.seen, facts, console[-4000:], "\n".join(steps[-12:]), f"last: {last}"])
    for rule in RULES:
        if rule.invariant == failure.invariant and (not rule.pattern or re.search(rule.pattern, known)):
            return rule.cause
    return ""
