"""Schedules: a race is found, found again by its number, and nothing else is."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from guest import build_guest
from products import product
from simulated import execute, simulator

SCHEDULES = 200
FAILED = re.compile(r"^sim: schedule (\d+) \((\w+)\): (.*)$", re.MULTILINE)
SUMMARY = re.compile(r"^sim: (\d+) schedules, (\d+) failed; (\d+) instructions", re.MULTILINE)


def explore(program: Path, *words: object) -> tuple[dict[int, str], str]:
    """Runs many schedules; returns what is said about those that failed, and all that is said."""
    simulator()
    _, said = execute(program, "--harts", 2, "--limit", 100_000, *words)
    failed = {int(number): what for number, _, what in FAILED.findall(said)}
    summary = SUMMARY.search(said)
    assert summary and int(summary[2]) == len(failed), said
    return failed, said


def test_lost_update_is_found(tmp_path: Path) -> None:
    """A window of one instruction among 20 other accesses, with any seed."""
    program = build_guest("lost_update", tmp_path)
    for seed in range(1, 11):
        failed, _ = explore(program, "--explore", SCHEDULES, "--seed", seed)
        assert failed and all(what.startswith("status 1 ") for what in failed.values())


def test_every_strategy_finds_it(tmp_path: Path) -> None:
    """None of them is there in vain."""
    _, said = explore(build_guest("lost_update", tmp_path), "--explore", 2000)
    assert {strategy for _, strategy, _ in FAILED.findall(said)} >= {"POS", "SURW", "PCT"}


def test_atomic_update_is_never_lost(tmp_path: Path) -> None:
    """Nor with stores that wait in a buffer."""
    program = build_guest("lost_update", tmp_path, "ATOMIC")
    for profile in ("kind", "all"):
        assert not explore(program, "--explore", 2000, "--profile", profile)[0]


def test_schedule_comes_back(tmp_path: Path) -> None:
    """By its number alone, to the instruction."""
    program = build_guest("lost_update", tmp_path)
    failed, _ = explore(program, "--explore", SCHEDULES)
    for number, what in list(failed.items())[:5]:
        status, said = execute(program, "--harts", 2, "--limit", 100_000, "--schedule", number)
        assert status == 1 and f"schedule {number} " in said and what in said


def test_accesses_are_shown_in_order(tmp_path: Path) -> None:
    """Both harts read the counter before either writes."""
    program = build_guest("lost_update", tmp_path)
    number = min(explore(program, "--explore", SCHEDULES)[0])
    _, said = execute(program, "--harts", 2, "--limit", 100_000, "--schedule", number)
    steps = re.findall(r"hart (\d)  \S+ +(\w+) \S+, which was (\w+)$", said, re.MULTILINE)
    plain = [(hart, kind) for hart, kind, _ in steps if kind in ("reads", "writes")]
    first = plain.index(next(step for step in plain if step[1] == "writes"))
    readers = {hart for hart, kind in plain[:first] if kind == "reads"}
    assert readers == {"0", "1"}, said


def test_loads_overtake_stores(tmp_path: Path) -> None:
    """With a store buffer, and no fence; and only then."""
    unfenced = build_guest("store_buffer", tmp_path)
    fenced = build_guest("store_buffer", tmp_path, "FENCE")
    stores = ("--explore", SCHEDULES, "--profile", "stores")
    assert not explore(unfenced, "--explore", SCHEDULES)[0]
    assert explore(unfenced, *stores)[0]
    assert not explore(fenced, *stores)[0]


def test_harts_that_wait_for_each_other_go_on(tmp_path: Path) -> None:
    """They go round in loops that read two words, which is no deadlock."""
    right = build_guest("peterson", tmp_path)
    wrong = build_guest("peterson", tmp_path, "UNFENCED")
    for profile in ("kind", "stores"):
        assert not explore(right, "--explore", 500, "--profile", profile)[0]
    failed, _ = explore(wrong, "--explore", 500, "--profile", "stores")
    assert failed and all(what.startswith("status 1 ") for what in failed.values())


def test_deadlock_is_found(tmp_path: Path) -> None:
    """Locks that are taken in different orders; and only these."""
    failed, _ = explore(build_guest("deadlock", tmp_path), "--explore", SCHEDULES)
    assert failed
    assert all(what.startswith("all harts wait or go round") for what in failed.values()), failed
    assert not explore(build_guest("deadlock", tmp_path, "ORDERED"), "--explore", SCHEDULES)[0]


@pytest.mark.parametrize("words, complaint", [
    (["--explore", 5, "--trace", "-"], "schedules do not go together with"),
    (["--explore", 5, "--stop-at", 1000], "schedules do not go together with"),
    (["--explore", 0], "--explore 0: this must be a number"),
    (["--explore", 5, "--from", 10_000_000], "the machine ends before that"),
])
def test_wrong_words_get_a_message(words: list[object], complaint: str, tmp_path: Path) -> None:
    """And status 2."""
    simulator()
    status, said = execute(build_guest("lost_update", tmp_path), "--harts", 2, *words)
    assert status == 2 and complaint in said, said


def test_cow6_survives(tmp_path: Path) -> None:
    """Forks and exits of many processes on three harts, that are not kind."""
    simulator()
    status, said = execute(
        product("kernel/kernel"), product("fs.img"), "--harts", 3, "--profile", "tlb,stores",
        "--append", "init=/cowtest,tree_of_processes", "--explore", 40, "--limit", 20_000_000,
    )
    assert status == 0 and "40 schedules, 0 failed" in said, said
