"""Reads a list of submissions: a CSV file with the columns `id` and `path`, in which a path is a
folder, an archive, a git URL or path@revision; perhaps with name, section, time and seed."""
from __future__ import annotations

import csv
import io
import os
from datetime import datetime
from pathlib import Path

from classroom.finder import Contents, Found, HandedIn
from classroom.times import parse_time
from grader.display import display_name
from grader.submission import URL, split_revision

COLUMNS = ("id", "path", "name", "section", "time", "seed")
NEEDED = COLUMNS[:2]


class BadList(Exception):
    """The list cannot be understood; the message says where."""


def read_list(file: Path) -> Found:
    """Reads a CSV file; relative paths are looked for beside it. BadList names the first line that
    makes no sense; OSError if the file cannot be read."""
    text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
    rows = csv.DictReader(io.StringIO(text, newline=""), dialect=_dialect(text))
    rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or []]
    missing = [name for name in NEEDED if name not in rows.fieldnames]
    if missing:
        raise BadList(f"{file} has no column {' and no column '.join(missing)}")
    try:
        return Found([_attempt(file, rows.line_num, row) for row in rows])
    except csv.Error as error:
        raise BadList(f"{file}, line {rows.line_num}: {error}") from None


def _dialect(text: str) -> type[csv.Dialect]:
    """Returns how the cells are separated, as the first line shows."""
    class Dialect(csv.excel):
        """With the separator that is there."""

        delimiter = max(",;\t", key=text.partition("\n")[0].count)

    return Dialect


def _attempt(file: Path, line: int, row: dict[str, str | None]) -> HandedIn:
    """Returns what a row says."""
    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    if not cells["id"]:
        raise BadList(f"{file}, line {line}: the id is missing")
    source, problem = _source(file.parent, cells["path"])
    return HandedIn(
        cells["id"], cells["name"], cells["section"], source, cells["path"],
        _time(file, line, cells["time"]), problem=problem, seed=_seed(file, line, cells["seed"]),
    )


def _source(folder: Path, path: str) -> tuple[str, str]:
    """Returns what a path of the list means, or why nothing can be graded."""
    if URL.fullmatch(path):
        return path, ""
    if not path:
        return "", "nothing was handed in: the list has no path"
    place = os.path.abspath(folder / path)
    if os.path.isfile(place) or split_revision(place):
        return place, ""
    if os.path.isdir(place):
        return Contents(Path(place)).choose()
    return "", f"nothing was handed in: {display_name(path)} does not exist"


def _time(file: Path, line: int, text: str) -> datetime | None:
    """Returns a time of the list."""
    try:
        return parse_time(text) if text else None
    except ValueError:
        raise BadList(f"{file}, line {line}: {display_name(text)} is no time") from None


def _seed(file: Path, line: int, text: str) -> int | None:
    """Returns a seed of the list."""
    if text and not text.isdecimal():
        raise BadList(f"{file}, line {line}: {display_name(text)} is no seed")
    return int(text) if text else None
