"""results.csv, results.json and the terminal's summary: complete, and without formulas and
escapes."""
from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence

import pytest
from classroom.record import ClassInfo, Record
from classes import MOST, TESTS, make_class, make_hostile
from hypothesis import given
from hypothesis import strategies as st
from reports.overview import make_histogram, make_overview, make_scores
from reports.summary import print_summary
from reports.tables import BOM, results_csv, results_json, safe_cell

FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "=cmd|' /C calc'!A0", "\t=1", "\r=1", "  =1", "\uff1d1")
CLASS = make_class(60)


def rows_of(data: bytes, separator: str = ",") -> list[list[str]]:
    """Returns the cells as a spreadsheet reads them."""
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=separator))


def summary_of(info: ClassInfo, records: Sequence[Record]) -> str:
    """Returns the summary as it is printed into a file."""
    stream = io.StringIO()
    print_summary(info, records, stream)
    return stream.getvalue()


# ---- results.csv ----


def test_a_row_for_each_student() -> None:
    info, records = CLASS
    data = results_csv(info, records)
    assert data.startswith(BOM) and data.count(b"\r\n") == 61
    head, *rows = rows_of(data)
    assert [row[0] for row in rows] == [each["id"] for each in info["submissions"]]
    assert len({len(row) for row in (head, *rows)}) == 1
    first = dict(zip(head, rows[0]))
    results = records[0]["results"]
    assert first["score"] == str(results["score"]) and first["max_score"] == str(MOST)
    assert first["part A"] == str(results["parts"][0]["score"])
    test = results["tests"][3]
    assert first[test["id"]] == str(test["score"])


def test_who_is_not_graded_has_no_points_but_a_reason() -> None:
    head, *rows = rows_of(results_csv(*CLASS))
    by_status: dict[str, dict[str, str]] = {}
    for row in rows:
        by_status.setdefault(dict(zip(head, row))["status"], dict(zip(head, row)))
    assert set(by_status) == {"graded", "does-not-compile", "machine-fault", "not-handed-in"}
    assert by_status["does-not-compile"]["score"] == "0"
    assert "cow.c:12" in by_status["does-not-compile"]["reason"]
    for status in ("machine-fault", "not-handed-in"):
        found = by_status[status]
        assert [found["score"], found["part A"], found[TESTS[0]["id"]]] == ["", "", ""]
        assert found["reason"]


def test_whoever_has_no_record_waits() -> None:
    info, records = make_class(3)
    _, *rows = rows_of(results_csv(info, records[:2]))
    assert [row[6] for row in rows] == ["graded", "graded", "waiting"]


@pytest.mark.parametrize("text", FORMULAS)
def test_text_cannot_become_a_formula(text: str) -> None:
    assert not str(safe_cell(text)).lstrip().startswith(("=", "+", "-", "@", "\uff1d"))


def test_a_formula_cannot_hide_behind_another_separator() -> None:
    """A spreadsheet that wants semicolons cuts a line there, whatever quotes say."""
    for text in ("a;=1+1", 'a";=1+1', "a\t=1", "a,=1+1", 'a,"=1'):
        for piece in re.split("[;,\t]", str(safe_cell(text))):
            assert not piece.lstrip(' "').startswith("="), text


def test_numbers_and_plain_text_stay_as_they_are() -> None:
    assert safe_cell(-3) == -3 and safe_cell(1.5) == 1.5 and safe_cell(None) == ""
    for text in ("O'Brien", "a@b.example", "well-known", "x = y", "García, Łucja"):
        assert safe_cell(text) == text


def check_cells(data: bytes) -> None:
    """No cell is a formula or has a control character, with whatever separator it is read."""
    text = data.decode("utf-8-sig")
    assert not re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]", text)
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            for cell in row:
                assert not re.match(r"\s*[=+@-]", cell), (separator, cell)


@given(st.text() | st.sampled_from(FORMULAS), st.text() | st.sampled_from(FORMULAS))
def test_nothing_of_a_student_is_a_formula(text: str, raw: str) -> None:
    check_cells(results_csv(*make_hostile(text, raw)))


# ---- results.json ----


def test_json_has_everything() -> None:
    info, records = CLASS
    value = json.loads(results_json(info, records))
    assert value["class"] == json.loads(json.dumps(info))
    assert value["records"] == json.loads(json.dumps(records))


@given(st.text(), st.binary())
def test_json_holds_any_name(text: str, raw: bytes) -> None:
    """Names that are not UTF-8, too; nothing in the file is more than ASCII."""
    data = results_json(*make_hostile(text, raw.decode("utf-8", "surrogateescape")))
    data.decode("ascii")
    assert json.loads(data)["class"]["submissions"][0]["original"] == raw.decode(
        "utf-8", "surrogateescape"
    )


# ---- The class as a whole ----


def test_scores() -> None:
    assert make_scores([]) is None
    one = make_scores([70])
    assert one is not None and (one.mean, one.median, one.quartiles) == (70, 70, (70, 70))
    scores = make_scores([0, 50, 60, 80, 100])
    assert scores is not None
    assert (scores.mean, scores.median, scores.quartiles) == (58, 60, (50, 80))


@given(st.lists(st.integers(0, 100)), st.integers(0, 120))
def test_histogram_counts_everybody_once(points: list[int], most: int) -> None:
    points = [min(score, most) for score in points]
    bins = make_histogram(points, most)
    assert sum(each.students for each in bins) == len(points)
    assert bins[-1].first == most
    assert all(a.last + 1 == b.first for a, b in zip(bins, bins[1:]))


def test_machine_faults_count_for_nobody() -> None:
    overview = make_overview(*CLASS)
    assert len(overview.unfinished) == 2
    assert len(overview.graded) + len(overview.refused) + len(overview.missing) == 58
    assert sum(each.students for each in overview.histogram) == len(overview.graded)
    lost = overview.hardest[0]
    assert lost.ran == len(overview.graded) and 0 < lost.share <= 1
    assert overview.hardest == sorted(overview.hardest, key=lambda each: -each.share)
    assert overview.causes[0].students >= overview.causes[-1].students


# ---- The summary ----


def test_summary_tells_all_and_has_no_escapes_outside_a_terminal() -> None:
    said = summary_of(*CLASS)
    overview = make_overview(*CLASS)
    for text in (
        "60 students", f"{len(overview.graded)} graded", "2 without a result", "median",
        overview.hardest[0].test["id"], "no space left on", "Slowest", "100 ", "####",
    ):
        assert text in said
    assert "\x1b" not in said and not re.search("[━│┃─]", said)
    assert max(map(len, said.splitlines())) <= 100


def test_summary_tells_which_protections_were_missing() -> None:
    info, records = make_class(3)
    assert "protections" not in summary_of(info, records)
    for record in records[:2]:
        record["results"]["missing"] = ["user: the grader is not root"]
    said = summary_of(info, records)
    assert re.search("Missing protections\n +user: the grader is not root +2 of 3\n", said)


def test_summary_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    print_summary(CLASS[0], CLASS[1], stream)
    assert "\x1b[1m" in stream.getvalue() and "━" in stream.getvalue()


def test_summary_of_nobody() -> None:
    info, _ = make_class(0)
    assert "0 students" in summary_of(info, [])


@given(st.text(), st.text())
def test_nothing_of_a_student_changes_the_terminal(text: str, raw: str) -> None:
    said = summary_of(*make_hostile(text, raw))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said)


def test_markup_of_rich_is_plain_text() -> None:
    assert "[bold red]x" in summary_of(*make_hostile("[bold red]x[/] :smile:", "x"))
