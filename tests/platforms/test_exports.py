"""What each platform is told: in its own format, whatever is in the results."""
from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Optional

import pytest
from grader.results import Results
from platforms import autolab, classroom50, github, gradescope, prairielearn, vpl
from platforms.view import NOT_YOUR_FAULT, View
from platform_samples import (
    BROKEN_MACHINE, HOSTILE, HOSTILE_CARDS, PNG, REFUSED, SAMPLES, UNFINISHED, WRONG,
    failed, not_run, passed, read_autolab, read_json, read_vpl, results_of, view
)

Export = Callable[[Results, View], Optional[str]]
EXPORTS: list[Export] = [
    module.export for module in (autolab, classroom50, github, gradescope, prairielearn, vpl)
]
for_each_sample = pytest.mark.parametrize("results", SAMPLES, ids=range(len(SAMPLES)))


def text_of(export: Export, results: Results, seen: View | None = None) -> str:
    text = export(results, seen or view())
    assert text is not None
    return text


# ---- All platforms ----


@pytest.mark.parametrize("export", EXPORTS)
def test_exporting_changes_nothing_and_is_repeatable(export: Export) -> None:
    before = json.dumps(WRONG)
    assert text_of(export, WRONG) == text_of(export, WRONG)
    assert json.dumps(WRONG) == before


@pytest.mark.parametrize("export", EXPORTS)
def test_no_path_of_the_grading_machine_is_told(export: Export) -> None:
    assert "/secret/place" not in text_of(export, WRONG)


@pytest.mark.parametrize("export", [e for e in EXPORTS if e is not classroom50.export])
def test_a_card_tells_why_and_how_to_see_it_again(export: Export) -> None:
    text = text_of(export, WRONG, view(png=None))
    assert "two frames" in text and "./grade-cow --seed 7 fork_shares" in text


@pytest.mark.parametrize("export", [e for e in EXPORTS if e is not gradescope.export])
@pytest.mark.parametrize("name", ["tests", "A", "fork_shares"])
def test_hidden_tests_have_no_card(export: Export, name: str) -> None:
    """Gradescope knows visibilities; on the others only the points are told."""
    text = text_of(export, WRONG, view({name: "after_due_date"}))
    assert "fork_shares" in text
    assert not re.search("two frames|fork copies|image/png", text)


@pytest.mark.parametrize("export", EXPORTS)
@for_each_sample
def test_no_export_has_control_characters(export: Export, results: Results) -> None:
    for piece in (text_of(export, results), *strings(text_of(export, results))):
        assert not re.search(r"[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800]", piece)


def strings(text: str) -> list[str]:
    """Returns the strings of a JSON text; none of another text."""
    found: list[str] = []

    def collect(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                collect(key)
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)
        elif isinstance(value, str):
            found.append(value)

    try:
        collect(json.loads(text))
    except ValueError:
        pass
    return found


# ---- Gradescope ----


@for_each_sample
def test_gradescope_reads_it(results: Results) -> None:
    value = read_json("gradescope", gradescope.export(results, view()))
    assert sum(test["score"] for test in value["tests"]) == results["score"]
    assert value["extra_data"]["missing"] == ["user: the grader is not root"]


def test_gradescope_shows_what_is_finished() -> None:
    value = read_json("gradescope", gradescope.export(UNFINISHED, view()))
    assert [test["number"] for test in value["tests"]] == ["A.1"]
    assert value["output"].startswith("Not finished: 1 of 2 tests have run.")
    none = results_of([not_run("races")], "running")
    assert read_json("gradescope", gradescope.export(none, view()))["tests"] == []


def test_gradescope_gets_nothing_from_a_broken_machine() -> None:
    """It takes missing results for a fault that is not the student's."""
    assert gradescope.export(BROKEN_MACHINE, view()) is None


@pytest.mark.parametrize("results", REFUSED, ids=[results["status"] for results in REFUSED])
def test_gradescope_says_why_nothing_was_graded(results: Results) -> None:
    test, = read_json("gradescope", gradescope.export(results, view()))["tests"]
    assert (test["score"], test["max_score"]) == (0, 4)
    assert test["output"] == "kernel/x.c:1: error: é"
    assert text_of(gradescope.export, results).count("x.c:1") == 1


def test_gradescope_is_told_when_each_test_may_be_seen() -> None:
    seen = view({"G": "after_due_date", "fork_shares": "hidden", "stdout": "after_published"})
    value = read_json("gradescope", gradescope.export(WRONG, seen))
    assert [test["visibility"] for test in value["tests"]] == ["hidden", "after_due_date"]
    assert value["stdout_visibility"] == "after_published"


def test_gradescope_shows_page_maps() -> None:
    first, second = read_json("gradescope", gradescope.export(WRONG, view()))["tests"]
    assert (first["output_format"], second["output_format"]) == ("html", "text")
    data = re.search(r'src="data:image/png;base64,([^"]+)"', first["output"])
    assert data is not None and base64.b64decode(data.group(1)) == PNG


def test_gradescope_gets_no_markup_from_a_card() -> None:
    for test in read_json("gradescope", gradescope.export(HOSTILE_CARDS, view()))["tests"]:
        if test["output_format"] == "html":
            assert re.findall(r"<[a-z/]\w*", test["output"]) == ["<pre", "</pre", "<img"]


