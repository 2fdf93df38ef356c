"""Tests of what runs the checks: verdicts, repeats, progress, limits, a guest's console."""
from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import check
import pytest
import runner
from limits import Activity, run_limited
from outcome import Outcome
from products import ROOT
from qemu import Guest
from runner import Check, Checks
from usage import Usage


def outcomes(*given: Outcome) -> Callable[[], Outcome]:
    """Returns a check that has these outcomes, one after the other."""
    left = iter(given)
    return lambda: next(left)


class TestChecks:
    """How checks are run and reported."""

    def run_all(self, checks: list[Check], times: int = 1) -> str:
        """Runs the checks in a folder of their own; returns what is printed."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), mock.patch.multiple(
                runner, RESULTS=folder, FAILED=folder / "failed", ROOT=folder
            ):
                self.total = Checks(checks, times).run()
            self.kept = sorted(str(path.relative_to(folder)) for path in folder.glob("failed/*/*"))
        return printed.getvalue()

    def test_verdicts(self) -> None:
        """A check that tests nothing fails, and so does one that raises an exception."""
        said = self.run_all(
            [
                Check("good", outcomes(Outcome(3))),
                Check("bad", outcomes(Outcome(1, 2, problems="why"))),
                Check("absent", outcomes(Outcome(skipped=1))),
                Check("empty", outcomes(Outcome())),
                Check("broken", outcomes()),
            ]
        )
        assert re.search(r"(?m)^\[\d/5\] good: ok \(3 passed, \d+ s\)$", said)
        assert re.search(r"(?m)^\[\d/5\] bad: FAIL \(2 failed, 1 passed, \d+ s\)\n    why$", said)
        assert re.search(r"(?m)^\[\d/5\] absent: skipped", said)
        assert re.search(r"(?m)^\[\d/5\] empty: FAIL .*\n    expected tests, saw none run$", said)
        assert re.search(r"(?m)^\[\d/5\] broken: FAIL .*\n    StopIteration", said)
        assert re.search(r"(?m)^failed: bad: why$", said)
        assert self.total == Outcome(4, 4, 1)

    def test_repeats(self) -> None:
        """Every run counts, and the logs of failed runs are kept."""
        def third_fails() -> Outcome:
            outcome = next(given)
            (runner.RESULTS / "often.log").write_text(outcome.problems)
            return outcome

        given = iter([Outcome(2), Outcome(2), Outcome(1, 1, problems="why"), Outcome(2)])
        said = self.run_all([Check("often", third_fails)], 4)
        assert re.search(
            r"often: FAIL \(1 failed, 7 passed, 4 runs, \d+ s\)\n    1 of 4 runs failed\n", said
        )
        assert re.search(r"\n    run 3, kept in failed/often.3:\n    why\n", said)
        assert self.kept == ["failed/often.3/often.log", "failed/often.3/problems"]

    def test_silence(self) -> None:
        """When no check has ended for a while, those that are running are named."""
        said = threading.Event()
        real_print = print

        def listen(*words: str, **options: bool) -> None:
            real_print(*words)
            if "still running: slow (" in words[0]:
                said.set()

        def slow() -> Outcome:
            said.wait()
            return Outcome(1)

        with mock.patch.object(runner, "SILENCE_SECONDS", 0.01), mock.patch.object(
            runner, "print", listen, create=True
        ):
            self.run_all([Check("slow", slow)])

    def test_jobs_of_make(self) -> None:
        """Its jobs are dropped, its variables are not."""
        with mock.patch.dict(os.environ, MAKEFLAGS="s -j8 --jobserver-auth=3,4 -- LLVM=1"):
            check.forget_jobs_of_make()
            assert os.environ["MAKEFLAGS"].split() == ["s", "--", "LLVM=1"]


class TestLimits:
    """Processor time and idleness."""

    def test_endless_loop(self) -> None:
        """It is ended by the processor time that it uses."""
        run = run_limited(["/bin/sh", "-c", "echo begins; while :; do :; done"], ROOT, 1)
        assert run.output == "begins\n"
        assert not run.succeeded

    def test_status(self) -> None:
        """Both streams are read, and the status is the command's."""
        run = run_limited(["/bin/sh", "-c", "echo a; echo b >&2; exit 7"], ROOT, 60)
        assert (run.output, run.status) == ("a\nb\n", 7)

    def test_activity(self) -> None:
        """One that sleeps is idle, one that waits for a processor is not."""
        sleeper = Activity(os.getpid())
        start = sleeper._looked
        waited = [2.0] * 11 + [3.0, 3.1]
        idle = []
        for second, waiting in enumerate(waited, 1):
            usage = Usage(1, cpu_seconds=1.0, waiting_seconds=waiting, tells_waits=True)
            with mock.patch("limits.tree_usage", lambda _, usage=usage: usage), mock.patch(
                "time.monotonic", lambda second=second: start + second
            ):
                sleeper.look()
            idle.append(round(sleeper.idle_seconds, 3))
        assert idle == [*range(11), 0, 0]
        assert sleeper.cpu_seconds == 1.0


class TestExpect:
    """What a test waits for on a guest's console."""

    @pytest.mark.parametrize("output", [
        [b"a\n$ b\n$ "],
        [b"a\n$ ", b"b\n$ "],
        [b"a", b"\n", b"$ ", b"b", b"\n$", b" "],
    ])
    def test_pieces(self, output: list[bytes]) -> None:
        """It does not matter in what pieces the output comes."""
        guest = Guest.__new__(Guest)
        guest.output, guest.read_to, pieces = b"", 0, list(output)

        def read() -> bool:
            guest.output += pieces.pop(0)
            return True

        with mock.patch.object(guest, "_read", read):
            assert [guest.expect(r"^\$ \Z"), guest.expect(r"^\$ \Z")] == ["a\n$ ", "b\n$ "]
