"""The command line of grade-cow --class."""
from __future__ import annotations

import argparse
import os
import shlex
from datetime import datetime
from pathlib import Path

from classroom.times import parse_time
from grader.display import display_name
from grader.options import TIME_LIMIT, Parser, add_choice_options, add_sandbox_options

THROTTLE = 100  # tasks at a time

EPILOG = """SUBMISSIONS is a folder as Canvas, Moodle, Gradescope, Blackboard or GitHub write it,
with archives, folders and git checkouts; or a CSV file with the columns id and path (and perhaps
name, section, time, seed). The same command, started again, continues: what is graded already and
has not changed since is kept.

Exit status: 0 everybody is graded, 2 the command line or the list is wrong, 3 the machine could not
grade everybody: run the same command again."""


class ClassOptions(argparse.Namespace):
    """The command line."""

    submissions: Path
    out: Path
    jobs: int
    seed: int | None
    deadline: datetime | None
    grace_days: int
    file_times: bool
    canvas: Path | None
    column: str | None
    test: list[str]
    tree: str | None
    lab: str
    title: str
    time_limit: float
    sandbox: str
    slurm: bool
    per_task: int | None
    throttle: int
    slurm_args: list[str]


def make_parser() -> Parser:
    """Returns the parser of the command line."""
    parser = Parser(
        prog="grade-cow", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Grades a whole class, and writes reports.",
    )
    parser.add_argument(
        "--class", dest="submissions", type=Path, nargs="?", metavar="SUBMISSIONS",
        help="what was handed in: a folder, or a CSV file",
    )
    parser.add_argument(
        "--out", type=Path, metavar="REPORT",
        help="the folder for results and reports, new or from an earlier run",
    )
    parser.add_argument(
        "--canvas", type=Path, metavar="GRADEBOOK",
        help="also fill a column of a gradebook that Canvas exported, as REPORT/canvas.csv",
    )
    parser.add_argument(
        "--column", metavar="NAME",
        help="the assignment whose column that is (default: the only one in the gradebook)",
    )
    add_choice_options(parser)
    add_attempt_options(parser)
    add_run_options(parser)
    add_slurm_options(parser)
    return parser


def add_attempt_options(parser: Parser) -> None:
    """Adds the options that say which attempt of a student is graded."""
    parser.add_argument(
        "--deadline", type=_time, metavar="TIME",
        help="of each student the latest attempt before it counts: 2026-11-29, "
        "2026-11-29T18:00, 2026-11-29T18:00+09:00",
    )
    parser.add_argument(
        "--grace-days", type=_count, default=0, metavar="N",
        help="an attempt counts, too, if it is at most N days late (default: 0)",
    )
    parser.add_argument(
        "--file-times", action="store_true",
        help="take the time of a file for the time at which it was handed in, if nothing else "
        "tells that",
    )


def add_run_options(parser: Parser) -> None:
    """Adds the options that say how the class is graded."""
    parser.add_argument(
        "-j", "--jobs", type=_positive, default=os.cpu_count() or 1, metavar="N",
        help="grade N submissions at a time (default: one for each processor)",
    )
    parser.add_argument(
        "--seed", type=int,
        help="the seed from which each student's comes (default: that of the earlier run, or a "
        "new one)",
    )
    parser.add_argument(
        "--time-limit", type=float, default=TIME_LIMIT, metavar="SECONDS",
        help=f"start no test of a submission after this many seconds (default: {TIME_LIMIT:g})",
    )
    add_sandbox_options(parser)
    parser.add_argument("--lab", default="cow", help=argparse.SUPPRESS)


def add_slurm_options(parser: Parser) -> None:
    """Adds the options that say how a cluster grades the class."""
    parser.add_argument(
        "--slurm", action="store_true",
        help="grade on a Slurm cluster whose machines share SUBMISSIONS, REPORT and this tree "
        "(docs/scale.md)",
    )
    parser.add_argument(
        "--per-task", type=_positive, metavar="N",
        help="let a task grade N submissions (default: 1 to 8, more in large classes)",
    )
    parser.add_argument(
        "--throttle", type=_positive, default=THROTTLE, metavar="N",
        help=f"run at most N tasks at a time (default: {THROTTLE})",
    )
    parser.add_argument(
        "--slurm-args", type=_words, default=[], metavar="WORDS",
        help='more words for sbatch: --slurm-args="--partition=short --account=os"',
    )


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{display_name(text)} is no time: write 2026-11-29T18:00"
        ) from None


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{display_name(text)}: {error}") from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{display_name(text)} is no number")
    return int(text)


def _positive(text: str) -> int:
    if _count(text) < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return int(text)


def grading_words(options: ClassOptions) -> list[str]:
    """Returns the options of grade-cow with which each submission is graded."""
    words = ["--jobs", "1", "--time-limit", f"{options.time_limit:g}", "--lab", options.lab]
    words += ["--tree", options.tree] if options.tree else []
    words += ["--sandbox", options.sandbox]
    return words + [word for test in options.test for word in ("-t", test)]
