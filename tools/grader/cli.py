"""grade-cow: grades this tree or a submission.

Exit status: 0 all points, 1 points are lost, 2 the command line is wrong, 3 the grading machine could not do its work
(then no score is printed).
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
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, List, NoReturn, Optional, Sequence, Tuple

from grader import cow6, submission, xv6
from grader.archives import Sizes
from grader.budget import BUILD_SECONDS
from grader.cards import make_card, paragraph, save
from grader.display import display, display_name, shell_word
from grader.errors import InfraError, SubmissionError
from grader.machine import Built
from grader.run import Lab, Result, Setting, Test, load_lab, run_tests
from grader.sandbox import Sandbox
from grader.score import Score
from products import ROOT, can_be_made, product

ALL_POINTS, POINTS_LOST, BAD_USAGE, INFRASTRUCTURE = 0, 1, 2, 3
TREES = ("cow6", "xv6")
MANY_LOST = 5  # tests, after which a summary says what they may have in common


class Parser(argparse.ArgumentParser):
    """Shows what is wrong with a command line, some words of which others may have chosen."""

    def error(self, message: str) -> NoReturn:
        super().error(display(message))


def parse(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(
        prog="grade-cow", description="Grades the copy-on-write lab.", epilog=__doc__ and __doc__.split("\n\n")[1]
    )
    parser.add_argument(
        "words", nargs="*", metavar="PATH [TEST ...]",
        help="a directory, .tar[.gz|.xz], .zip, git URL or path@revision (default: this tree); "
        "the tests to run: ids, beginnings of ids, or letters of parts (--list shows all)",
    )
    parser.add_argument(
        "-t", "--test", action="append", default=[], metavar="TEST", help="run this test only (may be repeated)"
    )
    parser.add_argument("--tree", choices=TREES, help="what kind of kernel it is (default: found out)")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show also what passed tests cost, and the steps of failed ones"
    )
    parser.add_argument("--list", action="store_true", help="list the tests and what each is worth")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results into FILE, again after every test")
    parser.add_argument("--seed", type=int, help="the seed of everything random (default: a new one, which is printed)")
    parser.add_argument("--trial", type=int, metavar="N", help="run only this trial of tests that have several")
    parser.add_argument(
        "--keep", nargs="?", type=Path, const=Path("grade-results"), metavar="DIR",
        help="keep kernel, image and transcripts in DIR",
    )
    parser.add_argument(
        "--time-limit", type=float, default=600.0, metavar="SECONDS", help="start no test after this time (600)"
    )
    parser.add_argument(
        "--jobs", type=int, default=min(4, os.cpu_count() or 1), metavar="N", help="machines that run at a time"
    )
    parser.add_argument("--unsafe", action="store_true", help="do without the sandbox where it is not available")
    parser.add_argument("--lab", default="cow", help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    options.fail, options.tree_given = parser.error, options.tree is not None
    return options


def choose(tests: Sequence[Test], filters: Sequence[str]) -> Tuple[List[Test], List[str]]:
    """Returns the tests that a filter names (all if there is none), and the filters that name none."""
    if not filters:
        return list(tests), []
    chosen: List[Test] = []
    unknown = []
    for word in filters:
        found = [test for test in tests if test.id == word] or [
            test for test in tests if test.id.startswith(word) or test.part == word
        ]
        unknown += [] if found else [word]
        chosen += [test for test in found if test not in chosen]
    return [test for test in tests if test in chosen], unknown


def split_words(words: Sequence[str], tests: Sequence[Test]) -> Tuple[str, List[str]]:
    """Tells the submission from the filters: the first word is a filter only if it names tests and no file."""
    if words and choose(tests, words[:1])[0] and not choose(tests, words[:1])[1] and not os.path.exists(words[0]):
        return str(ROOT), list(words)
    return (words[0], list(words[1:])) if words else (str(ROOT), [])


def could_be_submission(source: str) -> bool:
    """Tells a submission, good or bad, from a slip of the pen."""
    place = source.rpartition("@")[0]
    return os.path.exists(source) or bool(place and os.path.exists(place)) or ":" in source


def read_lab_settings(name: str) -> configparser.ConfigParser:
    """Reads labs/NAME/lab.ini."""
    settings = configparser.ConfigParser()
    if not settings.read(ROOT / "labs" / name / "lab.ini", encoding="utf-8"):
        raise InfraError(f"labs/{name}/lab.ini is missing")
    return settings


def build(options: argparse.Namespace, source: str, lab: Lab, work: Path, sandbox: Sandbox) -> Tuple[Built, Path]:
    """Fetches and builds the submission; returns it and the probe."""
    sandbox = sandbox.with_budget(BUILD_SECONDS)
    section = read_lab_settings(options.lab)["cow6"]
    tree, options.tree = submission.bring(source, work / "fetched", options.tree, sandbox)
    probe = lab.build_probe(work / "probe")
    programs = {"init": probe}
    if options.tree == "xv6":
        return xv6.build(tree, work / "build", sandbox, programs=programs), probe
    sizes = Sizes(section.getint("files"), section.getint("file_bytes"), section.getint("total_bytes"))
    collected = submission.collect(
        tree, work / "submitted", section["allowed"].split(), section["required"].split(), sandbox, sizes
    )
    built = cow6.build(
        collected.root, work / "build", sandbox, pristine=ROOT, programs=programs, prefix=collected.prefix,
        memory=section.getint("memory"),
    )
    notes = [f"{name} is taken for a copy: it was left out" for name in collected.copies]
    traits: Dict[str, object] = {**built.traits, "notes": notes}
    return dataclasses.replace(built, traits=traits), probe


class Report:
    """Prints results in the order of the tests, whatever order they come in, and keeps the file of results."""

    def __init__(self, options: argparse.Namespace, score: Score, lab: Lab, folder: Path) -> None:
        self.options, self.score, self.lab, self.folder = options, score, lab, folder
        self.printed = 0

    def add(self, result: Result) -> None:
        """Takes in a result."""
        test = result.test
        self.score.results[test.id] = result
        if not result.passed:
            self.score.cards[test.id] = make_card(result, self.lab.INVARIANTS, self.again(test), self.folder / test.id)
        elif self.options.keep:
            save(list(result.trials.values())[-1], self.folder / test.id)
        self.write()
        while self.printed < len(self.score.tests) and self.score.tests[self.printed].id in self.score.results:
            self.show(self.score.results[self.score.tests[self.printed].id])
            self.printed += 1

    def write(self) -> None:
        """Writes the file of results."""
        if self.options.json:
            self.score.write(self.options.json)

    def again(self, test: Test) -> str:
        """Returns the command that runs the test alone with the same seed."""
        words = ["./grade-cow"]
        words += [shell_word(self.score.source)] if self.score.source != str(ROOT) else []
        words += [f"--tree {self.options.tree}"] if self.options.tree_given else []
        return " ".join([*words, f"--seed {self.score.seed}", test.id])

    def show(self, result: Result) -> None:
        """Prints a test's verdict, and its card if it failed."""
        test = result.test
        verdict = "ok" if result.passed else "FAIL"
        cpu = sum(trial.cpu_seconds for trial in result.trials.values())
        cost = f", {cpu:.1f} s of CPU time" if self.options.verbose else ""
        print(f"{test.id}: {verdict} ({result.points}/{test.points}{cost})", flush=True)
        if not result.passed:
            print(self.score.cards[test.id])
            if self.options.verbose:
                steps = result.trials[result.failed[0]].history.splitlines()[-20:]
                shown = [f"        {display(line, lines=1)}" for line in steps]
                print("\n".join(["    steps", *shown]))
            print(flush=True)

    def causes(self) -> Dict[str, int]:
        """Returns the likely causes with how many lost tests each may have, the most frequent first."""
        lost = [self.score.results[test.id] for test in self.score.tests if test.id in self.score.cards]
        found = Counter(result.trials[result.failed[0]].cause for result in lost)
        return {cause: number for cause, number in found.most_common() if cause}

    def sums(self) -> None:
        """Prints the points of each part and of all; if much was lost, also what may have caused how much of it."""
        causes = self.causes()
        if causes and len(self.score.cards) >= MANY_LOST:
            print("One fault often loses many tests. The likely causes together:")
            for cause, number in causes.items():
                print("\n".join(paragraph(f"{number} test{'s' if number > 1 else ''}", cause)))
        for part in self.score.used_parts():
            points, most = self.score.of_part(part)
            print(f"Part {part}, {self.score.parts[part]}: {points}/{most}")
        print(f"Score: {self.score.points}/{self.score.most}", flush=True)


