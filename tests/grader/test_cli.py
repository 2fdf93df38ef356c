"""The command grade-cow: its words, its exit status, the file of results; and that the lab's
catalogue is in order."""
from __future__ import annotations

import configparser
import contextlib
import gzip
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import pytest
from grader import cli
from grader.errors import InfraError, SubmissionError
from grader.lab_settings import hidden_tests
from grader.options import parse
from grader.protections import NAMES, Protections
from grader.run import Cause, Failure, Result, Setting, Test, Trial, load_lab
from grader.sandbox import Sandbox
from labs.cow.grading import evidence, lab as lab_module, probe
from products import ROOT

LAB = load_lab(ROOT / "labs" / "cow")
PROTECTIONS = Protections(dict.fromkeys(NAMES, "here"), {})


def verdicts(failing: Sequence[str], seen: list[Path]) -> Callable[..., Iterator[Result]]:
    """Returns a stand-in for run_tests, in which these tests fail; it notes what the file of
    results said meanwhile."""

    def run_tests(
        _: Setting, tests: Sequence[Test], __: int, is_late: Callable[[], bool]
    ) -> Iterator[Result]:
        for test in reversed(tests):
            if is_late():
                return
            failure = Failure("shared", "one", "two") if test.id in failing else None
            cause = Cause("x", "because of this")
            trials = {n: Trial(failure, cause, cpu_seconds=2.5) for n in range(2)}
            yield Result(test, trials, wall_seconds=0.75)
            for path in seen:
                written = json.loads(path.read_text())["tests"][tests.index(test)]
                assert written["status"] in ("passed", "failed")

    return run_tests


