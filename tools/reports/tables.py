"""results.csv, a row for each student, and results.json, which has everything.

A spreadsheet takes a cell that begins with =, +, - or @ for a formula, which may start programs. So
an apostrophe is put before these letters wherever a cell begins, also for a spreadsheet that takes
other letters than the comma for separators.
"""
from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Union

from classroom.record import ClassInfo, Record
from grader.display import display
from reports.students import Student, causes_of, make_students

Cell = Union[str, int, float, None]

BOM = b"\xef\xbb\xbf"  # without it, Excel takes UTF-8 for something else
FORMULA = re.compile("(^|[;,\t\"])(\\s*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
CELL_COLUMNS = 2000
FIRST = ("id", "name", "login", "section", "score", "max_score", "status", "reason", "late_days",
         "submitted")
LAST = ("likely_causes", "seed", "cpu_seconds")


def results_csv(info: ClassInfo, records: Sequence[Record]) -> bytes:
    """Returns the table: the students, with their points for each part and test."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    parts = [f"part {part}" for part in info["parts"]]
    tests = [test["id"] for test in info["tests"]]
    writer.writerow([safe_cell(name) for name in (*FIRST, *parts, *tests, *LAST)])
    for student in make_students(info, records):
        writer.writerow([safe_cell(cell) for cell in _row(info, student)])
    return BOM + text.getvalue().encode()


def results_json(info: ClassInfo, records: Sequence[Record]) -> bytes:
    """Returns the plan of the class and all records, as one JSON object; a line for each record."""
    lines = ",\n".join(json.dumps(record) for record in records)
    return f'{{"format": 1, "class": {json.dumps(info)}, "records": [\n{lines}\n]}}\n'.encode()


def safe_cell(cell: Cell) -> Cell:
    """Returns what can stand in a cell: numbers as they are, text on one line, and never a
    formula."""
    if not isinstance(cell, str):
        return "" if cell is None else cell
    line = " ".join(cell.splitlines())
    return FORMULA.sub(r"\1\2'", display(line, columns=CELL_COLUMNS, lines=1))


def _row(info: ClassInfo, student: Student) -> Iterator[Cell]:
    """Yields the cells of a student."""
    cells: list[Cell] = [
        student.id, student.name, student.login, student.section, student.score,
        info["max_score"], student.status, student.reason, student.submission["late_days"],
        student.submitted,
    ]
    yield from cells
    results = student.results if student.score is not None else None
    parts = {part["part"]: part["score"] for part in results["parts"]} if results else {}
    yield from (parts.get(part) for part in info["parts"])
    tests = {test["id"]: test["score"] for test in student.tests if test["status"] != "not run"}
    yield from (tests.get(test["id"]) for test in info["tests"])
    yield "; ".join(text for text, _ in causes_of(student).values())
    yield student.submission["seed"]
    yield student.cpu_seconds
