"""Tests of tools/find-python and of what tools/setup says about packages of python."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Dict, Tuple

ROOT = Path(__file__).resolve().parents[1]
SHELL = str(shutil.which("sh"))


class FindPythonTest(unittest.TestCase):
    """The tools run under the first python that has all their packages."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        shutil.copytree(ROOT / "tools", self.folder / "tree/tools", ignore=shutil.ignore_patterns("__pycache__"))
        self.link("usual", "sh", "sed", "cat", "dirname", "id", "uname", "awk", "rm")

    def link(self, folder: str, *names: str) -> None:
        """Puts links to this machine's programs into the folder."""
        (self.folder / folder).mkdir(exist_ok=True)
        for name in names:
            (self.folder / folder / name).symlink_to(str(shutil.which(name)))

    def fake(self, place: str, missing: str, status: int = 0) -> None:
        """Makes a python3 that reports what it is missing."""
        file = self.folder / place / "python3"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!{SHELL}\nprintf '%s\\n' '{missing}'\nexit {status}\n")
        file.chmod(0o755)

    def run_tool(self, name: str, *folders: str) -> "subprocess.CompletedProcess[str]":
        """Runs a tool with these folders as the path."""
        path = os.pathsep.join(str(self.folder / folder) for folder in (*folders, "usual"))
        environment: Dict[str, str] = {"PATH": path}
        return subprocess.run(
            [SHELL, str(self.folder / "tree/tools" / name)], env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )

    def find(self, *folders: str) -> Tuple[str, str]:
        """Returns which python is found, relative to the test's folder, and what is said otherwise."""
        done = self.run_tool("find-python", *folders)
        self.assertEqual(done.returncode == 0, bool(done.stdout))
        return done.stdout.strip().replace(f"{self.folder}/", ""), done.stderr

    def test_first_complete_one(self) -> None:
        """A python without the packages, or one that does not run, is passed over."""
        self.fake("pyenv", "pytest rich")
        self.fake("broken", "", status=1)
        self.fake("system", "")
        self.fake("later", "")
        self.assertEqual(self.find("pyenv", "broken", "system", "later"), ("system/python3", ""))

    def test_project_environment_first(self) -> None:
        """The environment that tools/setup makes goes before the path."""
        self.fake("system", "")
        self.fake("tree/.venv/bin", "")
        self.assertEqual(self.find("system")[0], "tree/.venv/bin/python3")

    def test_none(self) -> None:
        """The message names what the best of them is missing."""
        self.assertIn("(missing: python 3.9): run 'make setup'", self.find()[1])
        self.fake("pyenv", "pytest hypothesis rich")
        self.fake("system", "rich")
        self.assertIn("(missing: rich): run 'make setup'", self.find("pyenv", "system")[1])

    def test_real_python(self) -> None:
        """A real python is asked for packages that exist and for one that cannot."""
        packages = self.folder / "tree/tools/python-packages"
        self.link("real", "python3")
        packages.write_text("json|a|b\nzipfile|c|d\n")
        self.assertEqual(self.find("real")[0], "real/python3")
        packages.write_text("json|a|b\nno_such_package|c|d\n")
        self.assertIn("(missing: no_such_package)", self.find("real")[1])

    def test_setup_lists_packages(self) -> None:
        """Where nothing can be installed, setup names the packages of python with the others."""
        text = (ROOT / "tools/python-packages").read_text()
        rows = [line.split("|") for line in text.splitlines()]
        self.assertEqual({len(row) for row in rows}, {6})
        (self.folder / "tree/.venv").mkdir()
        said = self.run_tool("setup").stderr
        for row in rows:
            self.assertIn(f"  {row[2]}  ({row[1]})", said)
        self.fake("system", "")
        self.assertNotIn(rows[0][2], self.run_tool("setup", "system").stderr)
