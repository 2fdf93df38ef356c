"""Cards and likely causes: what a student reads about a failed test."""
from __future__ import annotations

import re
import tempfile
import unittest
from pathlib import Path

from grader import run
from grader.cards import WIDTH, make_card
from grader.machine import Stop
from grader.run import Cause, Failure, Result, Test, Trial
from labs.cow.grading import causes, evidence
from labs.cow.grading.rule import ANY, SIMPLE
from products import ROOT

LAB = run.load_lab(ROOT / "labs" / "cow")
TEST = Test("some_test", "A", 3, "something")


def card_of(
    failure: Failure, console: str = "", folder: Path | None = None, cause: str = "",
    trials: int = 1
) -> str:
    """Returns the card of a test that failed so in its last trial."""
    result = Result(TEST, {number: Trial() for number in range(trials)})
    likely = Cause("x", cause) if cause else None
    result.trials[trials - 1] = Trial(
        failure, likely, "hart 0: somewhere", console, "a step\n", "a page\n"
    )
    return make_card(result, evidence.INVARIANTS, "./grade-cow --seed 5 some_test", folder)


class Cards(unittest.TestCase):
    """The text of a card."""

    def test_evidence(self) -> None:
        """A card shows the evidence and names the files."""
        failure = Failure("shared", "one frame", "two frames", page=0x9000, process="child")
        with tempfile.TemporaryDirectory() as name:
            card = card_of(failure, folder=Path(name) / "some_test", cause="fork copies")
            assert (Path(name) / "some_test/steps.txt").read_text() == "a step\n"
            assert (Path(name) / "some_test/pages.txt").read_text() == "a page\n"
            assert name in card
        for text in (
            "one frame", "two frames", "page 0x9000, child", evidence.INVARIANTS["shared"],
            "fork copies", "--seed 5 some_test",
        ):
            assert text in card
        assert "hart 0" not in card

    def test_end_of_the_machine(self) -> None:
        """Where the harts are and what the kernel said matter if the kernel stopped."""
        card = card_of(
            Failure("alive", "more", "the kernel panicked"),
            console="Boot HART MEDELEG   : 0x1\nhello\npanic: walk\n"
        )
        assert "hart 0: somewhere" in card
        assert "panic: walk" in card
        assert "MEDELEG" not in card

    def test_lines_are_short(self) -> None:
        """Long texts are wrapped after their label."""
        card = card_of(Failure("shared", "word " * 100, "x"), cause="reason " * 50)
        assert max(map(len, card.splitlines())) <= WIDTH + 4

    def test_trials(self) -> None:
        """The command repeats the trial that failed."""
        card = card_of(Failure("counts", "a", "b"), trials=3)
        assert "1 of 3 failed: 2" in card
        assert "some_test --trial 2" in card

    def test_panic_comes_first(self) -> None:
        """The panic's own text and the calls that led to it come first."""
        where = (
            "hart 0: supervisor mode at kernel/proc.c:9, in scheduler (0x80000000)\n"
            "    called from kernel/main.c:44, in main (0x80000010)\n"
            "hart 1: supervisor mode at kernel/printf.c:133, in panic (0x80000020)\n"
            "    called from kernel/vm.c:288, in freewalk (0x80000030)\n"
            "    called from kernel/vm.c:300, in uvmfree (0x80000040)\n"
            "a trap was reported from kernel/vm.c:9, in walk (0x80000050)"
        )
        failure = run.failure_of_stop(Stop("panic", detail=f"panic: freewalk: leaf\n{where}"), "x")
        said = "hello\npanic: freewalk: leaf\nafter\n"
        result = Result(TEST, {0: Trial(failure, None, where, said)})
        lines = make_card(result, evidence.INVARIANTS, "again", None).split("\n")
        assert [line.split() for line in lines[1:5]] == [
            ["panic", "panic:", "freewalk:", "leaf"],
            "a trap was reported from kernel/vm.c:9, in walk (0x80000050)".split(),
            "called from kernel/vm.c:288, in freewalk (0x80000030)".split(),
            "called from kernel/vm.c:300, in uvmfree (0x80000040)".split(),
        ]
        card = "\n".join(lines)
        assert "seen        the kernel panicked: panic: freewalk: leaf\n" in card
        assert card.count("in freewalk") == 1
        assert card.count("in scheduler") == 1


