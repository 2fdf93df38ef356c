"""grade-cow: grades this tree or a submission.

Exit status: 0 all points, 1 points are lost, 2 the command line is wrong, 3 the grading machine
could not do its work (then no score is printed), 4 the submission cannot be read, built or started.
"""
from __future__ import annotations

import argparse
import configparser
import dataclasses
import io
import os
import random
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn
from collections.abc import Iterator, Sequence

from grader import cow6, submission, xv6
from grader.archives import Sizes
from grader.budget import BUILD_SECONDS
from grader.display import display_message, display_name
from grader.errors import DOES_NOT_COMPILE, DOES_NOT_START, UNREADABLE, InfraError, SubmissionError
from grader.machine import Built
from grader.report import Report
from grader.run import Lab, Setting, Test, load_lab
from grader.runner import run_tests
from grader.sandbox import Sandbox
from grader.score import Score
from products import ROOT, can_be_made, product

ALL_POINTS, POINTS_LOST, BAD_USAGE, INFRASTRUCTURE, NOT_GRADED = 0, 1, 2, 3, 4
TREES = ("cow6", "xv6")


class Parser(argparse.ArgumentParser):
    """Shows what is wrong with a command line, some words of which others may have chosen."""

    def error(self, message: str) -> NoReturn:
        super().error(display_message(message))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(
        prog="grade-cow", description="Grades the copy-on-write lab.",
        epilog=__doc__ and __doc__.split("\n\n")[1]
    )
    parser.add_argument(
        "words", nargs="*", metavar="PATH [TEST ...]",
        help="a directory, .tar[.gz|.xz], .zip, git URL or path@revision (default: this tree); "
        "the tests to run: ids, beginnings of ids, or letters of parts (--list shows all)",
    )
    parser.add_argument(
        "-t", "--test", action="append", default=[], metavar="TEST",
        help="run this test only (may be repeated)"
    )
    parser.add_argument(
        "--tree", choices=TREES, help="what kind of kernel it is (default: found out)"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true",
        help="show also what passed tests cost, and the steps of failed ones"
    )
    parser.add_argument("--list", action="store_true", help="list the tests and what each is worth")
    parser.add_argument(
        "--json", type=Path, metavar="FILE",
        help="write the results into FILE, again after every test"
    )
    parser.add_argument(
        "--seed", type=int,
        help="the seed of everything random (default: a new one, which is printed)"
    )
    parser.add_argument(
        "--trial", type=int, metavar="N", help="run only this trial of tests that have several"
    )
    parser.add_argument(
        "--keep", nargs="?", type=Path, const=Path("grade-results"), metavar="DIR",
        help="keep kernel, image and transcripts in DIR",
    )
    parser.add_argument(
        "--time-limit", type=float, default=600.0, metavar="SECONDS",
        help="start no test after this time (600)"
    )
    parser.add_argument(
        "--jobs", type=int, default=min(4, os.cpu_count() or 1), metavar="N",
        help="machines that run at a time"
    )
    parser.add_argument(
        "--unsafe", action="store_true", help="do without the sandbox where it is not available"
    )
    parser.add_argument("--lab", default="cow", help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    options.fail, options.tree_given = parser.error, options.tree is not None
    return options


def choose(tests: Sequence[Test], filters: Sequence[str]) -> tuple[list[Test], list[str]]:
    """Returns the tests that a filter names (all if there is none), and the filters that name none."""
    if not filters:
        return list(tests), []
    chosen: list[Test] = []
    unknown = []
    for word in filters:
        found = [test for test in tests if test.id == word] or [
            test for test in tests if word and (test.id.startswith(word) or test.part == word)
        ]
        unknown += [] if found else [word]
        chosen += [test for test in found if test not in chosen]
    return [test for test in tests if test in chosen], unknown


def split_words(words: Sequence[str], tests: Sequence[Test]) -> tuple[str, list[str]]:
    """Tells the submission from the filters: the first word is a filter only if it names tests and no file."""
    if words and choose(tests, words[:1])[0] and not choose(tests, words[:1])[1] and not os.path.exists(words[0]):
        return str(ROOT), list(words)
    return (words[0], list(words[1:])) if words else (str(ROOT), [])


def could_be_submission(source: str) -> bool:
    """Tells a submission, good or bad, from a slip of the pen."""
    return os.path.lexists(source) or submission.split_revision(source) is not None or ":" in source


def read_lab_settings(name: str) -> configparser.ConfigParser:
    """Reads labs/NAME/lab.ini."""
    settings = configparser.ConfigParser()
    if not settings.read(ROOT / "labs" / name / "lab.ini", encoding="utf-8"):
        raise InfraError(f"labs/{name}/lab.ini is missing")
    return settings


@contextmanager
def phase(status: str) -> Iterator[None]:
    """An error of the submission that comes up meanwhile has this status unless it has one."""
    try:
        yield
    except SubmissionError as error:
        error.status = error.status or status
        raise


def build(
    options: argparse.Namespace, source: str, lab: Lab, work: Path, sandbox: Sandbox
) -> tuple[Built, Path]:
    """Fetches and builds the submission; returns it and the probe."""
    sandbox = sandbox.with_budget(BUILD_SECONDS)
    section = read_lab_settings(options.lab)["cow6"]
    with phase(UNREADABLE):
        tree, options.tree = submission.bring(source, work / "fetched", options.tree, sandbox)
        if options.tree == "cow6":
            collected = collect(tree, work / "submitted", section, sandbox)
    probe = lab.build_probe(work / "probe")
    programs = {"init": probe}
    with phase(DOES_NOT_COMPILE):
        if options.tree == "xv6":
            return xv6.build(tree, work / "build", sandbox, programs=programs), probe
        built = cow6.build(
            collected.root, work / "build", sandbox, pristine=ROOT, programs=programs,
            prefix=collected.prefix, memory=section.getint("memory"),
        )
    notes = [f"{name} is taken for a copy: it was left out" for name in collected.copies]
    traits: dict[str, object] = {**built.traits, "notes": notes}
    return dataclasses.replace(built, traits=traits), probe


def collect(
    tree: Path, to: Path, section: configparser.SectionProxy, sandbox: Sandbox
) -> submission.Collected:
    """Copies the files that the lab allows and wants."""
    sizes = Sizes(*map(section.getint, ("files", "file_bytes", "total_bytes")))
    allowed, required = section["allowed"].split(), section["required"].split()
    return submission.collect(tree, to, allowed, required, sandbox, sizes)


def grade(options: argparse.Namespace, source: str, lab: Lab, tests: Sequence[Test]) -> int:
    """Grades a submission and returns the exit status."""
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    score = Score(source, options.tree or "", seed, lab.PARTS, tests)
    with ExitStack() as stack:
        folder, work = make_folders(options, stack)
        report = Report(options, score, lab, folder)
        report.write()
        print(f"seed {seed}", flush=True)
        try:
            run(options, report, work)
        except SubmissionError as error:
            report.refuse(error)
            return NOT_GRADED
        except Exception as error:
            report.blame_machine(error)
            raise
    report.end()
    return ALL_POINTS if score.points == score.most else POINTS_LOST


def run(options: argparse.Namespace, report: Report, work: Path) -> None:
    """Builds the submission and runs its tests."""
    score, sandbox = report.score, Sandbox(options.unsafe)
    built, probe = build(options, score.source, report.lab, work, sandbox)
    score.tree = options.tree
    report.note(built)
    setting = Setting(report.lab, built, probe, work / "tests", sandbox, score.seed)
    with phase(DOES_NOT_START):
        for result in run_tests(
            setting, score.tests, options.jobs, lambda: score.wall_seconds > options.time_limit
        ):
            report.add(result)
    if len(score.results) < len(score.tests):
        ran = f"only {len(score.results)} of {len(score.tests)} tests had run"
        raise InfraError(f"after {options.time_limit:g} s {ran}")


def make_folders(options: argparse.Namespace, stack: ExitStack) -> tuple[Path, Path]:
    """Returns the folder for the transcripts of failed tests, and the one to work in, which is kept only if wanted."""
    if options.keep:
        folder = options.keep.absolute()
        return folder, folder / "work"
    work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="grade-")))
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    place = product("build/grade")
    return (
        place if can_be_made(place) else Path(tempfile.gettempdir()) / "grade-cow"
    ) / stamp, work


