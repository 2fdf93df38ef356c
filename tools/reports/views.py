"""What the templates show of a student: cards, parts and tests, as texts that must be escaped."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from xml.sax.saxutils import escape

from classroom.record import ClassInfo, TestInfo
from grader.errors import GRADED
from grader.results import PartResult, ProcessPages, TestResult
from reports.pagepicture import svg_of
from reports.students import REFUSED, Student, causes_of
from reports.texts import PathHider

Hide = Callable[[str], str]
Column = tuple[str, str, list[TestInfo]]  # of the heat map: a part

CODE = ("panic", "console", "machine", "again")  # rows whose lines matter
OF_MACHINE = ("files", "again")  # rows that name folders of the machine that graded
SIGNS = {"passed": "✓", "failed": "F", "not run": "–"}
HEAT = {"passed": "·", "failed": "F"}


@dataclass(frozen=True)
class Card:
    """A test that failed."""

    id: str
    points: str
    shows: str
    likely: str
    rows: list[tuple[str, str, bool]]  # label, text, and whether it is code
    picture: str  # an SVG element, "" for none
    folder: str  # of its transcripts, relative to the report, "" for none


@dataclass(frozen=True)
class Part:
    """A part with its tests."""

    letter: str
    title: str
    score: int
    most: int
    tests: Sequence[TestResult]


@dataclass(frozen=True)
class StudentView:
    """A student."""

    student: Student
    reason: str
    late: str
    submitted: str
    parts: list[Part]
    causes: list[tuple[str, int]]
    cards: list[Card]


def view_for_student(info: ClassInfo, student: Student) -> StudentView:
    """Returns what the student may see: nothing about the machine that graded."""
    hide = PathHider(student.submission)
    cards = [
        _card(
            test, hide, [(label, text) for label, text in test["card"] if label not in OF_MACHINE]
            + [("again", repeat_command(student, test))], "", True
        )
        for test in student.failed
    ]
    causes = [(hide(text), number) for text, number in causes_of(student).values()]
    return _view(info, student, hide(student.reason), causes, cards)


def view_for_class(info: ClassInfo, student: Student, pictures: bool) -> StudentView:
    """Returns what the instructor sees, with or without pictures."""
    cards = []
    for test in student.failed:
        rows = [(label, text) for label, text in test["card"] if label != "files"]
        folder = f"files/{student.id}/{test['id']}" if len(rows) < len(test["card"]) else ""
        cards.append(_card(test, str, rows, folder, pictures))
    return _view(info, student, student.reason, list(causes_of(student).values()), cards)


def repeat_command(student: Student, test: TestResult) -> str:
    """Returns the command that runs a test again in the student's own tree."""
    again = dict(test["card"]).get("again", "")
    trial = again.rpartition(" --trial ")[2] if " --trial " in again else ""
    more = f" --trial {int(trial)}" if trial.isdecimal() else ""
    return f"./grade-cow --seed {student.submission['seed']} {test['id']}{more}"


def _view(
    info: ClassInfo, student: Student, reason: str, causes: list[tuple[str, int]],
    cards: list[Card],
) -> StudentView:
    """Returns the view of a student."""
    days = student.submission["late_days"]
    late = f"{days} day{'s' if days > 1 else ''} late" if days > 0 else ""
    results = student.results if student.status == GRADED else None
    parts = [_part(part, student) for part in results["parts"]] if results else []
    return StudentView(
        student, reason, late, format_time(student.submitted), parts, causes, cards
    )


def _part(part: PartResult, student: Student) -> Part:
    """Returns a part."""
    tests = [test for test in student.tests if test["part"] == part["part"]]
    return Part(part["part"], part["title"], part["score"], part["max_score"], tests)


def _card(
    test: TestResult, hide: Hide, rows: Sequence[tuple[str, str]], folder: str, picture: bool
) -> Card:
    """Returns the card of a test."""
    shown = [
        (label, hide(text) if label != "again" else text, label in CODE)
        for label, text in rows if label not in ("shows", "likely")
    ]
    has_picture = picture and any(process["pages"] for process in test["pages"])
    return Card(
        test["id"], f"{test['score']}/{test['max_score']}", test["shows"],
        hide(dict(rows).get("likely", "")), shown,
        svg_of(_hide_names(test["pages"], hide), test["page"]) if has_picture else "", folder,
    )


def _hide_names(pages: Sequence[ProcessPages], hide: Hide) -> list[ProcessPages]:
    """Returns a page map with its texts hidden like all others."""
    hidden = [process.copy() for process in pages]
    for process in hidden:
        process["name"], process["problem"] = hide(process["name"]), hide(process["problem"])
    return hidden


def has_page(student: Student) -> bool:
    """Tells whether there is a page to send to the student: a verdict on what was handed in."""
    return student.status == GRADED or student.status in REFUSED


def format_time(text: str) -> str:
    """Returns an ISO time as people read it, or the text if it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = "UTC" if time.utcoffset() == timezone.utc.utcoffset(None) else time.strftime("%z")
    return f"{time:%Y-%m-%d %H:%M} {zone}".strip()


def heat_cells(student: Student, columns: Sequence[Column]) -> str:
    """Returns a student's row of the heat map as HTML: a cell for each part, with a letter for each
    test, and in words what was lost."""
    verdicts = {test["id"]: test["status"] for test in student.tests}
    ran = student.status == GRADED
    cells = []
    for _, _, tests in columns:
        signs = "".join(HEAT.get(verdicts.get(test["id"], ""), "-") for test in tests)
        lost = ", ".join(test["id"] for test, sign in zip(tests, signs) if sign == "F")
        words = f"lost {lost}" if lost else "nothing lost" if ran else "not run"
        letters = re.sub("F+", r"<b>\g<0></b>", signs)
        name = "v" if ran else "v n"
        cells.append(f'<td class="{name}" aria-label="{escape(words)}"><span>{letters}</span></td>')
    return "".join(cells)


def heat_columns(info: ClassInfo) -> list[Column]:
    """Returns the parts that have tests: letter, title, tests."""
    found = []
    for part, title in info["parts"].items():
        tests = [test for test in info["tests"] if test["part"] == part]
        found += [(part, title, tests)] if tests else []
    return found