def grade(options: argparse.Namespace, source: str, lab: Lab, tests: Sequence[Test]) -> int:
    """Grades a submission and returns the exit status."""
    start = time.monotonic()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    score = Score(source, options.tree or "", seed, lab.PARTS, tests)
    with ExitStack() as stack:
        folder, work = make_folders(options, stack)
        report = Report(options, score, lab, folder)
        report.write()
        print(f"seed {seed}", flush=True)
        sandbox = Sandbox(options.unsafe)
        try:
            built, probe = build(options, source, lab, work, sandbox)
            score.tree = options.tree
            notes = built.traits.get("notes")
            if options.verbose and isinstance(notes, list):
                print("\n".join(f"note: {display(note, lines=1)}" for note in notes), flush=True)
            setting = Setting(lab, built, probe, work / "tests", sandbox, seed)
            for result in run_tests(
                setting, tests, options.jobs, lambda: time.monotonic() - start > options.time_limit
            ):
                report.add(result)
        except SubmissionError as error:
            score.error = str(error)
            report.write()
            print(f"The submission cannot be graded: {display(score.error)}")
        if not score.error and len(score.results) < len(tests):
            raise InfraError(f"after {options.time_limit:g} s only {len(score.results)} of {len(tests)} tests had run")
    report.sums()
    return ALL_POINTS if score.points == score.most and not score.error else POINTS_LOST


