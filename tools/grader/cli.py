"""grade-cow: grades this tree or a submission (see options.py for the command line)."""
from __future__ import annotations

import configparser
import dataclasses
import io
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from grader import cow6, home, submission, xv6
from grader.archives import Sizes
from grader.budget import BUILD_SECONDS
from grader.built import Built
from grader.display import display_message
from grader.errors import DOES_NOT_COMPILE, DOES_NOT_START, UNREADABLE, InfraError, SubmissionError
from grader.lab_settings import hidden_tests, read_lab_settings
from grader.options import BadUsage, Options, parse, read_words
from grader.progress import Progress
from grader.qemu import protections_of
from grader.report import Report
from grader.run import Lab, Setting, Test, load_lab
from grader.runner import run_tests
from grader.sandbox import NONE, Sandbox
from grader.score import Score
from products import ROOT, can_be_made, product

ALL_POINTS, POINTS_LOST, BAD_USAGE, INFRASTRUCTURE, NOT_GRADED = 0, 1, 2, 3, 4

# ---- Building ----


@dataclass
class Request:
    """What is to be graded."""

    source: str
    kind: str | None = None  # recognised when the submission is read, unless it is given
    lab: str = "cow"


@contextmanager
def phase(status: str) -> Iterator[None]:
    """Gives this status to an error of the submission that is raised inside, unless it has one."""
    try:
        yield
    except SubmissionError as error:
        error.status = error.status or status
        raise


def build(request: Request, lab: Lab, work: Path, sandbox: Sandbox) -> tuple[Built, Path]:
    """Fetches and builds the submission; returns it and the probe."""
    sandbox = sandbox.with_budget(BUILD_SECONDS)
    section = read_lab_settings(request.lab)["cow6"]
    with phase(UNREADABLE):
        fetched = work / "fetched"
        tree, request.kind = submission.bring(request.source, fetched, request.kind, sandbox)
        if request.kind == "cow6":
            collected = collect(tree, work / "submitted", section, sandbox)
    probe = lab.build_probe(work / "probe")
    programs, pristine = {"init": probe}, home.pristine_tree(request.lab, work)
    with phase(DOES_NOT_COMPILE):
        if request.kind == "xv6":
            return xv6.build(tree, work / "build", sandbox, programs=programs), probe
        built = cow6.build(
            collected.root, work / "build", sandbox, pristine=pristine, programs=programs,
            prefix=collected.prefix, memory=section.getint("memory"),
        )
    notes = [f"{name} was left out: it looks like a copy" for name in collected.copies]
    return dataclasses.replace(built, notes=notes), probe


def collect(
    tree: Path, to: Path, section: configparser.SectionProxy, sandbox: Sandbox
) -> submission.Collected:
    """Copies the files that the lab allows and wants."""
    sizes = Sizes(*map(section.getint, ("files", "file_bytes", "total_bytes")))
    allowed, required = section["allowed"].split(), section["required"].split()
    return submission.collect(tree, to, allowed, required, sandbox, sizes)


# ---- Grading ----


def grade(options: Options, source: str, lab: Lab, tests: Sequence[Test]) -> int:
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


def run(options: Options, report: Report, work: Path) -> None:
    """Builds the submission and runs its tests."""
    score, settings = report.score, read_lab_settings(options.lab)
    hidden, sandbox = hidden_tests(settings, report.lab), make_sandbox(options, score.source)
    score.protections = protections_of(sandbox)
    make_shared(work, sandbox)
    if home.is_own_work(options.lab, score.source):
        report.tell(home.not_used(options.lab, settings["cow6"]["allowed"].split()))
    else:
        report.tell_missing_protections()
    request = Request(score.source, options.tree, options.lab)
    try:
        built, probe = build(request, report.lab, work, sandbox)
    finally:
        score.tree = request.kind or ""
    report.note(built)
    setting = Setting(
        report.lab, built, probe, work / "tests", sandbox, score.seed, hidden=hidden,
        machine=options.machine,
    )
    with phase(DOES_NOT_START), Progress("tests", len(score.tests)) as report.progress:
        for result in run_tests(
            setting, score.tests, options.jobs, lambda: score.wall_seconds > options.time_limit
        ):
            report.add(result)
    if len(score.results) < len(score.tests):
        ran = f"only {len(score.results)} of {len(score.tests)} tests had run"
        raise InfraError(f"after {options.time_limit:g} s {ran}")


def make_sandbox(options: Options, source: str) -> Sandbox:
    """Returns the sandbox. Where there can be none, students grade their own work without; other
    submissions are not graded (InfraError)."""
    try:
        return Sandbox(options.sandbox)
    except InfraError:
        if not home.is_own_work(options.lab, source):
            raise
    print(f"note: {home.NO_SANDBOX}")
    return Sandbox(NONE)


def make_shared(work: Path, sandbox: Sandbox) -> None:
    """Lets the sandbox's commands come to what is in the folder to work in."""
    work.mkdir(parents=True, exist_ok=True)
    sandbox.share(work)


def make_folders(options: Options, stack: ExitStack) -> tuple[Path, Path]:
    """Returns the folder for the transcripts of failed tests, and the one to work in, which is
    removed at the end unless all is to be kept."""
    if options.keep:
        folder = options.keep.absolute()
        return folder, folder / "work"
    work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="grade-")))
    if options.files:
        return options.files.absolute(), work
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    place = product("build/grade")
    usable = place if can_be_made(place) else Path(tempfile.gettempdir()) / "grade-cow"
    return usable / stamp, work


def print_list(lab: Lab, tests: Sequence[Test]) -> None:
    """Lists the tests."""
    for part, title in lab.PARTS.items():
        chosen = [test for test in tests if test.part == part]
        if chosen:
            print(f"Part {part}, {title}: {sum(test.points for test in chosen)}")
        for test in chosen:
            print(f"  {test.id:<30} {test.points}  {test.shows}")
    for part, points in lab.HIDDEN.items():
        print(f"Part {part}, {lab.PARTS[part]}: hidden tests worth {points}")


def blame_machine(why: str) -> int:
    """Says that the grading machine could not do its work; returns the exit status."""
    shown = display_message(why)
    print(f"grade-cow: this is not the submission's fault: {shown}", file=sys.stderr)
    return INFRASTRUCTURE


def blame_grader(error: Exception) -> int:
    """Says that the grader met an error that it does not expect; returns the exit status."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"
    return blame_machine(f"grade-cow itself failed ({where}): {type(error).__name__}: {error}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may have letters of one language only
            stream.reconfigure(errors="backslashreplace")
    options, parser = parse(arguments)
    try:
        lab = load_lab(ROOT / "labs" / options.lab)
        source, tests = read_words(options, lab)
        if options.only_list:
            print_list(lab, tests)
            return ALL_POINTS
        return grade(options, source, lab, tests)
    except BadUsage as error:
        parser.error(str(error))
    except BrokenPipeError:  # nobody reads on, which is no fault
        raise
    except (InfraError, OSError) as error:  # an OSError is ours: others read the submission
        return blame_machine(str(error))
    except Exception as error:  # pylint: disable=broad-except
        return blame_grader(error)
    except KeyboardInterrupt:
        return INFRASTRUCTURE
