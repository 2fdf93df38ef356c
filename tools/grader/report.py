"""What grade-cow prints, and the file of results, which is kept up to date."""
from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from grader.built import Built
from grader.cards import card_text, make_card, paragraph, save
from grader.display import display, display_message, shell_word
from grader.errors import GRADED, MACHINE_FAULT, UNREADABLE, InfraError, SubmissionError
from grader.options import Options
from grader.progress import Progress
from grader.protections import FILES
from grader.results import write_json
from grader.run import Lab, Result, Test
from grader.score import Score
from products import ROOT

MANY_LOST = 5  # tests: with so many lost, a summary says what they may have in common
STEPS_SHOWN = 20  # the last ones of a failed test


class Report:
    """Prints results in the order of the tests and keeps the file of results.

    The results may come in any order.
    """

    def __init__(self, options: Options, score: Score, lab: Lab, folder: Path) -> None:
        self.options, self.score, self.lab, self.folder = options, score, lab, folder
        self.progress = Progress("tests", len(score.tests))  # not started: prints as print() does
        self.printed = 0

    def add(self, result: Result) -> None:
        """Takes in a result."""
        test = result.test
        self.score.results[test.id] = result
        if not result.passed:
            self.score.cards[test.id] = make_card(
                result, self.lab.INVARIANTS, self.again(test), self.folder / test.id
            )
        elif self.options.keep:
            save(list(result.trials.values())[-1], self.folder / test.id)
        self.write()
        for test in self.score.tests[self.printed:]:
            if test.id not in self.score.results:
                break
            self.show(self.score.results[test.id])
            self.printed += 1
        self.progress.done()

    def write(self) -> None:
        """Writes the file of results."""
        if self.options.json:
            # Where commands see more than their own files, they must not see the seed in this one.
            private = FILES not in self.score.protections.means
            write_json(self.options.json, self.score.as_results(), private)

    def again(self, test: Test) -> str:
        """Returns the command that runs the test alone with the same seed."""
        words = ["./grade-cow"]
        words += [shell_word(self.score.source)] if self.score.source != str(ROOT) else []
        words += [f"--tree {self.options.tree}"] if self.options.tree else []
        return " ".join([*words, f"--seed {self.score.seed}", test.id])

    def show(self, result: Result) -> None:
        """Prints a test's verdict, and its card if it failed."""
        test = result.test
        verdict = "ok" if result.passed else "FAIL"
        cost = f", {result.cpu_seconds:.1f} s of CPU time" if self.options.verbose else ""
        say = self.progress.print
        say(f"{test.id}: {verdict} ({result.points}/{test.points}{cost})")
        if not result.passed:
            say(card_text(self.score.cards[test.id]))
            if self.options.verbose:
                steps = result.trials[result.failed[0]].history.splitlines()[-STEPS_SHOWN:]
                shown = [f"        {display(line, lines=1)}" for line in steps]
                say("\n".join(["    steps", *shown]))
            say()

    def causes(self) -> dict[str, int]:
        """Returns the likely causes, each with the number of tests it may have cost, most first."""
        score = self.score
        lost = [score.results[test.id] for test in score.tests if test.id in score.cards]
        found = Counter(result.cause.text for result in lost if result.cause)
        return dict(found.most_common())

    def tell_missing_protections(self) -> None:
        """Says what is missing between the submission and this machine."""
        for line in self.score.protections.missing:
            print(f"grade-cow: missing protection: {line}", file=sys.stderr)

    def note(self, built: Built) -> None:
        """Prints what was noticed when the submission was read and built, if that is wanted."""
        if self.options.verbose:
            self.tell(built.notes)

    @staticmethod
    def tell(notes: Sequence[str]) -> None:
        """Prints what the user should know."""
        for note in notes:
            print(f"note: {display(note, lines=1)}", flush=True)

    def refuse(self, error: SubmissionError) -> None:
        """Says that the submission cannot be graded, which is not the same as losing all points."""
        score = self.score
        score.status, score.reason = error.status or UNREADABLE, str(error)
        self.write()
        print(f"The submission cannot be graded: {display_message(score.reason)}")
        print(f"Status: {score.status}\nScore: 0/{score.most}", flush=True)

    def blame_machine(self, error: Exception) -> None:
        """Notes that the grading machine, or the grader, could not do its work."""
        self.score.status, self.score.reason = MACHINE_FAULT, str(error)
        try:
            self.write()
        except InfraError:  # it may be the very reason
            pass

    def end(self) -> None:
        """Prints the points of each part and of all.

        If many tests were lost, also prints the likely causes with how many tests each cost.
        """
        self.score.status = GRADED
        self.write()
        causes = self.causes()
        if causes and len(self.score.cards) >= MANY_LOST:
            print(
                "One fault often costs many tests. The likely causes, with the number of tests "
                "each may have cost:"
            )
            for cause, number in causes.items():
                print("\n".join(paragraph(f"{number} test{'s' if number > 1 else ''}", cause)))
        self.show_points()

    def show_points(self) -> None:
        """Prints the points of each part and of all, with those that only the mark will tell."""
        score, ran_all = self.score, len(self.score.tests) == len(self.lab.TESTS)
        hidden = self.lab.HIDDEN if ran_all else {}
        for part, title in score.parts.items():
            points, most = score.of_part(part)
            known = [f"{points}/{most}"] if most else []
            known += [f"hidden tests worth {hidden[part]}"] if part in hidden else []
            if known:
                print(f"Part {part}, {title}: {', and '.join(known)}")
        more = sum(hidden.values())
        rest = f" in the public tests; hidden tests are worth {more} more" if more else ""
        print(f"Score: {score.points}/{score.most}{rest}", flush=True)