class TestCommand:
    """main() with the machinery below it replaced."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.json = tmp_path / "results.json"

    def run_main(
        self, *words: str, failing: Sequence[str] = (), build: object = None
    ) -> tuple[int, str]:
        """Returns exit status and output."""
        built = mock.Mock(side_effect=build) if build else mock.Mock(
            return_value=(mock.Mock(), Path("probe"))
        )
        output = io.StringIO()
        watched = [self.json] if "--json" in words else []
        with mock.patch.object(cli, "build", built), mock.patch.object(cli, "Sandbox"), \
                mock.patch.object(cli, "protections_of", return_value=PROTECTIONS), \
                contextlib.redirect_stdout(output), \
                mock.patch.object(cli, "run_tests", verdicts(failing, watched)), \
                contextlib.redirect_stderr(output):
            try:
                return cli.main([*words, "--keep", str(self.folder / "kept")]), output.getvalue()
            except SystemExit as end:
                return int(str(end.code)), output.getvalue()

    def test_all_points(self) -> None:
        """Status 0, a line for each test in the catalogue's order, parts, the score."""
        status, output = self.run_main("--seed", "3")
        assert status == 0
        lines = [line.partition(":")[0] for line in output.splitlines() if ": ok (" in line]
        assert lines == [test.id for test in LAB.TESTS]
        assert "Part A, fork shares memory: 19/19" in output
        assert output.endswith("Score: 100/100\n")
        assert "seed 3\n" in output

    def test_points_lost(self) -> None:
        """Status 1; results in the file, after every test; a card."""
        status, output = self.run_main(
            "--json", str(self.json), failing=["fork_shares_pages", "race_churn"]
        )
        assert status == 1
        assert "fork_shares_pages: FAIL (0/4)\n    shows" in output
        assert output.endswith("Score: 94/100\n")
        results = json.loads(self.json.read_text())
        assert (results["score"], results["max_score"], results["complete"]) == (94, 100, True)
        assert (results["status"], results["reason"]) == ("graded", "")
        assert [test["id"] for test in results["tests"] if test["status"] == "failed"] == [
            "fork_shares_pages", "race_churn"
        ]
        assert sum(part["score"] for part in results["parts"]) == 94
        assert (self.folder / "kept/fork_shares_pages/console.txt").exists()

    def test_seconds(self) -> None:
        """Seconds are what their names say; without a name they are the wall clock's."""
        self.run_main("--json", str(self.json), "bad_stores", "bad_loads")
        results = json.loads(self.json.read_text())
        for test in results["tests"]:
            times = test["seconds"], test["wall_seconds"], test["cpu_seconds"]
            assert times == (0.75, 0.75, 5.0)
        assert results["cpu_seconds"] == 10.0
        assert results["wall_seconds"] < 600

    def test_much_lost(self) -> None:
        """If many tests fail, the report says how many each likely cause may explain."""
        failing = [test.id for test in LAB.TESTS[:7]]
        output = self.run_main(failing=failing)[1]
        assert re.search(r"may have cost:\n    7 tests +because of this\nPart A", output)
        assert "may have cost" not in self.run_main(failing=failing[:2])[1]

    @pytest.mark.parametrize("word", ["unreadable", "does-not-compile", "does-not-start"])
    def test_refused_submission(self, word: str) -> None:
        """A status of its own, the reason; no test is lost."""
        error = SubmissionError("kernel/vm/cow.c: why", word)
        status, output = self.run_main("--json", str(self.json), build=error)
        assert status == 4
        assert "cannot be graded: kernel/vm/cow.c: why\n" in output
        assert output.endswith(f"Status: {word}\nScore: 0/100\n"), output
        results = json.loads(self.json.read_text())
        assert (results["status"], results["reason"]) == (word, "kernel/vm/cow.c: why")
        assert results["complete"]
        assert {test["status"] for test in results["tests"]} == {"not run"}

    @pytest.mark.parametrize("given, status", [
        ("", "does-not-compile"), ("does-not-start", "does-not-start"),
    ])
    def test_phases(self, given: str, status: str) -> None:
        """What was being done decides the status, unless the error says it."""
        tree = self.folder / "tree"
        for file in cli.read_lab_settings("cow")["cow6"]["required"].split():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            (tree / file).touch()
        request = cli.Request(str(tree))
        with mock.patch.object(cli.cow6, "build", side_effect=SubmissionError("x", given)):
            with pytest.raises(SubmissionError) as raised:
                cli.build(request, mock.Mock(), self.folder / "work", Sandbox())
        assert raised.value.status == status

    def test_unreadable(self) -> None:
        """Broken and empty uploads, a tree with a file too few, a tree of something else."""
        names = ("empty", "text.zip", "cut.tar.gz", "other", "few")
        uploads = {name: self.folder / name for name in names}
        uploads["empty"].mkdir()
        uploads["text.zip"].write_text("PK, but no archive")
        uploads["cut.tar.gz"].write_bytes(gzip.compress(bytes(range(256)) * 100)[:200])
        for name in ("other/main.c", "few/kernel/vm/cow.c", "few/kernel/mem/frame.c"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).touch()
        for name, path in uploads.items():
            request = cli.Request(str(path))
            with pytest.raises(SubmissionError) as raised:
                cli.build(request, mock.Mock(), self.folder / "work", Sandbox())
            assert raised.value.status == "unreadable", name

    def test_infrastructure(self) -> None:
        """Status 3 and no score."""
        status, output = self.run_main("--json", str(self.json), build=InfraError("no QEMU"))
        results = json.loads(self.json.read_text())
        assert (results["status"], results["reason"]) == ("machine-fault", "no QEMU")
        assert not results["complete"]
        assert status == 3
        assert "not the submission's fault: no QEMU" in output
        assert "Score" not in output
        status, output = self.run_main("--json", str(self.folder / "nowhere/results.json"))
        assert (status, "Score" in output) == (3, False)

    @pytest.mark.parametrize("error", [
        RuntimeError("can't start new thread"), KeyError("x"), OSError(11, "no"),
    ])
    def test_unexpected_exception_is_infrastructure_error(self, error: Exception) -> None:
        """It ends like a fault of the machine: without traceback and score."""
        status, output = self.run_main("--json", str(self.json), build=error)
        assert (status, "Score" in output, "Traceback" in output) == (3, False, False)
        assert json.loads(self.json.read_text())["status"] == "machine-fault"

    def test_results_that_cannot_be_written(self) -> None:
        """Status 3; a folder or device of that name is left as it is, and no other file appears."""
        device = Path("/dev/full")
        if device.is_char_device():
            assert self.run_main("--json", str(device))[0] == 3
            assert device.is_char_device()
        place = self.folder / "results"
        place.mkdir()
        for name in (str(place), "", ".", "/", str(self.json / "x")):
            status, output = self.run_main("--json", name)
            assert (status, "Score" in output) == (3, False), name
        with mock.patch("os.replace", side_effect=OSError(28, "No space left on device")):
            assert self.run_main("--json", str(self.json))[0] == 3
        assert {path.name for path in self.folder.iterdir()} - {"kept"} == {"results"}

    def test_missing_protections(self) -> None:
        """They are said once, and are in the results."""
        known = Protections({"files": "walls"}, {"network": "no filter"})
        with mock.patch(f"{__name__}.PROTECTIONS", known):
            output = self.run_main("--json", str(self.json), "--sandbox", "reduced")[1]
        assert output.count("grade-cow: missing protection: network: no filter\n") == 1
        results = json.loads(self.json.read_text())
        assert results["protections"] == ["files: walls"]
        assert [line.partition(":")[0] for line in results["missing"]] == list(NAMES[1:])

    def test_results_are_private_if_commands_could_see_them(self) -> None:
        with mock.patch(f"{__name__}.PROTECTIONS", Protections({}, {})):
            self.run_main("--json", str(self.json))
        assert self.json.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("words, mode", [
        ([], "full"), (["--unsafe"], "none"), (["--sandbox", "reduced"], "reduced"),
    ])
    def test_sandbox(self, words: list[str], mode: str) -> None:
        assert parse(words)[0].sandbox == mode

    def test_time_limit(self) -> None:
        """A run that is cut short prints no score."""
        status, output = self.run_main("--json", str(self.json), "--time-limit", "-1")
        assert (status, "Score" in output) == (3, False)
        results = json.loads(self.json.read_text())
        assert not results["complete"]
        assert {test["status"] for test in results["tests"]} == {"not run"}

    @pytest.mark.parametrize("words", [
        ["--jobs", "0"], ["--tree", "minix"], [str(ROOT), "no_such_test"], ["--unknown"],
        ["no_such_file"], [""], ["", "fork_"], [str(ROOT), ""], [str(ROOT), "-t", ""],
    ])
    def test_bad_usage(self, words: list[str]) -> None:
        """Status 2."""
        assert self.run_main(*words)[0] == 2

    def test_links_to_nowhere(self) -> None:
        """A broken link counts as handed in (status 4); a misspelt path does not (status 2)."""
        refused = SubmissionError("no such folder", "unreadable")
        for name, target in (("loop", "loop"), ("dangling", "nowhere")):
            (self.folder / name).symlink_to(target)
            assert self.run_main(str(self.folder / name), build=refused)[0] == 4, name

    @pytest.mark.parametrize("words, most", [
        (["fork_shares_pages"], 4), ([str(ROOT), "fork_"], 8), ([str(ROOT), "-t", "H"], 4),
        (["-t", "A", "-t", "race_churn"], 21),
        ([str(ROOT), "--seed", "4", "bad_", "text_store"], 8),
    ])
    def test_filters(self, words: list[str], most: int) -> None:
        """Ids, beginnings of ids and parts; with and without a path."""
        assert self.run_main(*words)[1].endswith(f"Score: {most}/{most}\n")

    def test_protections_of_own_work(self) -> None:
        """Those that are missing are named, unless a student grades what needs none."""
        missing = Protections({}, {"network": "no namespaces"})
        with mock.patch(f"{__name__}.PROTECTIONS", missing):
            line = "missing protection: network: no namespaces\n"
            assert line in self.run_main("bad_loads")[1]
            with mock.patch.object(cli.home, "is_own_work", return_value=True):
                assert line not in self.run_main("bad_loads")[1]

    def test_hidden_tests(self) -> None:
        """A student's tree has none of them, but says what they are worth."""
        tests = [test for test in LAB.TESTS if test.part not in "GH"]
        points = {"F": 2, "G": 8, "H": 4}
        with mock.patch.multiple(lab_module, TESTS=tests, HIDDEN=points), \
                mock.patch.object(cli, "hidden_tests", return_value=frozenset()):
            output = self.run_main(failing=["bad_loads"])[1]
            assert "\nPart E, every page comes back: 10/10\n" in output
            assert "\nPart F, bad addresses: 5/6, and hidden tests worth 2\n" in output
            assert "\nPart G, several harts: hidden tests worth 8\n" in output
            assert output.endswith(
                "\nScore: 87/88 in the public tests; hidden tests are worth 14 more\n"
            )
            assert self.run_main("F")[1].endswith("\nPart F, bad addresses: 6/6\nScore: 6/6\n")
            status, output = self.run_main("A", "-t", "G")
            assert status == 2 and "part G has only hidden tests" in output
            assert "Part G, several harts: hidden tests worth 8" in self.run_main("--list")[1]

    def test_list(self) -> None:
        """--list runs nothing."""
        status, output = self.run_main("--list", build=InfraError("must not be called"))
        assert status == 0
        for test in LAB.TESTS:
            assert f"  {test.id} " in output

    def test_again(self) -> None:
        """The card's command names the submission, the seed and the kind of tree that was asked
        for."""
        place = self.folder / "some where"
        place.mkdir()
        words = [str(place), "--seed", "9", "--tree", "xv6", "odd_stores"]
        output = self.run_main(*words, failing=["odd_stores"])[1]
        assert f"./grade-cow '{place}' --tree xv6 --seed 9 odd_stores" in output


