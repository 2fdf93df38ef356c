"""Tests of tools/profiler.py: rows are found by name, counts by function, and a row is profiled."""
from __future__ import annotations

import re
from collections import Counter

import pytest
from bench_rows import ROWS, Line, find_row, read_lines
from command import CommandFailure, make, run
from products import ROOT
from profiler import IN_FIRMWARE, USER, Profile, annotated, choose, function_counts, report
from symbols import Function

BASE = 0xFFFF_FFC0_8020_0000
FUNCTIONS = [Function(BASE, 8, "start"), Function(BASE + 8, 4, "first"), Function(BASE + 12, 4, "")]
DISASSEMBLY = f"""
{BASE:x} <start>:
start:
    a comment
{BASE:x}:\t1141\tadd sp,sp,-16
{BASE + 2:x}:\t8082\tret

{BASE + 8:x} <first>:
{BASE + 8:x}:\t8082\tret
"""


@pytest.mark.parametrize("name, row", [
    ("fork_exit", "fork+exit+wait"), ("Fork+Exit+Wait", "fork+exit+wait"),
    ("fork+exit+wait-16MiB", "fork+exit+wait-16MiB"), ("fork exec", "fork+exec+exit+wait"),
    ("pipe-512b", "pipe-512B"), ("getp", "getpid"), ("boot", "boot"),
])
def test_names_of_rows(name: str, row: str) -> None:
    """Separators and the rest of the name do not matter; of several rows it is the first."""
    assert choose(name).name == row


@pytest.mark.parametrize("name", ["", "nothing", "exit", "+"])
def test_unknown_names(name: str) -> None:
    """The message has all names."""
    with pytest.raises(CommandFailure) as refused:
        choose(name)
    assert all(row.name in str(refused.value) for row in ROWS)


def test_lines_of_bench() -> None:
    """Other lines on the console do not disturb."""
    text = "cow6\nbench getpid 141 call 1000\nbench done\nbench cow-break x page 1\n"
    assert read_lines(text) == {"getpid": Line(141, "call", 1000)}


def test_counts_of_functions() -> None:
    """Before translation is on, the kernel runs at its physical address."""
    counts = Counter({0x10000: 5, 0x8000_1000: 2, 0x8020_0004: 3, BASE + 4: 4, BASE + 10: 6})
    found = function_counts(counts, FUNCTIONS)
    assert found == {USER: 5, IN_FIRMWARE: 2, "start": 7, "first": 6}


def test_report() -> None:
    """Counts are for each unit, the largest first; functions that do not matter share a line."""
    row = find_row("getpid")
    assert row is not None
    counts = Counter({BASE + 8: 3000, BASE: 1000, BASE + 12: 1})
    lines = report(Profile(row, counts, Line(395, "call", 10)), FUNCTIONS)
    assert lines[0].startswith("getpid: 400 instructions per call")
    assert [line.split() for line in lines[1:]] == [
        ["300.0", "75.0%", "first"], ["100.0", "25.0%", "start"],
        ["0.1", "0.0%", "(1", "other", "functions)"],
    ]


def test_lines_of_a_function() -> None:
    """Instructions have their counts, source lines none."""
    lines = annotated(Counter({BASE: 7}), "start", DISASSEMBLY)
    assert [line.split()[0] for line in lines] == ["start:", "a", "7", f"{BASE + 2:x}:"]
    with pytest.raises(CommandFailure, match="no function 'third'"):
        annotated(Counter(), "third", DISASSEMBLY)


class TestMakeProfile:
    """What `make profile` prints of a row."""

    def test_functions(self) -> None:
        text = make("profile", "BENCH=get_pid")
        total = re.search(r"^getpid: ([\d,]+) instructions per call", text, re.MULTILINE)
        once = re.search(r"^ +([\d.]+) +\d+\.\d%  syscall_dispatch$", text, re.MULTILINE)
        assert total and once
        assert 50 < int(total.group(1).replace(",", "")) < 2000
        assert 5 < float(once.group(1)) < int(total.group(1).replace(",", ""))
        assert "(user mode)" in text

    def test_lines(self) -> None:
        """Each instruction of sys_getpid is executed once a call, a thousand times in a round."""
        text = make("profile", "BENCH=getpid", "FUNCTION=sys_getpid")
        assert len(re.findall(r"^ +1000 +[0-9a-f]+:\t", text, re.MULTILINE)) >= 2

    def test_unknown_row(self) -> None:
        done = run(["make", "-s", "profile", "BENCH=nothing"], cwd=ROOT, seconds=600)
        assert not done.succeeded
        assert "there is no row 'nothing'; the rows are getpid " in done.output
