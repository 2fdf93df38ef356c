"""What a rule for a likely cause is."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

from grader.run import Failure

ANY = "*"  # invariant
FREED = "free|given|table|filled|counted"  # words of the sign of that name

# Tests that show a fault with less around it.
WRITES = ("child_write_copies_one_page", "parent_write_copies_one_page")
READING = "reading_copies_nothing"
READS = ("pipe_read_breaks", "file_read_across_pages")
LEAKS = ("sbrk_shrinks_and_grows", "exit_returns_pages")

NOT_WRITES = rf"(?!(?:{'|'.join(WRITES)})$).*"  # the other tests, for the sign `test`

# All of these, simplest first: the cause of a test may be left to those before it.
SIMPLE = (
    *WRITES, "fork_shares_pages", "sbrk_shrinks_and_grows", "parent_write_right_after_fork",
    "three_generations", "pipes_and_files", READING, *READS, "wait_status_breaks",
    "fork_takes_few_frames", "exit_returns_pages",
)

# Texts of causes that several rules give.
TABLE_REACHED = "an entry with PTE_U points to a page table."
FAILED_FORK_FREES = (
    "a fork that failed freed pages of the parent: its error path may drop only the references "
    "that this fork took."
)
BREAK_LOSES_MARK = (
    "a break that found no free frame had already changed the entry, whose copy-on-write bit is "
    "lost: allocate first, and change the entry only if that succeeds."
)
COPIES_TOO_MUCH = "a fault copies more than the page that faulted."
SET_WITHOUT_FRAME = (
    "PTE_W was set although there was no frame for the copy: allocate first, and change the entry "
    "only if that succeeds."
)
COPY_OUT_NO_FRAME = (
    "copy-out found no frame for its copy and wrote to the shared one: it must return an error "
    "instead (-1)."
)
COPY_OUT_OLD_FRAME = (
    "copy-out breaks the sharing, but then stores into the old frame: look up the page's frame "
    "after the break."
)
COPY_OUT_FAILURE_IGNORED = (
    "the system call succeeded although nothing was stored: the caller of copy-out ignores its "
    "error."
)
DEADLOCK = "a deadlock: a lock was taken twice or never released."


@dataclass(frozen=True)
class Rule:
    """A cause and how it shows.

    `pattern` must be found in what was expected, seen, done and printed, and each of the signs must
    match. If one of the `simpler` tests failed, too, its cause is shown instead; a rule without a
    text has no cause of its own.
    """

    invariant: str
    name: str
    text: str = ""
    pattern: str = ""
    signs: dict[str, str] = field(default_factory=dict)
    simpler: tuple[str, ...] = ()

    def fits(self, failure: Failure, signs: dict[str, str], known: str) -> bool:
        """Tells whether the evidence is what the rule asks for."""
        return (
            self.invariant in (ANY, failure.invariant)
            and all(re.fullmatch(word, signs.get(sign, "")) for sign, word in self.signs.items())
            and (not self.pattern or re.search(self.pattern, known) is not None)
        )


def count_too_low(invariant: str, pattern: str = "") -> Rule:
    """Returns the rule for a shared frame that one process may write to, although plain breaks
    work."""
    return Rule(
        invariant, "freed-too-early",
        "a process may write to a frame that others still map, because the frame's reference count "
        "was too low: fork did not count a reference, or one was dropped twice or too early (a "
        "break that finds no free frame must keep it).",
        pattern, {"test": NOT_WRITES, "deed": "store|add|fill"}, ("fork_shares_pages", *WRITES),
    )


def filled(invariant: str) -> Rule:
    """Returns the rule for a page that has the bytes with which kalloc() fills new ones."""
    return Rule(
        invariant, "freed-too-early",
        "the old frame was freed before it was copied, and was then allocated for its own copy: "
        "copy first.",
        signs={"bytes": "fresh", "test": NOT_WRITES}, simpler=WRITES,
    )


def freed_too_early(invariant: str, pattern: str = "") -> Rule:
    """Returns the rule for evidence that a frame was freed while a process still maps it."""
    return Rule(
        invariant, "freed-too-early",
        "a frame was freed, or its reference count fell too low, while a process still maps it: "
        "each fork must add a reference; each exit must drop one, and so must each copy once it "
        "is made.",
        pattern, {"freed": FREED}, LEAKS,
    )
