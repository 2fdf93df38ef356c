"""Scores for Canvas: fills a column of the gradebook that Canvas exports, to be imported again.

A student of ours and a row of the gradebook belong together if the row's ID, SIS login or SIS user
is what we know of the student; only then does the name decide, and only if nobody else has it.
Where anything is in doubt, the cell stays as it is and the doubt is told.
"""
from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from classroom.record import ClassInfo, Record
from grader.display import NAME_COLUMNS, display
from reports.gradebook import Cell, Gradebook
from reports.students import Student, make_students

IDENTITIES = ("ID", "SIS Login ID", "SIS User ID")  # in the order in which they are believed
WORDS_MAX = 8  # of a name
NAME, TEST_STUDENT, POSSIBLE = "Student", "Student, Test", "Points Possible"
ASSIGNMENT = re.compile(r"(?P<name>.*?)\s*\((?P<number>\d+)\)", re.DOTALL)


class BadGradebook(ValueError):
    """The file is no gradebook, or the column cannot be told; the message says what to do."""


def fill_gradebook(
    gradebook: bytes, column: str | None, info: ClassInfo, records: Sequence[Record]
) -> tuple[bytes, list[str]]:
    """Returns the gradebook with the scores in a column, and a line for whatever could not be
    matched or needs a look.

    Without a column, the only one of an assignment is filled; BadGradebook if there are more. A
    student who has no score keeps what is in the cell.
    """
    book = Gradebook(gradebook)
    head = [cell.text for cell in book.rows[0]] if book.rows else []
    if NAME not in head or "ID" not in head:
        raise BadGradebook("this is no gradebook of Canvas: it has no columns Student and ID")
    place = find_column(head, column)
    rows = [row for row in book.rows[1:] if is_student(head, row)]
    students = make_students(info, records)
    matches, doubts = Matcher(head, rows, students).match()
    scale, notes = read_scale(book, head, place, info["max_score"])
    changes: dict[Cell, str] = {}
    for student, row in matches:
        if place >= len(row):
            doubts.append(f"the row of {_shown(row[head.index(NAME)].text)} is too short")
        elif student.score is not None:
            changes[row[place]] = scale(student.score)
    return book.with_cells(changes), notes + doubts


# ---- Columns ----


def find_column(head: Sequence[str], column: str | None) -> int:
    """Returns the number of the column to fill: by its whole name, its name without the number, or
    the number."""
    choices = {i: found for i, found in enumerate(map(ASSIGNMENT.fullmatch, head)) if found}
    if column is None:
        named = list(choices)
    else:
        named = [i for i, name in enumerate(head) if name == column] or [
            i for i, found in choices.items() if column.strip() in found.groups()
        ]
    named = [i for i in named if i in choices]
    if len(named) == 1:
        return named[0]
    names = ", ".join(_shown(head[i]) for i in choices) or "none"
    problem = "which column?" if column is None else f"no single column is {_shown(column)}."
    raise BadGradebook(f"{problem} The assignments in the gradebook are: {names}")


def is_student(head: Sequence[str], row: Sequence[Cell]) -> bool:
    """Tells whether a row is a student's."""
    name, identity = _value(head, row, NAME), _value(head, row, "ID")
    return bool(identity) and name != TEST_STUDENT and name != POSSIBLE


class Scale:
    """Turns our points into those of the column."""

    def __init__(self, ours: int, possible: float, has_comma: bool) -> None:
        self.ours, self.possible, self.has_comma = ours, possible, has_comma

    def __call__(self, score: int) -> str:
        points = round(score * self.possible / self.ours, 2) if self.ours else 0.0
        text = f"{points:.2f}".rstrip("0").rstrip(".")
        return text.replace(".", ",") if self.has_comma else text


