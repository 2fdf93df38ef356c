"""grade-cow --class: grades a class (see options.py for the command line)."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from classroom.finish import check_gradebook, report
from classroom.listing import BadList
from classroom.options import ClassOptions, make_parser
from classroom.plan import make_plan, read_submissions
from classroom.pool import grade_here
from classroom.progress import ClassProgress
from classroom.record import CLASS_FILE, RESULTS_FOLDER, ClassInfo
from classroom.repositories import split_source
from classroom.slurm import SlurmOptions, grade_on_slurm
from classroom.unit import FAULT, Way, lock
from grader.cli import INFRASTRUCTURE, blame_grader, blame_machine
from grader.display import display_name
from grader.errors import InfraError
from grader.lab_settings import read_lab_settings
from grader.options import BadUsage, choose
from grader.results import write_json
from grader.run import Lab, Test, load_lab
from products import ROOT

EVERYBODY = 0
LEFT_OUT_TOLD = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = make_parser()
    options = ClassOptions()
    parser.parse_args(arguments, options)
    if options.submissions is None or options.out is None:
        parser.error("expected --class SUBMISSIONS --out REPORT")
    try:
        check_places(options)
        lab = load_lab(ROOT / "labs" / options.lab)
        info = plan(options, lab, chosen_tests(options, lab))
        return grade_class(options, info)
    except (BadUsage, BadList) as error:
        parser.error(str(error))
    except BrokenPipeError:  # nobody reads on, which is no fault
        raise
    except (InfraError, OSError) as error:
        return blame_machine(str(error))
    except KeyboardInterrupt:
        print("interrupted: the same command continues")
        return INFRASTRUCTURE
    except Exception as error:  # pylint: disable=broad-except
        return blame_grader(error)


def chosen_tests(options: ClassOptions, lab: Lab) -> list[Test]:
    """Returns the tests that the command line names."""
    tests, unknown = choose(lab.TESTS, options.test)
    if unknown:
        raise BadUsage(f"no such test: {', '.join(unknown)} (--list lists them)")
    return tests


def plan(options: ClassOptions, lab: Lab, tests: Sequence[Test]) -> ClassInfo:
    """Finds the submissions and writes the plan; says whom it does not grade."""
    found = read_submissions(options.submissions)
    title = read_lab_settings(options.lab).get("lab", "title")
    make_report_folder(options.out)
    with lock(options.out, ".plan"):  # so that two commands at once agree on the seed
        info = make_plan(options, found, lab, title, tests)
        check_gradebook(options, info)
        write_json(options.out / CLASS_FILE, info)
    for name in found.left_out[:LEFT_OUT_TOLD]:
        print(f"left out: {display_name(name)}: it is no archive and no folder")
    more = len(found.left_out) - LEFT_OUT_TOLD
    print(*([f"left out: {more} more files"] if more > 0 else []), end="\n" if more > 0 else "")
    print(f"submissions: {len(info['submissions'])}, seed {info['seed']}", flush=True)
    tell_untimed(info)
    return info


def tell_untimed(info: ClassInfo) -> None:
    """Says to how many submissions the deadline cannot be applied."""
    number = sum(
        bool(each["source"]) and not each["submitted"] and not split_source(each["source"], True)[0]
        for each in info["submissions"]
    )
    if info["deadline"] and number:
        print(
            f"the deadline decides nothing for {number} of them: neither a name nor a list tells "
            "when they were handed in (see --file-times)", flush=True,
        )


def make_report_folder(out: Path) -> None:
    """Makes the folder of a report; a new one is for the user alone, since marks are in it."""
    if not out.exists():
        out.mkdir(parents=True, mode=0o700)
    (out / RESULTS_FOLDER).mkdir(exist_ok=True)


def check_places(options: ClassOptions) -> None:
    """BadUsage if the report would be handed in at the next run."""
    submissions = options.submissions.resolve()
    if submissions.is_dir() and options.out.resolve().is_relative_to(submissions):
        raise BadUsage("the report cannot be in the folder of the submissions")


def grade_class(options: ClassOptions, info: ClassInfo) -> int:
    """Grades everybody and writes the reports; returns the exit status."""
    way = Way(options.out.absolute(), info["words"])
    submissions = info["submissions"]
    with ClassProgress(len(submissions)) as progress:
        if options.slurm:
            wishes = SlurmOptions(
                options.per_task, options.throttle, options.slurm_args, options.time_limit
            )
            outcomes = grade_on_slurm(way, info, submissions, wishes, progress)
        else:
            outcomes = grade_here(way, info, submissions, options.jobs, progress)
    report(options)
    faults = [outcome for outcome in outcomes if outcome.what == FAULT]
    return INFRASTRUCTURE if faults else EVERYBODY
