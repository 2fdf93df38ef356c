"""The end of grading a class: reports, Canvas's gradebook, a summary on the terminal."""
from __future__ import annotations

import os
from pathlib import Path

from classroom.options import ClassOptions
from classroom.record import ClassInfo, read_class, read_records
from grader.display import display_name
from grader.errors import InfraError
from grader.options import BadUsage
from reports.canvas import BadGradebook, fill_gradebook
from reports.summary import print_summary
from reports.write import write_reports

CANVAS_FILE = "canvas.csv"


def report(options: ClassOptions) -> None:
    """Writes the reports and prints how the class did; InfraError if they cannot be written."""
    written = write_reports(options.out)
    info, records = read_class(options.out), read_records(options.out)
    print()
    print_summary(info, records)
    if options.canvas:
        filled, remarks = fill_gradebook(
            options.canvas.read_bytes(), options.column, info, records
        )
        written.append(options.out / CANVAS_FILE)
        write_bytes(written[-1], filled)
        print("", "Canvas's gradebook:", *(remarks or ["everybody is in it"]), sep="\n  ")
    print("", "written:", sep="\n")
    print(*(f"  {display_name(str(path))}" for path in written), sep="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file that readers see whole."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        new.write_bytes(content)
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise InfraError(f"{path} cannot be written: {error}") from None


def check_gradebook(options: ClassOptions, info: ClassInfo) -> None:
    """BadUsage if there is no gradebook to fill, before hours are spent on grading."""
    if options.column and not options.canvas:
        raise BadUsage("--column says which column of the gradebook that --canvas names")
    if options.canvas:
        try:
            fill_gradebook(options.canvas.read_bytes(), options.column, info, [])
        except (OSError, BadGradebook) as error:
            raise BadUsage(f"{display_name(str(options.canvas))}: {error}") from None