def test_gradescope_gets_no_more_pictures_than_it_can_show() -> None:
    text = text_of(gradescope.export, HOSTILE_CARDS, view(png=bytes(400_000)))
    assert 3_000_000 < len(text) < 6_000_000


# ---- Classroom 50 ----


@for_each_sample
def test_classroom50_reads_it(results: Results) -> None:
    value = read_json("classroom50", classroom50.export(results, view()))
    assert value["score"] == sum(test["score"] for test in value["tests"])
    assert value["score"] <= value["max-score"] == results["max_score"]


def test_classroom50_is_told_of_parts_if_there_are_too_many_tests() -> None:
    many = results_of([passed(f"test_{n}") for n in range(101)])
    tests = read_json("classroom50", classroom50.export(many, view()))["tests"]
    assert [test["test-name"] for test in tests] == ["A: title of A"]


def test_classroom50_gets_nothing_from_a_broken_machine() -> None:
    assert classroom50.export(BROKEN_MACHINE, view()) is None
    assert classroom50.release_body(BROKEN_MACHINE, view()) is None


# ---- Autolab ----


@for_each_sample
def test_autolab_reads_it(results: Results) -> None:
    text, table, scores = read_autolab(text_of(autolab.export, results))
    assert scores == {
        "scores": {"Copy-on-write": results["score"]}, "scoreboard": [results["score"]]
    }
    assert len(text) < 400_000
    shown = [test["passed"] for stage in table["stages"] for test in table[stage].values()]
    assert shown.count(True) == sum(test["status"] == "passed" for test in results["tests"])


def test_autolab_gets_no_score_from_a_broken_machine() -> None:
    """A null is no score; a line that it cannot read would be a zero."""
    text, table, scores = read_autolab(text_of(autolab.export, BROKEN_MACHINE))
    assert NOT_YOUR_FAULT in text and table["stages"] == []
    assert scores == {"scores": {"Copy-on-write": None}, "scoreboard": []}


def test_autolab_shows_hints() -> None:
    _, table, _ = read_autolab(text_of(autolab.export, WRONG))
    assert table["A title of A"] == {"fork_shares": {"passed": False, "hint": "fork copies"}}


# ---- PrairieLearn ----


@for_each_sample
def test_prairielearn_reads_it(results: Results) -> None:
    text = text_of(prairielearn.export, results, view(png=bytes(150_000)))
    value = read_json("prairielearn", text)
    assert len(text.encode()) <= prairielearn.BYTES_MAX
    assert value["gradable"] == (results["status"] == "graded")
    if value["gradable"]:
        assert value["score"] == results["score"] / results["max_score"]


@pytest.mark.parametrize("letter", ["x", "é", '"', "\\", "\U0001f600"])
def test_prairielearn_never_gets_more_than_it_reads(letter: str) -> None:
    card = [(f"row {n}", letter * 200_000) for n in range(40)]
    large = results_of([failed(f"test_{n}", card) for n in range(60)])
    text = text_of(prairielearn.export, large, view(png=bytes(90_000)))
    assert 700_000 < len(text.encode()) <= prairielearn.BYTES_MAX
    tests = read_json("prairielearn", text)["tests"]
    assert tests[0]["output"].endswith("[...]") and "images" in tests[0]
    assert "images" not in tests[-1]


def test_prairielearn_takes_no_attempt_for_a_broken_machine() -> None:
    value = read_json("prairielearn", prairielearn.export(BROKEN_MACHINE, view()))
    assert value["gradable"] is False and value["format_errors"] == [NOT_YOUR_FAULT]


# ---- VPL ----


@for_each_sample
def test_vpl_reads_it(results: Results) -> None:
    comment, grade = read_vpl(text_of(vpl.export, results))
    assert grade is not None
    assert float(grade) == pytest.approx(100 * results["score"] / results["max_score"], abs=0.01)
    assert len(comment) < 300_000


def test_vpl_gets_no_grade_from_a_broken_machine() -> None:
    comment, grade = read_vpl(text_of(vpl.export, BROKEN_MACHINE))
    assert grade is None and NOT_YOUR_FAULT in comment


def test_vpl_shows_cards_and_never_understands_them() -> None:
    comment, _ = read_vpl(text_of(vpl.export, HOSTILE_CARDS))
    lines = comment.strip("\n").split("\n")
    titles = [line for line in lines if not line.startswith("> ")]
    assert titles == [
        *(f"-test_{n}: failed, 0 of 4" for n in range(len(HOSTILE))), "-races: passed, 4 of 4"
    ]
    assert "Grade :=>> 100" in comment


def test_vpl_uses_the_range_of_the_activity() -> None:
    seen = View(view().settings, {"grade_min": "1", "grade_max": "5"})
    assert read_vpl(text_of(vpl.export, WRONG, seen))[1] == "3.00"


# ---- GitHub ----


@pytest.mark.parametrize("export, most", [
    (github.export, github.BYTES_MAX), (classroom50.release_body, classroom50.BODY_BYTES)
])
@for_each_sample
def test_github_gets_no_markup_and_not_too_much(
    export: Export, most: int, results: Results
) -> None:
    text = text_of(export, results)
    assert len(text.encode()) <= most
    assert set(re.findall(r"<[a-z/!]\w*", text)) == {"<pre", "</pre"}
    for block in text.split("</pre>")[:-1]:
        assert "<pre>" in block
        outside = block.split("<pre>")[0]
        assert re.fullmatch(r"(\s|## [\w -]+|### \w+|\|.*\|)*", outside), outside
