"""Tests of tools/bench.py: the table, and the comparison with the saved numbers."""
from __future__ import annotations

from pathlib import Path

import bench
import pytest
from bench import COMPILER, QEMU, Measured, seconds_between, short, table, wrong_rows
from bench_rows import ROWS
from bench_saved import Numbers, SavedProblem, compare, read_saved, write_saved

COUNTS = {row.name: 1000 for row in ROWS}
TOOLS = "gcc 12.2.0, QEMU 7.2"
SAVED = Numbers(TOOLS, COUNTS)


def with_count(count: int, tools: str = TOOLS) -> Numbers:
    """The saved numbers but for that count of getpid."""
    return Numbers(tools, {**COUNTS, "getpid": count})


@pytest.mark.parametrize("count, problem", [
    (1050, ""), (1051, "getpid: saved 1,000, now 1,051, 5.1 % more"), (951, ""), (1000, ""),
])
def test_more_instructions(count: int, problem: str) -> None:
    """More than 5 % is a problem, which names row, saved number, new number and percent."""
    found = compare(SAVED, with_count(count))
    assert [text.partition(";")[0] for text in found.problems] == ([problem] if problem else [])
    assert not found.remarks


def test_fewer_instructions() -> None:
    """An improvement of more than 5 % is only mentioned."""
    found = compare(SAVED, with_count(900))
    assert not found.problems
    assert found.remarks == [
        "getpid: saved 1,000, now 900, 10.0 % fewer; `make bench-save` saves what is measured now"
    ]


def test_small_counts() -> None:
    """One instruction is the least that can change, and is no problem where it is more than 5 %."""
    saved = Numbers(TOOLS, {"shared-write": 3})
    assert not compare(saved, Numbers(TOOLS, {"shared-write": 4})).problems
    assert compare(saved, Numbers(TOOLS, {"shared-write": 5})).problems


def test_rows_come_and_go() -> None:
    """A row that is on one side only is a problem, and the message says what to do."""
    fewer = Numbers(TOOLS, {name: 1000 for name in COUNTS if name != "boot"})
    for saved, now, word in ((SAVED, fewer, "not measured"), (fewer, SAVED, "not saved")):
        problem, = compare(saved, now).problems
        assert problem.startswith("boot: ") and word in problem and "make bench-save" in problem


def test_other_tools() -> None:
    """They are named, and more instructions pass, but not any number."""
    found = compare(SAVED, with_count(1900, "clang 14.0.6, QEMU 7.2"))
    assert not found.problems
    assert "of gcc 12.2.0, QEMU 7.2, these are of clang 14.0.6, QEMU 7.2" in found.remarks[0]
    assert compare(SAVED, with_count(2001, "clang 14.0.6, QEMU 7.2")).problems


def test_saved_file(tmp_path: Path) -> None:
    """What is written is read again; other files are refused, and the message says what to do."""
    path = tmp_path / "bench.json"
    with pytest.raises(SavedProblem, match="no saved numbers: `make bench-save`"):
        read_saved(path)
    write_saved(SAVED, path)
    assert read_saved(path) == SAVED
    for text in ("", "[]", "{}", '{"tools": "x", "instructions": {"getpid": "many"}}'):
        path.write_text(text)
        with pytest.raises(SavedProblem, match="cannot be read"):
            read_saved(path)


