#!/usr/bin/env python3
"""Grades the submission that a course platform hands over, and tells the platform the result in its
own format. A platform's entry script calls this as `run.py PLATFORM --root FOLDER`.

The grader runs as a child, so that a result comes out whatever happens to it: a fault of the
machine is never a mark. Exit status: 0, except for platforms that take another status for such a
fault (Gradescope, Classroom 50: 1) or for lost points (GitHub: as grade-cow).
"""
from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.dont_write_bytecode = True

from entry import run_main  # noqa: E402
from grader.display import display, display_message  # noqa: E402
from grader.errors import GRADED, MACHINE_FAULT, InfraError  # noqa: E402
from grader.folders import remove  # noqa: E402
from grader.results import Results, TestResult  # noqa: E402
from platforms import (  # noqa: E402
    autolab, classroom50, gradescope, prairielearn, vpl, github, jobs
)
from platforms.child import adopt_orphans, blame_machine, grade  # noqa: E402
from platforms.files import replace_file  # noqa: E402
from platforms.jobs import BadPlace, Job, Place  # noqa: E402
from platforms.settings import BadSettings, Settings, read_settings  # noqa: E402
from platforms.view import View  # noqa: E402
from reports.pagepicture import png_of, svg_of  # noqa: E402

LAST_SECONDS = 15.0  # before the platform's limit the grading is stopped
TEST_SHARE = 0.85  # of the time: after that no test is started
LOG_LINES = 400


def summary_file(place: Place) -> Path:
    """Returns the file of a job's summary."""
    return Path(place.variables.get("GITHUB_STEP_SUMMARY") or place.root / "summary.md")


Export = Callable[[Results, View], Optional[str]]


@dataclass(frozen=True)
class Platform:
    """How a platform is served."""

    find: Callable[[Place, Settings], Job]
    export: Export
    output: Callable[[Place], Optional[Path]] = lambda place: None  # None is standard output
    others: Mapping[str, Export] = field(default_factory=dict)  # further files in its folder
    is_live: bool = False  # it may show results that are not complete
    shows_log: bool = False  # standard output is for the course staff
    has_commands: bool = False  # that stand in lines of standard output
    fault_status: int = 0  # the exit status for a fault of the machine
    lost_status: int = 0  # and if points are lost


PLATFORMS = {
    "gradescope": Platform(
        jobs.find_gradescope, gradescope.export, lambda place: place.root / "results/results.json",
        is_live=True, shows_log=True, fault_status=1,
    ),
    "classroom50": Platform(
        jobs.find_classroom50, classroom50.export, lambda place: place.root / "result.json",
        {"release-body.md": classroom50.release_body},
        shows_log=True, has_commands=True, fault_status=1,
    ),
    "github": Platform(
        jobs.find_github, github.export, summary_file,
        shows_log=True, has_commands=True, fault_status=3, lost_status=1,
    ),
    "autolab": Platform(jobs.find_autolab, autolab.export),
    "prairielearn": Platform(
        jobs.find_prairielearn, prairielearn.export,
        lambda place: place.root / "results/results.json", shows_log=True,
    ),
    "vpl": Platform(jobs.find_vpl, vpl.export),
}


class Pictures:
    """Draws the page map of each failed test once."""

    def __init__(self) -> None:
        self._drawn: dict[str, bytes | None] = {}

    def of(self, test: TestResult) -> bytes | None:
        """Returns a test's page map as a PNG file; None if there is none."""
        if not test["pages"]:
            return None
        if test["id"] not in self._drawn:
            self._drawn[test["id"]] = png_of(svg_of(test["pages"], test["page"]))
        return self._drawn[test["id"]]


def words_for(job: Job, settings: Settings) -> list[str]:
    """Returns grade-cow's command line."""
    words = [str(job.submission), "--jobs", str(settings.jobs), "--sandbox", settings.sandbox]
    words += ["--time-limit", f"{job.seconds * TEST_SHARE:g}"]
    words += ["--seed", str(job.seed)] if job.seed is not None else []
    return [*words, *settings.options]


def write(text: str | None, output: Path | None) -> None:
    """Hands a text to the platform; without one, removes what it would read."""
    if output is None:
        print(text or "", end="", flush=True)
    elif text is None:
        remove(output)
    else:
        replace_file(output, text)


def run(platform: Platform, place: Place, settings: Settings) -> int:
    """Grades a submission and tells the platform; returns the exit status."""
    output, log = platform.output(place), place.work / "log"
    view = View(settings)
    try:
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            remove(output, *(place.root / name for name in platform.others))
        job = platform.find(place, settings)
        view = View(settings, job.facts, Pictures().of)

        def show(results: Results) -> None:
            if platform.is_live and results["status"] != MACHINE_FAULT:
                write(platform.export(results, view), output)

        seconds = job.seconds - LAST_SECONDS
        results = grade(words_for(job, settings), place.work / "results.json", log, seconds, show)
    except (BadPlace, InfraError, OSError) as error:
        results = blame_machine(str(error))
    if platform.shows_log and log.exists():
        show_log(log.read_text(encoding="utf-8", errors="replace"), platform.has_commands)
    status = tell(platform, results)
    for name, export in platform.others.items():
        write(export(results, view), place.root / name)
    write(platform.export(results, view), output)  # after all else: Autolab reads the last line
    return status


def tell(platform: Platform, results: Results) -> int:
    """Says if the machine is to blame; returns the exit status."""
    if results["status"] == MACHINE_FAULT:
        why = display_message(results["reason"])
        print(f"not the submission's fault: {why}", file=sys.stderr, flush=True)
        return platform.fault_status
    lost = results["status"] != GRADED or results["score"] < results["max_score"]
    return platform.lost_status if lost else 0


def show_log(text: str, has_commands: bool) -> None:
    """Prints what the grader printed. Where lines of a log can be commands, these are not."""
    token = secrets.token_hex(16)
    before, after = (f"::stop-commands::{token}\n", f"::{token}::\n") if has_commands else ("", "")
    shown = display(text, lines=LOG_LINES)
    print(f"{before}{shown.rstrip()}\n{after}", end="", flush=True)


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("platform", choices=PLATFORMS)
    parser.add_argument(
        "--root", type=Path, default=Path.cwd(), help="the platform's folder (default: this one)"
    )
    options = parser.parse_args()
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="platform-") as work:
        place = Place(options.root.absolute(), os.environ, Path(work))
        try:
            return run(PLATFORMS[options.platform], place, read_settings(options.platform))
        except BadSettings as error:
            print(f"run.py: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    run_main(main)