def print_list(lab: Lab, tests: Sequence[Test]) -> None:
    """Lists the tests."""
    for part, title in lab.PARTS.items():
        chosen = [test for test in tests if test.part == part]
        if chosen:
            print(f"Part {part}, {title}: {sum(test.points for test in chosen)}")
        for test in chosen:
            print(f"  {test.id:<30} {test.points}  {test.shows}")


def blame_machine(why: str) -> int:
    """Says that the grading machine could not do its work; returns the exit status."""
    shown = display_message(why)
    print(f"grade-cow: this is no fault of the submission: {shown}", file=sys.stderr)
    return INFRASTRUCTURE


def blame_grader(error: Exception) -> int:
    """Says that something came up which the grader does not expect; returns the exit status."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"
    return blame_machine(f"grade-cow itself failed ({where}): {type(error).__name__}: {error}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may have letters of one language only
            stream.reconfigure(errors="backslashreplace")
    options = parse(arguments)
    try:
        lab = load_lab(ROOT / "labs" / options.lab)
        source, filters = split_words(options.words, lab.TESTS)
        tests, unknown = choose(lab.TESTS, [*filters, *options.test])
        if unknown:
            options.fail(f"no such test: {', '.join(unknown)} (--list lists them)")
        if options.trial is not None:
            tests = [dataclasses.replace(test, only=options.trial) for test in tests]
        if not could_be_submission(source):
            name = display_name(source) if source else "a path without letters"
            options.fail(f"{name} is no test, file, folder, git URL or path@revision")
        if options.list:
            print_list(lab, tests)
            return ALL_POINTS
        return grade(options, source, lab, tests)
    except InfraError as error:
        return blame_machine(str(error))
    except OSError as error:  # submissions are read by others, so it is not theirs
        return blame_machine(str(error))
    except Exception as error:  # pylint: disable=broad-except
        return blame_grader(error)
    except KeyboardInterrupt:
        return INFRASTRUCTURE


if __name__ == "__main__":
    sys.exit(main())
