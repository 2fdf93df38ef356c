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

# All of these, by how little they need: the cause of a test may be left to earlier ones.
SIMPLE = (
    *WRITES, "fork_shares_pages", "sbrk_shrinks_and_grows", "parent_write_right_after_fork",
    "three_generations", "pipes_and_files", READING, *READS, "wait_status_breaks",
    "fork_takes_few_frames", "exit_returns_pages",
)


@dataclass(frozen=True)
class Rule:
    """A cause and how it shows.

    `pattern` must be found in what was expected, seen, done and printed, and each sign must be such
    a word. One of the `simpler` tests may know better; without a text only they are asked.
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
    """Returns the rule for a frame of several that one may write to, although plain breaks work."""
    return Rule(
        invariant, "freed-too-early",
        "a process may write to a frame that others still have, because the frame's count was too "
        "low: a fork did not count it, or a reference was dropped too often or too early (a break "
        "that finds no frame must keep it).",
        pattern, {"test": NOT_WRITES, "deed": "store|add|fill"}, ("fork_shares_pages", *WRITES),
    )


def filled(invariant: str) -> Rule:
    """Returns the rule for a page that has what kalloc() fills new ones with."""
    return Rule(
        invariant, "freed-too-early",
        "the old frame was given up before it was copied: it came back as the frame for its own "
        "copy. Copy first.",
        signs={"bytes": "fresh", "test": NOT_WRITES}, simpler=WRITES,
    )


def freed_too_early(invariant: str, pattern: str = "") -> Rule:
    """Returns the rule for evidence that a frame was freed while somebody still has it."""
    return Rule(
        invariant, "freed-too-early",
        "a frame was freed, or its count dropped too low, while somebody still has it: each fork "
        "must count it once more, each exit and each copy once less, after the copy.",
        pattern, {"freed": FREED}, LEAKS,
    )
