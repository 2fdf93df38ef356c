"""Tests of tools/find-python, and of what tools/setup says about packages of python."""
from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from command import make
from products import ROOT
from python_packages import has_package

SHELL = str(shutil.which("sh"))


class Machine:
    """A folder with a copy of the tools, and folders with the programs that are on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.current = folder  # where tools are run
        litter = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "tools", folder / "tree/tools", ignore=litter)
        self.link("usual", "sh", "sed", "tr", "cat", "dirname", "id", "uname", "awk", "rm")

    def link(self, place: str, *names: str) -> None:
        """Puts links to the host's programs into a folder."""
        (self.folder / place).mkdir(exist_ok=True)
        for name in names:
            (self.folder / place / name).symlink_to(str(shutil.which(name)))

    def fake_python(self, place: str, missing: str, status: int = 0) -> None:
        """Makes a python3 that says what it is missing."""
        file = self.folder / place / "python3"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!{SHELL}\nprintf '%s\\n' '{missing}'\nexit {status}\n")
        file.chmod(0o755)

    def run(
        self, tool: str, *places: str, argument: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Runs a tool with these folders on the path."""
        words = [str(self.folder / "tree/tools" / tool), *argument.split()]
        path = os.pathsep.join(str(self.folder / place) for place in (*places, "usual"))
        return subprocess.run(
            [SHELL, *words],
            cwd=self.current,
            env={"PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def found(self, *places: str) -> str:
        """Returns which python is found, relative to the folder."""
        done = self.run("find-python", *places)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().replace(f"{self.folder}/", "")

    def missing(self, *places: str) -> str:
        """Returns what is missing if none is found."""
        done = self.run("find-python", *places)
        assert done.returncode == 1 and not done.stdout
        said = re.fullmatch(r"no python3 .* \(missing: (.*)\): run 'make setup'\n", done.stderr)
        assert said, done.stderr
        return said.group(1)


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: Path) -> Machine:
    """A machine without any python."""
    return Machine(tmp_path.resolve())


def test_first_complete_python(machine: Machine) -> None:
    """A python without the packages, or one that does not run, is passed over."""
    machine.fake_python("pyenv", "pytest rich")
    machine.fake_python("broken", "", status=1)
    machine.fake_python("system", "")
    machine.fake_python("later", "")
    assert machine.found("pyenv", "broken", "system", "later") == "system/python3"


def test_current_folder_is_not_imported(machine: Machine) -> None:
    """A stranger's folder, in which the grader may be started, has no say: nothing of it runs."""
    machine.current = machine.folder / "stranger"
    (machine.current / "no_such_package").mkdir(parents=True)
    (machine.current / "no_such_package/__init__.py").write_text("")
    (machine.current / "contextlib.py").write_text("open('ran', 'w')\n")
    (machine.folder / "real").mkdir()
    (machine.folder / "real/python3").symlink_to(sys.executable)
    needs = machine.folder / "tree/tools/needs"
    needs.write_text("import_json|may\n")
    assert machine.found("real") == "real/python3"
    needs.write_text("import_no_such_package|may\n")
    assert machine.missing("real") == "no_such_package"
    assert not (machine.current / "ran").exists()


@pytest.mark.skipif((ROOT / ".venv").exists(), reason=".venv has the packages")
@pytest.mark.skipif(not (ROOT / "grade-cow").exists(), reason="a student's tree has no grader")
def test_grader_without_packages(machine: Machine) -> None:
    """Packages that are missing are not the submission's fault: status 3."""
    machine.fake_python("system", "rich")
    path = f"{machine.folder}/system:{machine.folder}/usual"
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / "grade-cow"), "--help"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "not the submission's fault: no python3" in done.stderr and "rich" in done.stderr


