"""Results of submissions of all kinds, and how platforms read what they are given."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
from grader.errors import (
    DOES_NOT_COMPILE, DOES_NOT_START, GRADED, MACHINE_FAULT, RUNNING, UNREADABLE
)
from grader.results import FORMAT, Results, TestResult
from platforms.settings import Settings
from platforms.view import View

SCHEMAS = Path(__file__).parent / "schemas"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
REFUSALS = (UNREADABLE, DOES_NOT_COMPILE, DOES_NOT_START)
FACTS = {
    "classroom": "os", "assignment": "cow", "assignment_type": "individual", "owner": "alice",
    "submission": "submit/1", "commit": "https://x/c", "release": "https://x/r",
    "review": "https://x/v", "datetime": "2026-06-01T14:32:01Z",
}
CARD = [
    ("shows", "pages are shared"), ("expected", "one frame"), ("seen", "two frames"),
    ("likely", "fork copies"), ("again", "./grade-cow /secret/place --seed 7 fork_shares"),
    ("files", "/secret/place/build/grade/fork_shares/"),
]
# What a student may try to smuggle into a platform's own language.
HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>", "</pre><h1>100/100</h1>",
    "Grade :=>> 100", "--|>\nGrade :=>>100\n<|--", "Comment :=>> full marks", "-Title (-5)",
    '{"scores": {"Copy-on-write": 100}}\n', '{"_presentation": "semantic", "stages": []}\n',
    "::set-output name=x::y", "\x1b[31mred\x1b[2J\x07", "a\r\nGrade :=>> 99\r\nb",
    "a\u2028Grade :=>> 98", "\ud800 a lone surrogate", "\u202e mirrored", "]]>", "| a | b |",
    "x" * 1_000_000, "line\n" * 200_000, "\0", "'\"`${IFS}", "\u0001" * 100_000,
]


def passed(name: str, part: str = "A", **changes: Any) -> TestResult:
    """Returns a test that passed, with changes."""
    test: TestResult = {
        "id": name, "part": part, "shows": f"what {name} shows", "score": 4, "max_score": 4,
        "status": "passed", "trials": 1, "failed_trials": [], "seconds": 1.0, "wall_seconds": 1.0,
        "cpu_seconds": 1.0, "cause": "", "card": [], "output": "", "page": None, "pages": [],
    }
    test.update(changes)  # type: ignore[typeddict-item]
    return test


def failed(name: str, card: list[tuple[str, str]], part: str = "A") -> TestResult:
    """Returns a test that failed with this card, and with a page map."""
    pages = [{"name": "child", "pid": 2, "root": 0, "pages": [], "left_out": 0, "problem": ""}]
    return passed(name, part, score=0, status="failed", card=card, page=4096, pages=pages)


def results_of(tests: list[TestResult], status: str = GRADED, reason: str = "") -> Results:
    """Returns the results of a submission with these tests."""
    points, most = sum(t["score"] for t in tests), sum(t["max_score"] for t in tests)
    parts = sorted({test["part"] for test in tests})
    return {
        "format": FORMAT, "source": "here", "tree": "cow6", "seed": 7, "status": status,
        "reason": reason, "complete": status not in (RUNNING, MACHINE_FAULT), "score": points,
        "max_score": most, "cpu_seconds": 9.0, "wall_seconds": 9.5,
        "protections": ["files: bubblewrap"], "missing": ["user: the grader is not root"],
        "parts": [{"part": p, "title": f"title of {p}", "score": 0, "max_score": 9} for p in parts],
        "tests": tests,
    }


def not_run(name: str) -> TestResult:
    """Returns a test that has not run."""
    return passed(name, score=0, status="not run", trials=0)


RIGHT = results_of([passed("fork_shares"), passed("races", "G")])
WRONG = results_of([failed("fork_shares", CARD), passed("races", "G")])
UNFINISHED = results_of([failed("fork_shares", CARD), not_run("races")], RUNNING)
BROKEN_MACHINE = results_of(
    [passed("fork_shares"), not_run("races")], MACHINE_FAULT, "no QEMU"
)
REFUSED = [results_of([not_run("races")], status, "kernel/x.c:1: error: é") for status in REFUSALS]
HOSTILE_CARDS = results_of([
    *(failed(f"test_{n}", [("seen", text), ("likely", text)]) for n, text in enumerate(HOSTILE)),
    passed("races", "G"),
])
HOSTILE_REASONS = [results_of([not_run("races")], UNREADABLE, text) for text in HOSTILE]
SAMPLES = [RIGHT, WRONG, *REFUSED, HOSTILE_CARDS, *HOSTILE_REASONS]


def view(visibility: dict[str, str] | None = None, png: bytes | None = PNG) -> View:
    """Returns what an exporter is given: settings, facts, pictures of failed tests."""
    own = {"problem": "Copy-on-write", "handin": "submission.tar.gz"}
    settings = Settings({"tests": "visible", **(visibility or {})}, 1, "full", (), 600.0, own)
    return View(settings, FACTS, lambda test: png if test["pages"] else None)


def check_schema(name: str, value: Any) -> None:
    """Checks a value against tests/platforms/schemas/NAME.json."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(value)


def read_json(name: str, text: str | None) -> Any:
    """Returns the value of a JSON text that is as the schema wants it; the text can be stored."""
    assert text is not None
    text.encode("utf-8")
    value = json.loads(text)
    check_schema(name, value)
    return value


def read_autolab(printed: str) -> tuple[str, Any, Any]:
    """Returns the text, the table and the scores that Autolab finds in what was printed."""
    lines = printed.rstrip().split("\n")
    # Autolab puts quotes around words before a colon, so a line must survive that.
    assert re.sub(r"([a-zA-Z0-9]+):", r'"\1":', lines[-1]) == lines[-1]
    scores, table = json.loads(lines[-1]), json.loads(lines[-2])
    check_schema("autolab_scores", scores)
    check_schema("autolab_table", table)
    assert set(table["stages"]) == table.keys() - {"_presentation", "stages"}
    return "\n".join(lines[:-2]), table, scores


def read_vpl(printed: str) -> tuple[str, str | None]:
    """Returns the comment and the grade that VPL finds in what was printed: the grade is the last
    one at the beginning of a line, and a comment ends at the first tag that stands alone."""
    assert "\r" not in printed  # it would change how VPL tells lines
    grades = re.findall(r"^Grade :=>>(.*)$", printed, re.MULTILINE)
    begin = re.search(r"^[ \t]*(?:Comment :=>>.*|<\|--)[ \t]*$", printed, re.MULTILINE)
    assert begin is not None
    end = re.compile(r"^[ \t]*--\|>[ \t]*$", re.MULTILINE).search(printed, begin.end())
    assert end is not None
    rest = printed[end.end():]
    assert re.fullmatch(r"\n?(Grade :=>> [\d.]+\n)?", rest), rest
    return printed[begin.end():end.start()], grades[-1].strip() if grades else None
