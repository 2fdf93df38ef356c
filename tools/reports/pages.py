"""Web pages: index.html about a class, and a page for each student.

A page is one file that asks nothing of any other host. Its policy lets only its own style sheet and
script apply, whatever else might get into it.
"""
from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from grader.errors import GRADED, MACHINE_FAULT, RUNNING
from reports.overview import Bin, Overview
from reports.students import REFUSED, WAITING, WORDS, Student, causes_of
from reports.views import (
    SIGNS, StudentView, format_time, has_page, heat_cells, heat_columns, view_for_class,
    view_for_student
)

TEMPLATES = Path(__file__).with_name("templates")
PICTURES_MAX, CARDS_MAX = 8_000_000, 8_000_000  # bytes that index.html spends on them
CARD_BYTES = 1200  # of a card without its picture, beside its text
BAR, BAR_SPACE, CHART_HEIGHT, CHART_TOP, CHART_FOOT = 26, 6, 110, 18, 22
KINDS = {"passed": "", "failed": "f", "not run": "n"}


class Pages:
    """Writes pages about a class."""

    def __init__(self, overview: Overview) -> None:
        self.overview = overview
        self.environment = make_environment()
        self.style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
        self.script = (TEMPLATES / "index.js").read_text(encoding="utf-8")

    def student(self, student: Student) -> str:
        """Returns the page of a student, with nothing about anybody else."""
        view = view_for_student(self.overview.info, student)
        signs = {status: {"sign": SIGNS[status], "kind": KINDS[status]} for status in SIGNS}
        return self._render("student.html.j2", policy=policy(self.style), view=view, signs=signs)

    def index(self, page_bytes: int) -> str:
        """Returns the page about the class. If the students' pages, which have so many bytes, or
        even their cards are too much for one page, it refers to them."""
        class_ = self.overview
        brief = how_brief(class_, page_bytes)
        columns = heat_columns(class_.info)
        rows = sorted(class_.students, key=lambda student: -(student.score or 0))
        return self._render(
            "index.html.j2", policy=policy(self.style, self.script), script=Markup(self.script),
            deadline=format_time(class_.info["deadline"]), histogram=histogram(class_.histogram),
            sections=sections(class_), statuses=statuses(class_), kinds=kinds(class_),
            brief=brief, views=self._views(brief), has_page=has_page, more=search_words,
            columns=columns, heat=[(student, heat_cells(student, columns)) for student in rows],
            **{"class": class_},
        )

    def _render(self, template: str, **values: object) -> str:
        """Returns a page."""
        return self.environment.get_template(template).render(
            info=self.overview.info, style=Markup(self.style), **values
        )

    def _views(self, brief: str) -> list[StudentView]:
        """Returns what is shown of each student."""
        info = self.overview.info
        return [view_for_class(info, student, not brief) for student in self.overview.students]


@lru_cache(maxsize=None)
def make_environment() -> Environment:
    """Returns what reads the templates."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )
    # Only for what is made here, with every text in it escaped: SVG and the heat map's cells.
    environment.filters["picture"] = Markup
    return environment


def policy(style: str, script: str = "") -> str:
    """Returns what a page may do: use this style sheet and this script, and ask for nothing."""
    rules = ["default-src 'none'", f"style-src '{digest(style)}'"]
    rules += [f"script-src '{digest(script)}'"] if script else []
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def digest(text: str) -> str:
    """Returns the hash by which a policy knows a style sheet or a script."""
    value = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(value).decode()}"


def how_brief(overview: Overview, page_bytes: int) -> str:
    """Returns what is left out of index.html: nothing (""), "pictures", or "cards" as well."""
    cards = [test for student in overview.students for test in student.failed]
    if sum(len(test["output"]) + CARD_BYTES for test in cards) > CARDS_MAX:
        return "cards"
    return "pictures" if page_bytes > PICTURES_MAX else ""


def sections(overview: Overview) -> list[tuple[str, str]]:
    """Returns the anchors and names of the sections of index.html."""
    found = [("scores", "Scores"), ("causes", "Causes")]
    found += [("not-graded", "Not graded")] if overview.not_graded else []
    return found + [
        ("students-title", "Students"), ("heat-title", "Tests and students"), ("tests", "Tests"),
        ("times", "Times"), ("each", "Student by student"),
    ]


def statuses(overview: Overview) -> list[tuple[str, str]]:
    """Returns the statuses that occur."""
    found = {student.status for student in overview.students}
    return [(status, words) for status, words in WORDS.items() if status in found]


def kinds(overview: Overview) -> dict[str, str]:
    """Returns for each status that occurs how it is marked."""
    marked = {GRADED: "graded", MACHINE_FAULT: "fault", RUNNING: "fault", WAITING: "fault"}
    marked.update({status: "refused" for status in REFUSED})
    return {student.status: marked.get(student.status, "") for student in overview.students}


def search_words(student: Student) -> str:
    """Returns what a student is found by, beside what the table shows."""
    causes = [text for text, _ in causes_of(student).values()]
    return " ".join([student.login, *(test["id"] for test in student.failed), *causes])


def histogram(bins: list[Bin]) -> str:
    """Returns the bars as an SVG element."""
    most = max((each.students for each in bins), default=0) or 1
    width = (BAR + BAR_SPACE) * len(bins)
    bottom = CHART_TOP + CHART_HEIGHT
    words = ", ".join(f"{each.label} points: {each.students}" for each in bins)
    parts = [
        f'<svg class="chart" viewBox="0 0 {width} {bottom + CHART_FOOT}" role="img" '
        f'aria-label="{escape(words)}"><path d="M0 {bottom}H{width}"/>'
    ]
    for i, each in enumerate(bins):
        height = each.students * CHART_HEIGHT / most
        x = i * (BAR + BAR_SPACE) + BAR_SPACE // 2
        middle = x + BAR // 2
        parts.append(
            f'<rect x="{x}" y="{bottom - height:.1f}" width="{BAR}" height="{height:.1f}" rx="2"/>'
            f'<text class="count" x="{middle}" y="{bottom - height - 5:.1f}" text-anchor="middle">'
            f"{each.students or ''}</text>"
            f'<text x="{middle}" y="{bottom + 16}" text-anchor="middle">{each.first}</text>'
        )
    return "".join([*parts, "</svg>"])
