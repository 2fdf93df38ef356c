"""Cards and likely causes: what a student reads about a failed test."""
from __future__ import annotations

import re
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Optional, Set

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT)]

from grader.cards import WIDTH, console_tail, make_card  # noqa: E402
from grader.run import Failure, Result, Test, Trial  # noqa: E402
from labs.cow.grading import causes, evidence  # noqa: E402

TEST = Test("some_test", "A", 3, "something")


def card_of(
    failure: Failure, console: str = "", folder: Optional[Path] = None, cause: str = "", trials: int = 1
) -> str:
    """Returns the card of a test that failed so in its last trial."""
    result = Result(TEST, {number: Trial() for number in range(trials)})
    result.trials[trials - 1] = Trial(failure, cause, "hart 0: somewhere", console, "a step\n", "a page\n")
    return make_card(result, evidence.INVARIANTS, "./grade-cow --seed 5 some_test", folder)


class Cards(unittest.TestCase):
    """The text of a card."""

    def test_evidence(self) -> None:
        """What evidence says stands there, and where the files are."""
        failure = Failure("shared", "one frame", "two frames", page=0x9000, process="child")
        with tempfile.TemporaryDirectory() as name:
            card = card_of(failure, folder=Path(name) / "some_test", cause="fork copies")
            self.assertEqual((Path(name) / "some_test/steps.txt").read_text(), "a step\n")
            self.assertEqual((Path(name) / "some_test/pages.txt").read_text(), "a page\n")
            self.assertIn(name, card)
        for text in (
            "one frame", "two frames", "page 0x9000, child", evidence.INVARIANTS["shared"], "fork copies",
            "--seed 5 some_test",
        ):
            self.assertIn(text, card)
        self.assertNotIn("hart 0", card)

    def test_end_of_the_machine(self) -> None:
        """Where the harts are and what the kernel said matter if it did not go on."""
        card = card_of(
            Failure("alive", "more", "the kernel panicked"), console="Boot HART MEDELEG   : 0x1\nhello\npanic: walk\n"
        )
        self.assertIn("hart 0: somewhere", card)
        self.assertIn("panic: walk", card)
        self.assertNotIn("MEDELEG", card)

    def test_lines_are_short(self) -> None:
        """Long texts are wrapped behind their label."""
        card = card_of(Failure("shared", "word " * 100, "x"), cause="reason " * 50)
        self.assertLessEqual(max(map(len, card.splitlines())), WIDTH + 4)

    def test_trials(self) -> None:
        """The command repeats the trial that failed."""
        card = card_of(Failure("counts", "a", "b"), trials=3)
        self.assertIn("1 of 3 failed: 2", card)
        self.assertIn("some_test --trial 2", card)

    def test_console_tail(self) -> None:
        """Only the last lines, cut to a width."""
        text = "\n".join(f"line {i}" for i in range(50)) + "\n" + "x" * 500
        tail = console_tail(text).splitlines()
        self.assertEqual(tail[0], "line 45")
        self.assertEqual(len(tail[-1]), WIDTH)


class Causes(unittest.TestCase):
    """The rules for likely causes."""

    def test_rules(self) -> None:
        """Each names an invariant that there is, and its pattern is one."""
        for rule in causes.RULES:
            self.assertIn(rule.invariant, evidence.INVARIANTS)
            re.compile(rule.pattern)

    def test_no_rule_hides_another(self) -> None:
        """A rule without a pattern is the last of its invariant."""
        seen: Set[str] = set()
        for rule in causes.RULES:
            self.assertNotIn(rule.invariant, seen, rule.cause)
            if not rule.pattern:
                seen.add(rule.invariant)

    def check_cause(self, words: str, failure: Failure, console: str = "", history: str = "") -> None:
        """The cause has the words."""
        self.assertIn(words, causes.likely_cause(failure, console, history))

    def test_causes(self) -> None:
        """Failures as tests raise them."""
        self.check_cause(
            "child's entry only", Failure("read_only", "a", "b", parent_writable=True, child_writable=False)
        )
        self.check_cause("sfence.vma", Failure("untouched", "a", "b"), history="init: fork_store(0x9000, 1, 2) -> 2, 0")
        read = "child: call read(0, 0x8021, 40) -> 40, 0"
        self.check_cause(
            "copy-out found no frame", Failure("untouched", "a", "b"), history=f"init: hoard(8) -> 1, 0\n{read}"
        )
        self.check_cause("copy-out", Failure("untouched", "a", "b"), history=read)
        self.check_cause("global bit", Failure("marks", "a", "b", bits=[5]))
        self.check_cause("MAXVA", Failure("alive", "a", "the kernel panicked: panic: walk", kind="panic"))
        self.check_cause("must unmap", Failure("alive", "a", "the kernel panicked: panic: freewalk: leaf"))
        early = "the kernel panicked: panic: frame 0x80f1a: reference dropped while it is free"
        self.check_cause("count was too low", Failure("alive", "a", early, doing="child: store(0x9000, 1, 8)"))
        self.check_cause("for ever", Failure("alive", "a", "b", kind="limit", doing="child: store(0x6fc0, 1, 8)"))
        self.check_cause("freed twice", Failure("free_pages", "a", "b", lost=-3))
        self.assertEqual(causes.likely_cause(Failure("user", "a", "b"), "", ""), "")


if __name__ == "__main__":
    unittest.main()
