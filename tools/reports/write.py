#!/usr/bin/env python3
"""Writes all reports of a report folder again, from class.json and results/ID.json in it."""
from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from python_packages import need_packages  # noqa: E402

if __name__ == "__main__":
    need_packages("rich", "jinja2")

from classroom.record import ClassInfo, Record, read_class, read_records  # noqa: E402
from entry import run_main  # noqa: E402
from grader.errors import InfraError  # noqa: E402
from reports.feedback import Feedback  # noqa: E402
from reports.junit import junit_xml  # noqa: E402
from reports.overview import Overview, make_overview  # noqa: E402
from reports.pages import Pages  # noqa: E402
from reports.summary import print_summary  # noqa: E402
from reports.tables import results_csv, results_json  # noqa: E402
from reports.texts import is_safe_id  # noqa: E402
from reports.views import has_page  # noqa: E402

STUDENTS = "students"  # the folder with a page for each
TABLES = {"results.csv": results_csv, "results.json": results_json, "junit.xml": junit_xml}


def write_reports(out: Path) -> list[Path]:
    """Writes all reports of a report folder, each under a temporary name until it is whole; returns
    the files, without the students' own.

    ValueError if the folder has no plan of a class, or one in which an id is no name for a file;
    OSError if it cannot be read; InfraError if the reports cannot be written.
    """
    info, records = read_class(out), read_records(out)
    wrong = [each["id"] for each in info["submissions"] if not is_safe_id(each["id"])]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no id of a student")
    try:
        return [*write_tables(out, info, records), *write_pages(out, make_overview(info, records))]
    except OSError as error:
        raise InfraError(f"the reports cannot be written: {error}") from None


def write_tables(out: Path, info: ClassInfo, records: Sequence[Record]) -> list[Path]:
    """Writes what programs read."""
    for name, make in TABLES.items():
        with replacing(out / name) as new:
            new.write_bytes(make(info, records))
    return [out / name for name in TABLES]


def write_pages(out: Path, overview: Overview) -> list[Path]:
    """Writes the students' pages, the archive of them, and the page about the class."""
    pages, written, page_bytes = Pages(overview), set(), 0
    folder = out / STUDENTS
    folder.mkdir(exist_ok=True)
    with replacing(out / "feedback.zip") as new, Feedback(new) as feedback:
        for student in filter(has_page, overview.students):
            page = pages.student(student)
            path = folder / f"{student.id}.html"
            write_text(path, page)
            feedback.add(student.submission, page)
            written.add(path)
            page_bytes += len(page)
    for old in set(folder.glob("*.html")) - written:  # of a student who has no verdict any more
        old.unlink()
    write_text(out / "index.html", pages.index(page_bytes))
    return [out / "index.html", out / "feedback.zip"]


def write_text(path: Path, text: str) -> None:
    """Writes a file that readers see whole."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8", errors="replace")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary name, and renames it at the end; removes it if that does not come."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        yield new
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def main() -> int:
    """Writes the reports; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, metavar="REPORT", help="the folder of a report")
    out = parser.parse_args().out
    if isinstance(sys.stdout, io.TextIOWrapper):  # it may have letters of one language only
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        written = write_reports(out)
        print_summary(read_class(out), read_records(out))
    except (ValueError, OSError, InfraError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    print("\nwritten:", *written, sep="\n  ")
    return 0


if __name__ == "__main__":
    run_main(main)