def read_scale(
    book: Gradebook, head: Sequence[str], place: int, most: int
) -> tuple[Scale, list[str]]:
    """Returns how points become those of the column, and a note if they are not the same."""
    for row in book.rows[1:]:
        if _value(head, row, NAME) == POSSIBLE and place < len(row):
            text = row[place].text.strip()
            has_comma = "," in text and "." not in text and book.separator == ord(";")
            number = text.replace(",", "." if has_comma else "")
            if re.fullmatch(r"\d+(?:\.\d+)?", number) and float(number) > 0:
                scale = Scale(most, float(number), has_comma)
                note = f"the column has {number} points, the tests {most}: all scores are scaled"
                return scale, [] if float(number) == most else [note]
    return Scale(most, most, False), []


# ---- Rows ----


class Matcher:
    """Finds the rows of students."""

    def __init__(
        self, head: Sequence[str], rows: Sequence[list[Cell]], students: Sequence[Student]
    ) -> None:
        self.rows, self.students = rows, students
        self.names = [_value(head, row, NAME) for row in rows]
        self.by_identity = [
            _group((i, {_value(head, row, column).casefold()}) for i, row in enumerate(rows))
            for column in IDENTITIES
        ]
        self.by_name = _group((i, name_forms(name)) for i, name in enumerate(self.names))
        self.namesakes = _group((j, name_forms(each.name)) for j, each in enumerate(students))

    def match(self) -> tuple[list[tuple[Student, list[Cell]]], list[str]]:
        """Returns the pairs of student and row, and a line for each that has no partner."""
        found = {student.id: self._find(student) for student in self.students}
        times = Counter(row for row in found.values() if row is not None)
        pairs, doubts = [], []
        for student in self.students:
            row = found[student.id]
            who = f"{student.id} ({student.label})"
            if row is None:
                doubts.append(f"not in the gradebook: {who}")
            elif times[row] > 1:
                doubts.append(f"not filled in: {who} and another have the same row")
            elif not agree(self.names[row], student.name):
                name = _shown(self.names[row])
                doubts.append(f"not filled in: {who} has the number or login of {name}")
            else:
                pairs.append((student, self.rows[row]))
        left = [name for i, name in enumerate(self.names) if i not in times]
        return pairs, doubts + [f"only in the gradebook: {_shown(name)}" for name in left]

    def _find(self, student: Student) -> int | None:
        """Returns the number of a student's row: the only one with the identity or, if none has it,
        with the name."""
        known = {student.login.casefold(), student.id.casefold()} - {""}
        for rows in self.by_identity:
            here = {row for word in known for row in rows.get(word, ())}
            if here:
                return here.pop() if len(here) == 1 else None
        forms = name_forms(student.name)
        here = {row for form in forms for row in self.by_name.get(form, ())}
        others = {other for form in forms for other in self.namesakes[form]}
        return here.pop() if len(here) == 1 and len(others) == 1 else None


def _group(items: Iterable[tuple[int, set[str]]]) -> dict[str, set[int]]:
    """Returns for each word the numbers that have it."""
    found: dict[str, set[int]] = {}
    for number, words in items:
        for word in words:
            found.setdefault(word, set()).add(number)
    return found


def agree(theirs: str, ours: str) -> bool:
    """Tells whether two names can be one person's: they have a word in common, or one is unknown.
    Numbers of different platforms may be the same by chance."""
    words = {_letters(word) for word in re.split(r"[\s,]+", theirs)} - {""}
    whole = _letters(ours)
    return not whole or not words or any(word in whole for word in words)


def name_forms(name: str) -> set[str]:
    """Returns how a name may be written, in letters only: "Doe, Jane" is also "Jane Doe", and both
    are "doejane" in the names of files."""
    last, comma, first = name.partition(",")
    words = [first, last] if comma else name.split()
    turns = range(len(words[:WORDS_MAX]))
    return {_letters("".join(words[i:] + words[:i])) for i in turns} - {""}


def _letters(text: str) -> str:
    """Returns a name's letters and digits, without accents and capitals."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def _value(head: Sequence[str], row: Sequence[Cell], name: str) -> str:
    """Returns the text of a row in a column, "" if there is no such cell."""
    place = head.index(name) if name in head else len(row)
    return row[place].text.strip() if place < len(row) else ""


def _shown(text: str) -> str:
    """Returns text of the gradebook as it can be shown."""
    return display(text.strip(), columns=NAME_COLUMNS, lines=1)