# ---- What students get ----


@pytest.mark.parametrize("section, hidden", [
    ("", 0), ("[public]\ntests = A B C D E F G H", 0),
    ("[public]\ntests = B C D E F race_ sbrk_\n  exec_starts_afresh", 9),
])
def test_public_tests(section: str, hidden: int) -> None:
    """All that lab.ini does not name are hidden; without a section none."""
    settings = configparser.ConfigParser()
    settings.read_string(section)
    assert len(hidden_tests(settings, LAB)) == hidden


@pytest.mark.parametrize("section, complaint", [
    ("[public]\ntests = A a", "no such test: a "), ("[public]\ntests =", "names no test"),
    ("[public]\ntest = A", "names no test"),
])
def test_public_tests_that_there_are_not(section: str, complaint: str) -> None:
    settings = configparser.ConfigParser()
    settings.read_string(section)
    with pytest.raises(InfraError, match=complaint):
        hidden_tests(settings, LAB)


# ---- The lab's tests ----


def test_points() -> None:
    """They add up to 100, every part has some, ids are unique and begin no other id that means
    a different test."""
    assert sum(test.points for test in LAB.TESTS) == 100
    assert {test.part for test in LAB.TESTS} == set(LAB.PARTS)
    assert len({test.id for test in LAB.TESTS}) == len(LAB.TESTS)


