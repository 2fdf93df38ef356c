"""Cards and likely causes: what a student reads about a failed test."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from grader import run
from grader.cards import WIDTH, card_text, make_card
from grader.machine import Stop
from grader.results import ProcessPages
from grader.run import Cause, Failure, Result, Test, Trial
from labs.cow.grading import causes, evidence
from labs.cow.grading.rule import ANY, SIMPLE
from products import ROOT

LAB = run.load_lab(ROOT / "labs" / "cow")
TEST = Test("some_test", "A", 3, "something")

PAGES: list[ProcessPages] = [{
    "name": "child", "pid": 4, "root": 0x80001000, "left_out": 2, "problem": "",
    "pages": [{"va": 0x9000, "pa": 0x80002000, "flags": "VRU", "rsw": 1}],
}]


def card_of(
    failure: Failure, console: str = "", folder: Path | None = None, cause: str = "",
    trials: int = 1
) -> str:
    """Returns the card of a test that failed so in its last trial."""
    result = Result(TEST, {number: Trial() for number in range(trials)})
    likely = Cause("x", cause) if cause else None
    result.trials[trials - 1] = Trial(
        failure, likely, "hart 0: somewhere", console, "a step\n", PAGES
    )
    again = "./grade-cow --seed 5 some_test"
    return card_text(make_card(result, evidence.INVARIANTS, again, folder))


# ---- The text of a card ----


def test_card_shows_the_evidence_and_names_the_files(tmp_path: Path) -> None:
    """The files hold the evidence."""
    failure = Failure("shared", "one frame", "two frames", page=0x9000, process="child")
    card = card_of(failure, folder=tmp_path / "some_test", cause="fork copies")
    assert (tmp_path / "some_test/steps.txt").read_text() == "a step\n"
    assert (tmp_path / "some_test/pages.txt").read_text() == (
        "child (pid 4), page table at 0x80001000\n"
        "  0x000000009000 -> 0x80002000  VR--U---  rsw 01\n  and 2 more\n"
    )
    for text in (
        "one frame", "two frames", "page 0x9000, child", evidence.INVARIANTS["shared"],
        "fork copies", "--seed 5 some_test", str(tmp_path),
    ):
        assert text in card
    assert "hart 0" not in card


def test_end_of_the_machine() -> None:
    """Where the harts are and what the kernel said matter if the kernel stopped."""
    card = card_of(
        Failure("alive", "more", "the kernel panicked"),
        console="Boot HART MEDELEG   : 0x1\nhello\npanic: walk\n"
    )
    assert "hart 0: somewhere" in card
    assert "panic: walk" in card
    assert "MEDELEG" not in card


def test_lines_are_short() -> None:
    """Long texts are wrapped after their label."""
    card = card_of(Failure("shared", "word " * 100, "x"), cause="reason " * 50)
    assert max(map(len, card.splitlines())) <= WIDTH + 4


def test_trials() -> None:
    """The command repeats the trial that failed."""
    card = card_of(Failure("counts", "a", "b"), trials=3)
    assert "1 of 3 failed: 2" in card
    assert "some_test --trial 2" in card


def test_panic_comes_first() -> None:
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
    lines = card_text(make_card(result, evidence.INVARIANTS, "again", None)).split("\n")
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


# ---- The rules for likely causes ----


def test_rules() -> None:
    """Each names an invariant and tests that there are, and its pattern is one."""
    ids = {test.id for test in LAB.TESTS}
    assert set(SIMPLE) <= ids
    for rule in causes.RULES:
        assert rule.invariant in [*evidence.INVARIANTS, ANY], rule.text
        assert set(rule.simpler) <= set(SIMPLE), rule.text
        assert rule.name if rule.text else rule.simpler, rule
        for pattern in (rule.pattern, *rule.signs.values()):
            re.compile(pattern)


def test_no_rule_hides_another() -> None:
    """A rule without conditions comes last for its invariant."""
    seen: set[str] = set()
    for rule in causes.RULES:
        assert rule.invariant not in seen, rule.text
        if not rule.pattern and not rule.signs:
            seen.add(rule.invariant)


def check_cause(
    name: str, failure: Failure, console: str = "", history: str = "", **signs: str
) -> None:
    """The likely cause has this name; "" if none may be told."""
    cause = causes.likely_cause(failure, signs, console, history)
    assert (cause.name if cause else "") == name, cause


def check_panic(name: str, text: str, doing: str = "", **signs: str) -> None:
    """A panic with these words has the cause."""
    text = f"panic: {text}"
    seen = f"the kernel panicked: {text}"
    failure = Failure("alive", "more", seen, kind="panic", doing=doing)
    check_cause(name, failure, panic=text, deed=doing.partition("(")[0], **signs)


def test_words() -> None:
    """What was expected, seen and done."""
    for name, parent in (("parent-writable", True), ("child-writable", False)):
        failure = Failure(
            "read_only", "a", "b", parent_writable=parent, child_writable=not parent
        )
        check_cause(name, failure, wrote="no")
    check_cause(
        "no-flush-after-fork", Failure("untouched", "a", "b"),
        history="init: fork_store(0x9000, 1, 2) -> 2, 0",
    )
    check_cause("mark-not-in-software-bits", Failure("marks", "a", "b", bits=[5]))
    limit = Failure("alive", "a", "b", kind="limit", doing="child: store(0x6fc0, 1, 8)")
    check_cause("tried-again", limit, deed="store")
    ended = Failure("alive", "a", "b", kind="exit")
    check_cause("leak", ended, killed="memory", deed="cycle")
    check_cause("machine-ended", ended, killed="", deed="cycle")
    stored = Failure("killed", "the child to be killed", "24 stores succeeded")
    check_cause("no-frame-in-place", stored, memory="out")
    check_cause("", stored, memory="free")
    more = Failure("free_pages", "a", "b", lost=-3)
    check_cause("freed-too-early", more, circle="yes")
    check_cause("freed-too-early", more, freed="free")
    check_cause("reserve", more)
    check_cause("", Failure("user", "a", "b"))


def test_panics() -> None:
    """A panic during a store does not mean that no frame is left."""
    check_panic("no-frame-panics", "no memory", "store(0x9000, 1, 8)", memory="out")
    check_panic("", "no memory", "store(0x9000, 1, 8)", memory="free", target="mapped")
    check_panic(
        "bad-access-panics", "oh", "store(0x9000, 1, 8)", memory="free", target="none"
    )
    check_panic("copy-out-unchecked", "oh", "call read(0, 1, 8)", target="none")
    check_panic("bad-access-panics", "walk")
    check_panic("leaf-left", "freewalk: leaf")
    for text in ("mappages: remap", "kernel/vm/a.c:9: assertion failed: !(pte->bits & PTE_V)"):
        check_panic("mapped-twice", text, "store(0x9000, 1, 8)", memory="free")
    for text in ("uvmcopy: pte should exist", "uvmunmap: not mapped", "uvmunmap: walk"):
        check_panic("absent-heap", text, "call fork()", memory="free")
        check_panic("failed-fork-frees", text, "fork_reap(2, 1)", memory="out")
    check_panic("lock-kept", "sched locks")
    check_panic("address-not-rounded", "mappages: va not aligned")
    granted = "the page at 0x1000 does not allow what vm_fault has just granted"
    check_panic("cache-written", granted, test="untouched_data_breaks")
    check_panic("text-writable", granted, test="text_not_written_by_kernel")
    check_panic("", "virtio_disk_intr status", memory="free")


@pytest.mark.parametrize("text", [
    "frame 0x80f1a: reference dropped while it is free: was one dropped twice",
    "frame_put: frame 12 is already free", "put of free frame 7", "kfree: ref count is 0",
    "decref: count < 1", "refcnt underflow", "frame 3 freed twice: double free",
    "kernel/mem/frame.c:90: assertion failed: f->count > 0",
    "drop_ref: page not in use, ref=0",
])
def test_put_of_a_free_frame_is_recognised(text: str) -> None:
    """In the words of any kernel."""
    check_panic("freed-too-early", text, "store(0x9000, 1, 8)", memory="free")
    check_panic("race", text, "race_writers(0x9000, 64, 24, 1)")
    check_panic("freed-too-early", text, "fork_reap(2, 1)", memory="out")


def test_counts_that_are_not_too_low() -> None:
    """Panics without such words, but for one below frame_put."""
    check_panic("freed-too-early", "oops", memory="free", calls="frame_put pt_unmap")
    for text in ("get_frame: no free frame", "kalloc: out of memory, ref 0", "free_count = 0"):
        check_panic("no-frame-panics", text, "store(0x9000, 1, 8)", memory="out")
    for text in ("virtio_disk", "unknown interrupt", "init exiting", "log full"):
        check_panic("", text, memory="free")


def test_signs() -> None:
    """Faults that look the same to a test and not in memory."""
    lost = Failure("untouched", "a", "b")
    check_cause("copy-out-plain", lost, deed="call read", apart="no", memory="free")
    check_cause("copy-out-old-frame", lost, deed="call read", apart="yes", memory="free")
    check_cause("no-frame-copy-out", lost, deed="call read", memory="out")
    check_cause("freed-too-early", lost, deed="call read", memory="out", freed="free")
    check_cause("freed-too-early", lost, freed="filled")
    fork = Failure("cost", "fork to succeed with 50 free pages", "it fails")
    check_cause("fork-needs-memory", fork, lost="no")
    check_cause("leak", fork, lost="yes")
    for text in ("a process to get memory", "fork to succeed", "sbrk of 8 pages to succeed"):
        check_cause("leak", Failure("result", text, "no"), memory="out", lost="yes")
        check_cause("", Failure("result", text, "no"), memory="out", lost="no")
    twice = Failure("sole_writer", "one user", "init at 0x4000, child at 0x9000")
    check_cause("freed-too-early", twice, freed="given")
    check_cause("written-in-place", twice, freed="no")
    expected = "a store to the page below the stack to kill the child"
    guard = Failure("killed", expected, "it succeeded")
    check_cause("guard-page", guard, entry="writable")
    check_cause("bad-access-ignored", guard, entry="none")


def test_counts_of_shared_frames() -> None:
    """Who may write to a frame of several: the first break is wrong, or the count is."""
    expected, frame = "a frame that init does not have", "both have 0x80877000"
    both = Failure("copied", expected, f"{frame}, writable for child")
    first = "child_write_copies_one_page"
    check_cause("written-in-place", both, deed="store", test=first)
    check_cause("freed-too-early", both, deed="store", test="three_generations")
    check_cause("written-in-place", both, deed="call read", test="pipe_read_breaks")
    neither = Failure("copied", expected, frame)
    check_cause("copy-out-ignores-failure", neither, deed="call wait")
    kept = Failure("contents", "init to have what it had", "0505050505050505")
    check_cause("freed-too-early", kept, bytes="fresh", test="last_owner_keeps_frame")
    check_cause("", kept, bytes="fresh", test=first)


def test_flags() -> None:
    """PTE_U lost, marks lost or set where they must not be."""
    check_panic("flags-lost", "init exiting", "jump(0x6000)", fault="hidden")
    check_panic("mark-missing", "init exiting", "jump(0x6000)", killed="store")
    endless = Failure("alive", "a", "b", kind="limit")
    check_cause("tried-again", endless, fault="guard", deed="store")
    some = Failure("copied", "a frame that child does not have", "both have 0x80877000")
    for name, failed in (("failed-fork-loses-mark", "yes"), ("mark-missing", "no")):
        check_cause(name, some, mark="differs", freed="no", failed_fork=failed)
    text = Failure("text", "a store to program text to kill the child", "it succeeded")
    marked, unmarked = (
        causes.likely_cause(text, {"marked": word}, "", "") for word in ("read-only", "no")
    )
    assert marked != unmarked


def test_copies() -> None:
    """What was copied for a read, or beside what a system call writes."""
    apart = Failure("shared", "one frame for init, child", "two")
    reading = {"deed": "call write", "wrote": "no", "test": "reading_copies_nothing"}
    check_cause("reading-copies", apart, **reading)
    check_cause("fork-copies", apart, deed="call write", wrote="no", test="many_sharers")
    check_cause("copies-too-much", apart, deed="call fstat", wrote="yes")
