"""How simpler tests explain what others found, and how often cards name the planted bug."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from grader import runner
from grader.run import Cause, Failure, Result, Setting, Test, Trial
from grader.runner import Runner
from labs.cow.grading.named import Named


class TestSimpler:
    """Tests whose failure a simpler test explains."""

    def run_all(
        self, failing: dict[str, Cause], chosen: Sequence[str], explains: bool = True,
        hidden: Sequence[str] = (), left_out: Sequence[str] = (),
    ) -> dict[str, str]:
        """Returns the causes of the chosen tests; notes which tests were run."""
        names = [name for name in ("basic", "middle", "late", "other") if name not in left_out]
        tests = [Test(name, "A", 1, "") for name in names]
        lab = mock.Mock(TESTS=tests, SIMPLE=["basic", "middle"])
        setting = Setting(
            lab, mock.Mock(), Path(), Path(), mock.Mock(), 1, explains, frozenset(hidden)
        )
        self.ran: list[str] = []

        def run_test(_: Setting, test: Test) -> Result:
            self.ran.append(test.id)
            cause = failing.get(test.id)
            failure = Failure("alive", "a", "b") if cause else None
            return Result(test, {0: Trial(failure, cause)})

        with mock.patch.object(runner, "run_test", run_test):
            wanted = [test for test in tests if test.id in chosen]
            results = list(runner.run_tests(setting, wanted, 2, lambda: False))
        return {result.test.id: result.cause.text if result.cause else "" for result in results}

    def test_simpler_cause(self) -> None:
        """It is told instead, and each test runs once."""
        failing = {
            "late": Cause("x", "late", ("basic", "middle")),
            "middle": Cause("y", "middle", ("basic",)),
        }
        assert self.run_all(failing, ["late"]) == {"late": "middle"}
        assert sorted(self.ran) == ["basic", "late", "middle"]
        found = self.run_all(failing, ["basic", "middle", "late", "other"])
        assert found == {"basic": "", "middle": "middle", "late": "middle", "other": ""}
        assert sorted(self.ran) == ["basic", "late", "middle", "other"]

    def test_own_cause(self) -> None:
        """Where simpler tests pass, or are not asked, a test has its own, if it has words."""
        failing = {"late": Cause("x", "late", ("basic",)), "other": Cause("", "", ("basic",))}
        assert self.run_all(failing, ["late", "other"]) == {"late": "late", "other": ""}
        assert self.run_all(failing, ["late"], explains=False) == {"late": "late"}
        assert self.ran == ["late"]

    def test_unknown_cause(self) -> None:
        """If a simpler test fails without a known cause, no other is run to find one."""
        failing = {"late": Cause("x", "late", ("basic", "middle")), "basic": Cause("", "")}
        assert self.run_all(failing, ["late"]) == {"late": "late"}
        assert sorted(self.ran) == ["basic", "late"]

    def test_hidden_tests_explain_only_hidden_ones(self) -> None:
        """A student, whose tree does not have them, sees the causes that an instructor sees."""
        failing = {
            "basic": Cause("x", "basic"), "middle": Cause("y", "middle", ("basic",)),
            "late": Cause("z", "late", ("basic", "middle")),
        }
        chosen = ["middle", "late"]
        public = {"middle": "middle", "late": "middle"}
        assert self.run_all(failing, chosen, hidden=["basic"]) == public
        assert self.run_all(failing, chosen, left_out=["basic"]) == public
        both = ["basic", "middle", "late"]
        assert self.run_all(failing, ["late"], hidden=both) == {"late": "basic"}

    def test_no_circle(self) -> None:
        """Tests ask only those that need less than they do."""
        failing = {
            "basic": Cause("x", "basic", ("middle",)), "middle": Cause("y", "middle", ("basic",)),
        }
        assert self.run_all(failing, ["basic"]) == {"basic": "basic"}
        assert self.run_all(failing, ["middle"]) == {"middle": "basic"}

    def test_late(self) -> None:
        """When it is late no test starts, not even to explain another."""
        runner = Runner(
            Setting(mock.Mock(TESTS=[], SIMPLE=[]), mock.Mock(), Path(), Path(), mock.Mock(), 1),
            [Test("a", "A", 1, "")], lambda: True,
        )
        assert runner.result("a") is None


class TestMeasure:
    """How often cards name the planted bug."""

    def test_report(self) -> None:
        """Right, wrong and silent cards; solutions without a planted cause do not count."""
        named = Named()
        assert "no card" in named.report()
        for said in ("leak", "leak", "race", ""):
            named.add("wrong/a", ("leak", "reserve"), "a_test", said)
        named.add("wrong/b", ("race",), "a_test", "race")
        named.add("wrong/hostile", (), "a_test", "race")
        lines = named.report().split("\n")
        assert lines[:2] == ["wrong/a: a_test says race", "wrong/a: a_test says nothing"]
        assert "3 of 5 cards name the planted bug (60 %" in lines[2]
        assert "1 another, 1 none; all cards of 1 of 2 faults" in lines[2]
