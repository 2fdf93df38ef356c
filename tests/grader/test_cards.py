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

from grader import run  # noqa: E402
from grader.cards import WIDTH, make_card  # noqa: E402
from grader.machine import Stop  # noqa: E402
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

    def test_panic_comes_first(self) -> None:
        """The panic's own text and the calls that led to it stand above everything else."""
        where = (
            "hart 0: supervisor mode at kernel/proc.c:9, in scheduler (0x80000000)\n"
            "    called from kernel/main.c:44, in main (0x80000010)\n"
            "hart 1: supervisor mode at kernel/printf.c:133, in panic (0x80000020)\n"
            "    called from kernel/vm.c:288, in freewalk (0x80000030)\n"
            "    called from kernel/vm.c:300, in uvmfree (0x80000040)"
        )
        failure = run.failure_of_stop(Stop("panic", detail=f"panic: freewalk: leaf\n{where}"), "x")
        said = "hello\npanic: freewalk: leaf\nafter\n"
        result = Result(TEST, {0: Trial(failure, "", where, said)})
        lines = make_card(result, evidence.INVARIANTS, "again", None).split("\n")
        self.assertEqual([line.split() for line in lines[1:4]], [
            ["panic", "panic:", "freewalk:", "leaf"],
            "called from kernel/vm.c:288, in freewalk (0x80000030)".split(),
            "called from kernel/vm.c:300, in uvmfree (0x80000040)".split(),
        ])
        card = "\n".join(lines)
        self.assertIn("seen        the kernel panicked: panic: freewalk: leaf\n", card)
        self.assertEqual(card.count("in freewalk"), 1)
        self.assertEqual(card.count("in scheduler"), 1)


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