class Causes(unittest.TestCase):
    """The rules for likely causes."""

    def test_rules(self) -> None:
        """Each names an invariant and tests that there are, and its pattern is one."""
        ids = {test.id for test in LAB.TESTS}
        assert set(SIMPLE) <= ids
        for rule in causes.RULES:
            assert rule.invariant in [*evidence.INVARIANTS, ANY], rule.text
            assert set(rule.simpler) <= set(SIMPLE), rule.text
            assert rule.name if rule.text else rule.simpler, rule
            for pattern in (rule.pattern, *rule.signs.values()):
                re.compile(pattern)

    def test_no_rule_hides_another(self) -> None:
        """A rule without conditions comes last for its invariant."""
        seen: set[str] = set()
        for rule in causes.RULES:
            assert rule.invariant not in seen, rule.text
            if not rule.pattern and not rule.signs:
                seen.add(rule.invariant)

    def check_cause(
        self, name: str, failure: Failure, console: str = "", history: str = "", **signs: str
    ) -> None:
        """The likely cause has this name; "" if none may be told."""
        cause = causes.likely_cause(failure, signs, console, history)
        assert (cause.name if cause else "") == name, cause

    def check_panic(self, name: str, text: str, doing: str = "", **signs: str) -> None:
        """A panic with these words has the cause."""
        text = f"panic: {text}"
        seen = f"the kernel panicked: {text}"
        failure = Failure("alive", "more", seen, kind="panic", doing=doing)
        self.check_cause(name, failure, panic=text, deed=doing.partition("(")[0], **signs)

    def test_words(self) -> None:
        """What was expected, seen and done."""
        for name, parent in (("parent-writable", True), ("child-writable", False)):
            failure = Failure(
                "read_only", "a", "b", parent_writable=parent, child_writable=not parent
            )
            self.check_cause(name, failure, wrote="no")
        self.check_cause(
            "no-flush-after-fork", Failure("untouched", "a", "b"),
            history="init: fork_store(0x9000, 1, 2) -> 2, 0",
        )
        self.check_cause("mark-not-in-software-bits", Failure("marks", "a", "b", bits=[5]))
        limit = Failure("alive", "a", "b", kind="limit", doing="child: store(0x6fc0, 1, 8)")
        self.check_cause("tried-again", limit, deed="store")
        ended = Failure("alive", "a", "b", kind="exit")
        self.check_cause("leak", ended, killed="memory", deed="cycle")
        self.check_cause("machine-ended", ended, killed="", deed="cycle")
        stored = Failure("killed", "the child to be killed", "24 stores succeeded")
        self.check_cause("no-frame-in-place", stored, memory="out")
        self.check_cause("", stored, memory="free")
        more = Failure("free_pages", "a", "b", lost=-3)
        self.check_cause("freed-too-early", more, circle="yes")
        self.check_cause("freed-too-early", more, freed="free")
        self.check_cause("reserve", more)
        self.check_cause("", Failure("user", "a", "b"))

    def test_panics(self) -> None:
        """A panic during a store does not mean that no frame is left."""
        self.check_panic("no-frame-panics", "no memory", "store(0x9000, 1, 8)", memory="out")
        self.check_panic("", "no memory", "store(0x9000, 1, 8)", memory="free", target="mapped")
        self.check_panic(
            "bad-access-panics", "oh", "store(0x9000, 1, 8)", memory="free", target="none"
        )
        self.check_panic("copy-out-unchecked", "oh", "call read(0, 1, 8)", target="none")
        self.check_panic("bad-access-panics", "walk")
        self.check_panic("leaf-left", "freewalk: leaf")
        for text in ("mappages: remap", "kernel/vm/a.c:9: assertion failed: !(pte->bits & PTE_V)"):
            self.check_panic("mapped-twice", text, "store(0x9000, 1, 8)", memory="free")
        for text in ("uvmcopy: pte should exist", "uvmunmap: not mapped", "uvmunmap: walk"):
            self.check_panic("absent-heap", text, "call fork()", memory="free")
            self.check_panic("failed-fork-frees", text, "fork_reap(2, 1)", memory="out")
        self.check_panic("lock-kept", "sched locks")
        self.check_panic("address-not-rounded", "mappages: va not aligned")
        granted = "the page at 0x1000 does not allow what vm_fault has just granted"
        self.check_panic("cache-written", granted, test="untouched_data_breaks")
        self.check_panic("text-writable", granted, test="text_not_written_by_kernel")
        self.check_panic("", "virtio_disk_intr status", memory="free")

    def test_counts_too_low(self) -> None:
        """A put of a free frame, in the words of any kernel."""
        for text in (
            "frame 0x80f1a: reference dropped while it is free: was one dropped twice",
            "frame_put: frame 12 is already free", "put of free frame 7", "kfree: ref count is 0",
            "decref: count < 1", "refcnt underflow", "frame 3 freed twice: double free",
            "kernel/mem/frame.c:90: assertion failed: f->count > 0",
            "drop_ref: page not in use, ref=0",
        ):
            self.check_panic("freed-too-early", text, "store(0x9000, 1, 8)", memory="free")
            self.check_panic("race", text, "race_writers(0x9000, 64, 24, 1)")
            self.check_panic("freed-too-early", text, "fork_reap(2, 1)", memory="out")
        self.check_panic("freed-too-early", "oops", memory="free", calls="frame_put pt_unmap")
        for text in ("get_frame: no free frame", "kalloc: out of memory, ref 0", "free_count = 0"):
            self.check_panic("no-frame-panics", text, "store(0x9000, 1, 8)", memory="out")
        for text in ("virtio_disk", "unknown interrupt", "init exiting", "log full"):
            self.check_panic("", text, memory="free")

    def test_signs(self) -> None:
        """Faults that look the same to a test and not in memory."""
        lost = Failure("untouched", "a", "b")
        self.check_cause("copy-out-plain", lost, deed="call read", apart="no", memory="free")
        self.check_cause("copy-out-old-frame", lost, deed="call read", apart="yes", memory="free")
        self.check_cause("no-frame-copy-out", lost, deed="call read", memory="out")
        self.check_cause("freed-too-early", lost, deed="call read", memory="out", freed="free")
        self.check_cause("freed-too-early", lost, freed="filled")
        fork = Failure("cost", "fork to succeed with 50 free pages", "it fails")
        self.check_cause("fork-needs-memory", fork, lost="no")
        self.check_cause("leak", fork, lost="yes")
        for text in ("a process to get memory", "fork to succeed", "sbrk of 8 pages to succeed"):
            self.check_cause("leak", Failure("result", text, "no"), memory="out", lost="yes")
            self.check_cause("", Failure("result", text, "no"), memory="out", lost="no")
        twice = Failure("sole_writer", "one user", "init at 0x4000, child at 0x9000")
        self.check_cause("freed-too-early", twice, freed="given")
        self.check_cause("written-in-place", twice, freed="no")
        expected = "a store to the page below the stack to kill the child"
        guard = Failure("killed", expected, "it succeeded")
        self.check_cause("guard-page", guard, entry="writable")
        self.check_cause("bad-access-ignored", guard, entry="none")

    def test_counts_of_shared_frames(self) -> None:
        """Who may write to a frame of several: the first break is wrong, or the count is."""
        expected, frame = "a frame that init does not have", "both have 0x80877000"
        both = Failure("copied", expected, f"{frame}, writable for child")
        first = "child_write_copies_one_page"
        self.check_cause("written-in-place", both, deed="store", test=first)
        self.check_cause("freed-too-early", both, deed="store", test="three_generations")
        self.check_cause("written-in-place", both, deed="call read", test="pipe_read_breaks")
        neither = Failure("copied", expected, frame)
        self.check_cause("copy-out-ignores-failure", neither, deed="call wait")
        kept = Failure("contents", "init to have what it had", "0505050505050505")
        self.check_cause("freed-too-early", kept, bytes="fresh", test="last_owner_keeps_frame")
        self.check_cause("", kept, bytes="fresh", test=first)

    def test_flags(self) -> None:
        """PTE_U lost, marks lost or set where they must not be."""
        self.check_panic("flags-lost", "init exiting", "jump(0x6000)", fault="hidden")
        self.check_panic("mark-missing", "init exiting", "jump(0x6000)", killed="store")
        endless = Failure("alive", "a", "b", kind="limit")
        self.check_cause("tried-again", endless, fault="guard", deed="store")
        some = Failure("copied", "a frame that child does not have", "both have 0x80877000")
        for name, failed in (("failed-fork-loses-mark", "yes"), ("mark-missing", "no")):
            self.check_cause(name, some, mark="differs", freed="no", failed_fork=failed)
        text = Failure("text", "a store to program text to kill the child", "it succeeded")
        marked, unmarked = (
            causes.likely_cause(text, {"marked": word}, "", "") for word in ("read-only", "no")
        )
        assert marked != unmarked

    def test_copies(self) -> None:
        """What was copied for a read, or beside what a system call writes."""
        apart = Failure("shared", "one frame for init, child", "two")
        reading = {"deed": "call write", "wrote": "no", "test": "reading_copies_nothing"}
        self.check_cause("reading-copies", apart, **reading)
        self.check_cause("fork-copies", apart, deed="call write", wrote="no", test="many_sharers")
        self.check_cause("copies-too-much", apart, deed="call fstat", wrote="yes")
