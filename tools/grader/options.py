"""The command line of grade-cow: its options, the submission and the tests that it names."""
from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from grader import submission
from grader.display import display_message, display_name
from grader.run import MACHINES, QEMU_AND_SIM, Lab, Test
from grader.sandbox import FULL, MODES, NONE
from products import ROOT

STATUS = """Exit status: 0 all points, 1 points are lost, 2 the command line is wrong, 3 the grading
machine could not do its work (then no score is printed), 4 the submission cannot be read, built or
started."""
KINDS = ("cow6", "xv6")
TIME_LIMIT = 600.0


class Options(argparse.Namespace):
    """The command line."""

    words: list[str]
    test: list[str]
    tree: str | None
    verbose: bool
    only_list: bool
    json: Path | None
    seed: int | None
    trial: int | None
    keep: Path | None
    files: Path | None
    time_limit: float
    jobs: int
    machine: str
    sandbox: str
    lab: str


class BadUsage(Exception):
    """The command line asks for what there is not."""


class Parser(argparse.ArgumentParser):
    """Shows what is wrong with a command line, some words of which a submission may have chosen."""

    def error(self, message: str) -> NoReturn:
        super().error(display_message(message))


def make_parser() -> Parser:
    """Returns the parser of the command line."""
    parser = Parser(
        prog="grade-cow", description="Grades the copy-on-write lab; a whole class with --class "
        "(see --class --help).", epilog=STATUS
    )
    parser.add_argument(
        "words", nargs="*", metavar="PATH [TEST ...]",
        help="a folder, a .tar[.gz|.bz2|.xz] or .zip archive, a git URL or path@revision (default: "
        "this tree); then the tests to run: ids, beginnings of ids, or letters of parts (see "
        "--list)",
    )
    add_choice_options(parser)
    add_output_options(parser)
    add_run_options(parser)
    return parser


def add_choice_options(parser: Parser) -> None:
    """Adds the options that say which tests are run, and on what kind of kernel."""
    parser.add_argument(
        "-t", "--test", action="append", default=[], metavar="TEST",
        help="run only this test, or tests of this part (may be repeated)",
    )
    parser.add_argument(
        "--tree", choices=KINDS, help="the kind of kernel (default: recognised from its files)"
    )


def add_output_options(parser: Parser) -> None:
    """Adds the options that say what is printed and written."""
    parser.add_argument(
        "-v", "--verbose", action="store_true",
        help="also show the CPU time of passed tests, and the last steps of failed ones",
    )
    parser.add_argument(
        "--list", dest="only_list", action="store_true",
        help="list the tests with their points, and run none",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE",
        help="write the results to FILE, again after each test",
    )
    parser.add_argument(
        "--keep", nargs="?", type=Path, const=Path("grade-results"), metavar="DIR",
        help="keep kernel, disk image and transcripts in DIR (default: grade-results)",
    )
    parser.add_argument(
        "--files", type=Path, metavar="DIR",
        help="write the transcripts of failed tests to DIR (default: build/grade/TIME)",
    )


def read_seed(text: str) -> int:
    """Returns a seed; ValueError if it is none. Other users can see command lines, so - stands for
    a line of standard input."""
    return int(sys.stdin.readline() if text == "-" else text)


def add_run_options(parser: Parser) -> None:
    """Adds the options that say how the tests are run."""
    parser.add_argument(
        "--seed", type=read_seed,
        help="the seed for everything random (default: a new one, which is printed); with -, which "
        "nobody else sees, it is read",
    )
    parser.add_argument(
        "--trial", type=int, metavar="N", help="run only trial N of tests that have several"
    )
    parser.add_argument(
        "--time-limit", type=float, default=TIME_LIMIT, metavar="SECONDS",
        help=f"start no test after this many seconds (default: {TIME_LIMIT:g})",
    )
    parser.add_argument(
        "--jobs", type=int, default=min(4, os.cpu_count() or 1), metavar="N",
        help="run N machines at a time",
    )
    parser.add_argument(
        "--machine", choices=MACHINES, default=QEMU_AND_SIM, help="what runs the kernel: qemu, sim "
        "(the simulator), or both (default): sim for the races of a cow6 kernel",
    )
    add_sandbox_options(parser)
    parser.add_argument("--lab", default="cow", help=argparse.SUPPRESS)


def add_sandbox_options(parser: Parser) -> None:
    """Adds the options that say how strangers' programs are locked up."""
    parser.add_argument(
        "--sandbox", choices=MODES, default=FULL,
        help="full: bubblewrap, or nothing is graded (default); reduced: where bubblewrap cannot "
        "work, the protections that are left; none: limits only",
    )
    parser.add_argument(
        "--unsafe", dest="sandbox", action="store_const", const=NONE, help="--sandbox none"
    )


def choose(tests: Sequence[Test], filters: Sequence[str]) -> tuple[list[Test], list[str]]:
    """Returns the tests that a filter names (all if there is no filter), and the filters that name
    none."""
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
    """Tells the submission from the filters: the first word is the submission unless it names tests
    and no file."""
    if not words:
        return str(ROOT), []
    names_tests = choose(tests, words[:1])[1] == []
    if names_tests and not os.path.exists(words[0]):
        return str(ROOT), list(words)
    return words[0], list(words[1:])


def could_be_submission(source: str) -> bool:
    """Tells a submission, good or bad, from a typo."""
    is_revision = submission.split_revision(source) is not None
    return os.path.lexists(source) or is_revision or ":" in source


def read_words(options: Options, lab: Lab) -> tuple[str, list[Test]]:
    """Returns the submission and the tests that the command line names."""
    source, filters = split_words(options.words, lab.TESTS)
    tests, unknown = choose(lab.TESTS, [*filters, *options.test])
    hidden = [word for word in unknown if word in lab.HIDDEN]
    if hidden:
        parts = ", ".join(hidden)
        raise BadUsage(f"part {parts} has only hidden tests, which are not in this tree")
    if unknown:
        raise BadUsage(f"no such test: {', '.join(unknown)} (--list lists them)")
    if not could_be_submission(source):
        name = display_name(source) if source else "an empty argument"
        raise BadUsage(f"{name} is no test, file, folder, git URL or path@revision")
    if options.trial is not None:
        tests = [dataclasses.replace(test, only=options.trial) for test in tests]
    return source, tests


def parse(arguments: Sequence[str] | None) -> tuple[Options, Parser]:
    """Reads the command line; returns the parser, too, which says what is wrong with it."""
    parser = make_parser()
    options = Options()
    parser.parse_intermixed_args(arguments, options)
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    return options, parser
