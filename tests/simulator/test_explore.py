"""The kernel's protocols, explored (explore_kernel.py): faults that are planted there are found."""
from __future__ import annotations

import re

import pytest
from command import make
from explore_kernel import (
    QUICK_HARTS, QUICK_SCHEDULES, Row, copy_tree, explore, find_fault, read_faults, rows_of,
)
from pieces import read_source
from products import target
from simulated import execute, simulator

# One of each kind: a window in which another hart must come, and one in which nobody wakes.
CHECKED = ("table_owner_does_not_look_again", "kill_looks_first")


@pytest.mark.parametrize("name", CHECKED)
def test_fault_is_found(name: str) -> None:
    """With as many schedules as `make check` has, and once more by its number."""
    simulator()
    make(target("build/explore.img"))
    copy_tree()
    rows = list(rows_of(QUICK_SCHEDULES, QUICK_HARTS, ()))
    assert all(find_fault(fault, rows, 1) for fault in read_faults([name]))


def test_faults_can_be_planted() -> None:
    """The old text of each is in its file, once."""
    for fault in read_faults(()):
        assert fault.piece.apply(read_source(fault.piece.file)) != read_source(fault.piece.file)


def test_another_seed_has_other_schedules() -> None:
    """And the same seed has the same ones."""
    simulator()
    make(target("build/explore.img"))
    row = Row("kill", 2, 12)
    first, again, other = (explore(row, seed) for seed in (1, 1, 2))
    assert first == again and first.is_good and other.is_good
    assert first.instructions != other.instructions


def test_schedules_begin_at_a_place() -> None:
    """So they need not boot each time."""
    simulator()
    make(target("build/explore.img"))
    words = Row("kill", 2, 2).command(1, "--explore", 2)[1:]
    place = words.index("sys_uptime")
    status, said = execute(*words[:place], "no_such_function", *words[place + 1:])
    assert status == 2 and "no function of that name" in said, said
    status, said = execute(*words[:place], "report_running_process", *words[place + 1:])
    assert status == 2 and "the machine ends before that" in said, said


def test_accesses_have_names() -> None:
    """Of functions and of data; and what a hart reads again and again is shown once."""
    simulator()
    make(target("build/explore.img"))
    words = Row("kill", 3, 1).command(1, "--schedule", 20, "--limit", 40_000)[1:]
    status, said = execute(*words)
    assert status == 1 and "it does not end after 40000" in said
    lines = re.findall(r"hart (\d)  (\S+)  +(reads|writes|changes) (\S+), which was", said)
    assert len(lines) == 60 and any(word == "sched_lock" for *_, word in lines), said
    read: set[tuple[str, str, str]] = set()
    for hart, place, kind, word in lines:
        if kind != "reads":
            read = {row for row in read if row[2] != word}
            continue
        assert (hart, place, word) not in read, said
        read.add((hart, place, word))