@pytest.mark.parametrize("name", [test.id for test in LAB.TESTS])
def test_each_test_has_exactly_one_function(name: str) -> None:
    """It is in one of the modules tests_*.py."""
    assert sum(hasattr(module, name) for module in lab_module.MODULES) == 1


def test_invariants() -> None:
    """Those that tests name are explained."""
    sources = "".join(path.read_text() for path in (ROOT / "labs/cow/grading").glob("*.py"))
    for name in evidence.INVARIANTS:
        assert f'"{name}"' in sources.replace(f'    "{name}": ', ""), name


PLACES = (
    "checkpoint", "newborn", "parent_waits", "page_begins", "writing_begins", "race_write"
)


def test_probe(tmp_path: Path) -> None:
    """The probe has what the tests look for; every command has a number of its own."""
    built = probe.read(probe.build(tmp_path, tmp_path / "cache"))
    for symbol in (
        "checkpoint_stop", "data_pages", "code_page", "path_program", "program_arguments",
        "path_file", "text_target"
    ):
        assert symbol in built.symbols
    assert [segment.address % 4096 for segment in built.segments] == [0, 0, 0]
    assert built.symbols["text_target"] == 8192
    for name in PLACES:
        place = built.place(name)
        assert place.pc < place.end < 4096, "its callers are on the same page"
        assert place.end in built.entries
        assert place.word is not None and 4096 <= place.word < 8192, "words have their own page"
    assert any(built.text.content[at - 4:at] == probe.ECALL for at in built.entries)
    assert not set(range(4096, 8192)) & built.entries
    assert len(set(probe.OPERATIONS.values())) == len(probe.OPERATIONS)
    assert "OP_RACE_CHURN" in probe.OPERATIONS


def test_probe_is_built_once(tmp_path: Path) -> None:
    """Until its sources change."""
    first = probe.build(tmp_path, tmp_path)
    with mock.patch.object(probe, "build_in", lambda folder: folder.mkdir()):
        assert probe.build(tmp_path, tmp_path) == first
        changed = tmp_path / "puppet"
        shutil.copytree(probe.FOLDER, changed)
        (changed / "play.c").write_text("")
        with mock.patch.object(probe, "FOLDER", changed):
            assert probe.build(tmp_path, tmp_path) != first