def make_folders(options: argparse.Namespace, stack: ExitStack) -> Tuple[Path, Path]:
    """Returns the folder for the transcripts of failed tests, and the one to work in, which is kept only if wanted."""
    if options.keep:
        folder = options.keep.absolute()
        return folder, folder / "work"
    work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="grade-")))
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    place = product("build/grade")
    return (place if can_be_made(place) else Path(tempfile.gettempdir()) / "grade-cow") / stamp, work


def print_list(lab: Lab, tests: Sequence[Test]) -> None:
    """Lists the tests."""
    for part, title in lab.PARTS.items():
        chosen = [test for test in tests if test.part == part]
        if chosen:
            print(f"Part {part}, {title}: {sum(test.points for test in chosen)}")
        for test in chosen:
            print(f"  {test.id:<30} {test.points}  {test.shows}")


def main(arguments: Optional[Sequence[str]] = None) -> int:
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
            name = display_name(source)
            options.fail(f"{name} is no test, file, folder, git URL or path@revision")
        if options.list:
            print_list(lab, tests)
            return ALL_POINTS
        return grade(options, source, lab, tests)
    except InfraError as error:
        why = display(str(error))
        print(f"grade-cow: this is no fault of the submission: {why}", file=sys.stderr)
        return INFRASTRUCTURE
    except OSError as error:  # submissions are read by others, so it is not theirs
        print(f"grade-cow: this is no fault of the submission: {error}", file=sys.stderr)
        return INFRASTRUCTURE
    except KeyboardInterrupt:
        return INFRASTRUCTURE


if __name__ == "__main__":
    sys.exit(main())