class TestCheck:
    """bench.py --check with what a run would have measured."""

    @pytest.fixture(autouse=True)
    def measured(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run that measures what is saved."""
        monkeypatch.setattr(bench, "SAVED", tmp_path / "bench.json")
        monkeypatch.setattr(bench, "is_plain_build", lambda: True)
        monkeypatch.setattr(bench, "measure", lambda: Measured(SAVED, {"getpid": 0.25}))
        monkeypatch.setattr("sys.argv", ["bench.py", "--check"])

    def test_as_saved(self, capsys: pytest.CaptureFixture[str]) -> None:
        write_saved(SAVED, bench.SAVED)
        assert bench.main() == 0
        assert capsys.readouterr().out == f"bench: {len(ROWS)} rows are as saved, or better\n"

    def test_planted_regression(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The saved number of one row is changed; nothing is written."""
        write_saved(with_count(940), bench.SAVED)
        before = bench.SAVED.read_bytes()
        assert bench.main() == 1
        assert "bench: getpid: saved 940, now 1,000, 6.4 % more; " in capsys.readouterr().out
        assert bench.SAVED.read_bytes() == before

    def test_nothing_saved(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert bench.main() == 1
        assert "there are no saved numbers" in capsys.readouterr().out

    def test_another_build(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of DEBUG=1 or OPT=-O0 nothing is compared or saved."""
        monkeypatch.setattr(bench, "is_plain_build", lambda: False)
        for option in ("--check", "--save"):
            monkeypatch.setattr("sys.argv", ["bench.py", option])
            assert bench.main() == 1
            assert "without DEBUG and OPT" in capsys.readouterr().out
        assert not bench.SAVED.exists()

    def test_save(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.argv", ["bench.py", "--save"])
        assert bench.main() == 0
        assert read_saved(bench.SAVED) == SAVED

    def test_wrong_rows(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They fail without --check, too, and are not saved."""
        counts = {**{name: 1 for name in COUNTS if name != "getpid"}, "new": 1}
        monkeypatch.setattr(bench, "measure", lambda: Measured(Numbers(TOOLS, counts), {}))
        monkeypatch.setattr("sys.argv", ["bench.py", "--save"])
        assert bench.main() == 1
        assert "no line `bench getpid ...`" in capsys.readouterr().out
        assert len(wrong_rows(Numbers(TOOLS, counts))) == 2
        assert not bench.SAVED.exists()


def test_table() -> None:
    """Each row has its count, the ratio to the saved one, the target, and QEMU's time."""
    lines = table(Measured(with_count(1500), {"getpid": 0.25}), SAVED)
    assert len(lines) == len(ROWS) + 1 and max(map(len, lines)) <= 110
    assert len({len(line) for line in lines}) == 1, "the columns are not wide enough"
    assert lines[1].split() == [
        "getpid,", "per", "call", "1,500", "x1.50", "100", "1,080", "1,080", "431", "0.250", "s",
    ]
    assert " missing " in table(Measured(Numbers(TOOLS, {}), {}), Numbers("", {}))[1]


def test_short_numbers() -> None:
    assert [short(n) for n in (3, 8000, 26_378, 433_838, 1_653_470, 188_000_000)] == [
        "3", "8,000", "26.4K", "434K", "1.65M", "188M",
    ]


def test_seconds() -> None:
    """If QEMU ended before it was asked about the last row, the rest is the last row's."""
    marks = [("boot", 0.5), ("getpid", 0.75), ("file-read", 0.0)]
    assert seconds_between(marks, 1.0) == {"boot": 0.5, "getpid": 0.25, "file-read": 0.25}


@pytest.mark.parametrize("said, name", [
    ("riscv64-unknown-elf-gcc (12.2.0-14+deb12u1+11+b2) 12.2.0", "gcc 12.2.0"),
    ("riscv64-linux-gnu-gcc (Ubuntu 13.2.0-4ubuntu3) 13.2.0", "gcc 13.2.0"),
    ("Debian clang version 14.0.6", "clang 14.0.6"),
    ("Ubuntu clang version 18.1.3 (1ubuntu1)", "clang 18.1.3"),
])
def test_names_of_compilers(said: str, name: str) -> None:
    """A distribution's own numbers do not count."""
    found = COMPILER.search(said)
    assert found and " ".join(found.groups()) == name


def test_name_of_qemu() -> None:
    found = QEMU.search("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)")
    assert found and found.groups() == ("QEMU", "7.2")