def test_restart_that_does_not_help(machine: Machine) -> None:
    """The program is started again once, not forever."""
    machine.fake_python("system", "")
    path = f"{machine.folder}/system:{machine.folder}/usual"
    script = "import python_packages as p; p.need_packages('no_such_package')"
    environment = {"PATH": path, "COW6_RESTARTED": f"{machine.folder}/system/python3"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT / "tools",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "does not find them: no_such_package" in done.stderr


def test_own_environment_first(machine: Machine) -> None:
    """The environment that tools/setup makes comes before the path."""
    machine.fake_python("system", "")
    machine.fake_python("tree/.venv/bin", "")
    assert machine.found("system") == "tree/.venv/bin/python3"


def test_none(machine: Machine) -> None:
    """The message names what the best of them is missing."""
    assert machine.missing() == "python 3.9"
    machine.fake_python("pyenv", "pytest hypothesis rich")
    machine.fake_python("system", "rich")
    assert machine.missing("pyenv", "system") == "rich"


def test_real_python(machine: Machine) -> None:
    """A real python is asked for packages that exist and for one that cannot."""
    needs = machine.folder / "tree/tools/needs"
    (machine.folder / "real").mkdir()
    (machine.folder / "real/python3").symlink_to(sys.executable)
    needs.write_text("import_json|may\ngdb|may\nimport_zipfile|may\n")
    assert machine.found("real") == "real/python3"
    needs.write_text("import_json|may\nimport_no_such_package|may\n")
    assert machine.missing("real") == "no_such_package"


def test_leftover_folder(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that a removed package left behind is no package."""
    (machine.folder / "tree/tools/needs").write_text("import_json|may\nimport_leftover|may\n")
    (machine.folder / "modules/leftover/__pycache__").mkdir(parents=True)
    (machine.folder / "real").mkdir()
    script = f'PYTHONPATH={machine.folder}/modules exec {sys.executable} "$@"'
    (machine.folder / "real/python3").write_text(f"#!{SHELL}\n{script}\n")
    (machine.folder / "real/python3").chmod(0o755)
    assert machine.missing("real") == "leftover"
    real = str(machine.folder / "real/python3")
    assert machine.run("find-python", argument=real).stdout == "leftover\n"
    (machine.folder / "modules/leftover/__init__.py").touch()
    assert machine.found("real") == "real/python3"
    monkeypatch.syspath_prepend(str(machine.folder / "modules"))
    assert has_package("leftover")
    (machine.folder / "modules/leftover/__init__.py").unlink()
    importlib.invalidate_caches()
    assert not has_package("leftover")


def test_setup_lists_packages(machine: Machine) -> None:
    """Where nothing can be installed, setup names the packages of python among the others."""
    lines = (ROOT / "tools/needs").read_text().splitlines()
    rows = [line.split("|") for line in lines if not line.startswith("#")]
    assert {len(row) for row in rows} == {7}
    imports = [row for row in rows if row[0].startswith("import_")]
    assert imports
    (machine.folder / "tree/.venv").mkdir()
    said = machine.run("setup").stderr
    for row in imports:
        assert f"  {row[3]}  ({row[2]})" in said
    machine.fake_python("system", "")
    assert imports[0][3] not in machine.run("setup", "system").stderr


def test_a_machine_that_grades_needs_less(machine: Machine) -> None:
    """`setup grading` leaves out what only developers need."""
    lines = (ROOT / "tools/needs").read_text().splitlines()
    rows = [line.split("|") for line in lines if not line.startswith("#")]
    assert {row[1] for row in rows} == {"must", "grade", "may", "class"}
    (machine.folder / "tree/.venv").mkdir()
    everything, said = (machine.run("setup", argument=word).stderr for word in ("", "grading"))
    for row in rows:
        line = f"  {row[3]}  ({row[2]})"
        assert (line in said) == (line in everything and row[1] != "may")


def test_setup_for_a_class(machine: Machine) -> None:
    """What only check-class needs is asked for with that goal only, and does not make setup fail
    where it cannot be installed."""
    needs = machine.folder / "tree/tools/needs"
    needs.write_text("graphviz|may|pictures|graphviz|||\nslurm|class|a cluster|slurmd|||\n")
    assert "slurmd" not in machine.run("setup").stderr
    assert "slurmd" in machine.run("setup", argument="check-class").stderr
    needs.write_text("slurm|class|a cluster||||\n")
    machine.link("manager", "cut", "true")
    (machine.folder / "manager/pacman").symlink_to(str(shutil.which("false")))
    (machine.folder / "manager/sudo").symlink_to(str(shutil.which("false")))
    done = machine.run("setup", "manager", argument="check-class")
    assert done.returncode == 0 and "still missing: slurm (a cluster)" in done.stderr


def test_package_that_some_systems_lack(machine: Machine) -> None:
    """Where it does not exist, setup goes on without it."""
    needs = machine.folder / "tree/tools/needs"
    needs.write_text("chromium|may|pages|no-such-package/|||\n")
    machine.link("manager", "cut", "true")
    for name, does in {"apt-get": "true", "apt-cache": "false", "sudo": "true"}.items():
        (machine.folder / "manager" / name).symlink_to(str(shutil.which(does)))
    done = machine.run("setup", "manager")
    assert done.returncode == 0 and "no-such-package" not in done.stdout
    assert "still missing: chromium (pages)" in done.stderr


@pytest.mark.skipif(
    not (ROOT / "labs/cow/grading/lab.mk").exists(), reason="a student's tree grades no class"
)
def test_make_tells_setup_about_a_class() -> None:
    """Only of check-class does setup need to know."""
    said = make("-n", "setup", "check-class") + make("-n", "setup", "all")
    assert re.findall(r"sh tools/setup ?(.*)", said) == ["check-class", ""]
