"""Running tests: what is removed after them, and who is to blame when time or space runs out."""
from __future__ import annotations

import errno
from pathlib import Path
from unittest import mock

import pytest
from grader import runner
from grader.budget import ORDINARY_SECONDS, TEST_SECONDS, WASTED_SECONDS, Budget
from grader.built import Traits
from grader.errors import InfraError
from grader.run import Failure, OneHart, Result, Setting, Test, Trial, kind_of_machine
from grader.runner import run_tests
from grader.sandbox import Sandbox

TESTS = [Test("first", "A", 1, ""), Test("second", "A", 1, ""), Test("third", "A", 1, "")]


class TestRunning:
    """run_tests() with the trials replaced."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> None:
        self.work = tmp_path
        sandbox = mock.Mock(with_budget=self.with_budget)
        self.setting = Setting(
            mock.Mock(TESTS=TESTS, SIMPLE=[]), mock.Mock(), Path("probe"), self.work, sandbox, 1
        )
        self.seconds = 0.0  # that each trial takes
        self.late = False
        self.failure: Failure | None = None

    @staticmethod
    def with_budget(seconds: float) -> Sandbox:
        """Returns a sandbox that has nothing but a budget."""
        return mock.Mock(budget=Budget(seconds))

    def trial(self, setting: Setting, test: Test, number: int, _: int = 0) -> Trial:
        """Stands in for a trial: leaves a disk, and takes some time."""
        folder = setting.work / f"{test.id}-{number}"
        folder.mkdir()
        (folder / "disk").write_bytes(bytes(100))
        setting.sandbox.budget.spend(self.seconds)
        return Trial(self.failure, cpu_seconds=self.seconds)

    def results(self) -> list[Result]:
        """Runs the tests one after the other."""
        with mock.patch.object(runner, "run_trial", self.trial):
            return list(run_tests(self.setting, TESTS, 1, lambda: self.late))

    def test_no_disk_is_left(self) -> None:
        assert [result.passed for result in self.results()] == [True] * 3
        assert list(self.work.iterdir()) == []

    def test_time_is_used_up(self) -> None:
        """The tests that are left are lost: the grading machine is not to blame."""
        self.seconds = TEST_SECONDS * 0.6
        passed = {result.test.id: result.passed for result in self.results()}
        assert passed == {"first": True, "second": True, "third": False}

    def test_late_by_the_machine(self) -> None:
        self.late, self.seconds = True, 1.0
        assert self.results() == []

    def test_late_by_the_submission(self) -> None:
        self.seconds = ORDINARY_SECONDS + 1
        assert self.first_in_time()[-1] is False

    def test_late_by_endless_trials(self) -> None:
        """On a busy machine a kernel that hangs in each test is to blame long before."""
        self.seconds = WASTED_SECONDS + 1
        self.failure = Failure("alive", "", "", kind="limit")
        assert self.first_in_time() == [False] * 3
        self.failure = None
        self.late = False
        assert False not in self.first_in_time()

    def first_in_time(self) -> list[bool]:
        """Runs the tests, and is late once the first has ended; returns which passed."""
        passed = []
        with mock.patch.object(runner, "run_trial", self.trial):
            for result in run_tests(self.setting, TESTS, 1, lambda: self.late):
                passed.append(result.passed)
                self.late = True
        return passed

    def test_one_hart(self) -> None:
        """It may be chance once, but not each time."""
        stand_in = mock.Mock(side_effect=[OneHart, OneHart, Trial()])
        with mock.patch.object(runner, "run_trial", stand_in):
            assert runner.run_on_harts(self.setting, TESTS[0], 0).failure is None
        with mock.patch.object(runner, "run_trial", side_effect=OneHart):
            failure = runner.run_on_harts(self.setting, TESTS[0], 0).failure
        assert "one hart at a time, in 4 runs" in (failure.seen if failure else "")

    def test_differing_trials(self) -> None:
        """If only some trials fail, more are run; if all agree, none."""
        test = Test("race", "A", 1, "", trials=2, more_trials=3)
        failing = Trial(Failure("counts", "", ""))
        for trials, failed in (
            ([Trial()] * 2, []), ([failing] * 2, [0, 1]), ([Trial(), failing, *[Trial()] * 3], [1]),
            ([failing, Trial(), failing, Trial(), failing], [0, 2, 4]),
        ):
            stand_in = mock.Mock(side_effect=trials)
            with mock.patch.object(runner, "run_trial", stand_in):
                result = runner.run_test(self.setting_with_time(), test)
            assert (result.failed, len(result.trials)) == (failed, len(trials))

    def setting_with_time(self) -> Setting:
        """Returns the setting that run_tests() makes."""
        sandbox = self.with_budget(TEST_SECONDS)
        return Setting(mock.Mock(), mock.Mock(), Path("probe"), self.work, sandbox, 1)

    def test_no_space(self) -> None:
        with mock.patch.object(self, "trial", side_effect=OSError(errno.ENOSPC, "No space left")):
            with pytest.raises(InfraError, match="first cannot be run.*No space left"):
                self.results()


@pytest.mark.parametrize("machine, profile, cpus, expected", [
    ("both", "tlb", 3, "tlb"), ("both", "tlb", 1, None), ("both", "", 3, None),
    ("qemu", "tlb", 3, None), ("sim", "", 3, "tlb,stores"), ("sim", "tlb", 1, "kind"),
])
def test_machine_of_a_test(machine: str, profile: str, cpus: int, expected: str | None) -> None:
    """Races run on the simulator where the kernel suits it; all else only if that is asked for."""
    built = mock.Mock(traits=Traits(race_profile=profile))
    setting = Setting(
        mock.Mock(), built, Path("probe"), Path("work"), mock.Mock(), 1, machine=machine
    )
    kind = kind_of_machine(setting, Test("race", "G", 1, "", cpus=cpus), 2)
    assert (kind.profile if kind.is_simulated else None) == expected
