"""Tests of what students get of the grader (tools/public_grading.py, tools/prune.py): the public
tests and what these need, and nothing of the hidden ones."""
from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import handout
import public_grading
import pytest
from command import run
from grader.run import load_lab
from products import ROOT
from prune import COLUMNS, prune, without_elements
from public_grading import (
    LAB, PLACEHOLDER, SETTINGS, hidden_points, is_module, named_tests, public_files,
)
from starter import Entry, leaks, original_files, student_tree, tracked

TESTS = load_lab(ROOT / LAB).TESTS
SIMPLE = "fork_shares_pages reading_copies_nothing child_write_copies_one_page exit_returns_pages"
pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="this is no git repository, so the files are not known"
)

# ---- What is kept of a package ----

PACKAGE = {
    "main": '''"""Needs a and, by its module, c."""
from __future__ import annotations

import os
from p import other
from p.helpers import a, b, long_name_of_something as short

LIMIT, UNUSED = 3, 4


def used() -> None:
    """Is a root."""
    a(LIMIT)
    other.c()


# Explains the next one.
@short
def unused() -> None:
    b(os)
''',
    "helpers": "def a(x: int) -> B: ...\n\n\nclass B: ...\n\n\ndef b() -> None: ...\n",
    "other": "X = [1]\nY = X\n\n\ndef c() -> None:\n    Y.append(2)\n\n\ndef d() -> None: ...\n",
    "alone": "from p.main import used\n",
}


def test_prune_keeps_what_is_needed() -> None:
    """In the words of the package, also through other modules."""
    kept = prune(PACKAGE, "p", [("main", "used")])
    assert kept["main"] == '''"""Needs a and, by its module, c."""
from __future__ import annotations

from p import other
from p.helpers import a

LIMIT, UNUSED = 3, 4


def used() -> None:
    """Is a root."""
    a(LIMIT)
    other.c()
'''
    assert kept["helpers"] == "def a(x: int) -> B: ...\n\n\nclass B: ...\n"
    assert kept["other"] == "X = [1]\nY = X\n\n\ndef c() -> None:\n    Y.append(2)\n"
    assert "alone" not in kept


def test_prune_with_everything_as_root_changes_nothing() -> None:
    assert prune(PACKAGE, "p", [(name, "*") for name in PACKAGE]) == PACKAGE


def test_prune_wraps_imports() -> None:
    """Those that still are too long for a line."""
    names = [f"name_{i:02}" for i in range(30)]
    text = f"from x import (\n    {', '.join(names)}, unused,\n)\n\nused = [{', '.join(names)}]\n"
    kept = prune({"m": text}, "p", [("m", "used")])["m"]
    assert "unused" not in kept and all(f" {name}," in kept for name in names)
    assert max(map(len, kept.split("\n\n")[0].split("\n"))) <= COLUMNS


def test_elements_of_lists() -> None:
    """Each goes with its comment and all its lines."""
    text = (
        "MY_LIST = [\n    f(1),\n    # Two\n    f(\n        2, 3,\n    ),\n    g,\n]\n"
        "OTHER = [f(2)]\n"
    )
    cut = without_elements(text, "_LIST", lambda call: ast.unparse(call.args[0]) == "2")
    assert cut == "MY_LIST = [\n    f(1),\n    g,\n]\nOTHER = [f(2)]\n"


# ---- What is kept of the lab's grader ----


def choose_hidden(words: Sequence[str]) -> dict[str, dict[str, int]]:
    """Returns the points of these tests, or tests of these parts, by part."""
    points: dict[str, dict[str, int]] = {}
    for test in TESTS:
        if test.part in words or test.id in words:
            points.setdefault(test.part, {})[test.id] = test.points
    return points


def write_public(hidden: dict[str, dict[str, int]], folder: Path) -> dict[str, str]:
    """Writes the lab's modules without these tests, as a student's tree has them; returns all that
    is written."""
    paths = [path for path in tracked() if path.startswith(f"{LAB}/grading/") or path == SETTINGS]
    texts = {path: (ROOT / path).read_text() for path in paths if not path.endswith("lab.mk")}
    public = public_files(texts, hidden)
    kept = {path: text for path, text in texts.items() if not is_module(path)}
    for path, text in {**kept, **public}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return {**kept, **public}


def pyflakes(folder: Path) -> str:
    """Returns what pyflakes, if it is installed, says about the modules below a folder."""
    if find_spec("pyflakes") is None:
        return ""
    script = "import sys; from pyflakes.api import main; main(args=sys.argv[1:])"
    return run([sys.executable, "-c", script, folder]).output


LOOK = """
import sys
sys.path[:0] = sys.argv[1:]
from labs.cow.grading import lab
for test in lab.TESTS:
    assert sum(hasattr(module, test.id) for module in lab.MODULES) == 1, test
print(*[test.id for test in lab.TESTS], sum(lab.HIDDEN.values()))
"""


@pytest.mark.parametrize("words", [
    *"ABCDEFGH", "A B C D E F G", "race_writers", "pages_not_there_yet H G", SIMPLE, "",
])
def test_any_tests_can_be_hidden(words: str, tmp_path: Path) -> None:
    """What remains is a lab of its own with all other tests; nothing in it is without use, and
    nothing tells the names of the hidden ones."""
    hidden = choose_hidden(words.split())
    names = [name for tests in hidden.values() for name in tests]
    texts = write_public(hidden, tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path), str(ROOT / "tools")], check=False,
        capture_output=True, text=True,
    )
    public = [test.id for test in TESTS if test.id not in names]
    points = sum(test.points for test in TESTS if test.id in names)
    assert done.stdout.split() == [*public, str(points)], done.stderr
    assert pyflakes(tmp_path) == ""
    assert named_tests(texts, names) == []
    assert (PLACEHOLDER in str(texts)) == (words not in ("D", "F", "G", "race_writers", ""))


def test_rules_that_no_public_test_can_meet(tmp_path: Path) -> None:
    """Those for races are not told where there are no races; others stay."""
    rules = "labs/cow/grading/rules_ends.py"
    texts = write_public(choose_hidden(["G"]), tmp_path)
    assert '"counts", "race"' in (ROOT / rules).read_text().replace("\n       ", "")
    assert '"counts", "race"' not in texts[rules].replace("\n       ", "")
    assert texts[rules].count("Rule(") > 30
    without_heap = write_public(choose_hidden(["pages_not_there_yet"]), tmp_path)
    machine = "labs/cow/grading/rules_machine.py"
    assert without_heap[machine].count("Rule(") == texts[machine].count("Rule(") - 1


def test_all_public_is_the_graders_own_text(tmp_path: Path) -> None:
    """Only what students have no use for is missing."""
    for path, text in write_public({}, tmp_path).items():
        if path != SETTINGS:
            assert text == (ROOT / path).read_text(), path


# ---- In the tree ----


def test_hidden_tests_are_not_in_the_tree() -> None:
    """lab.ini hides some; one named anywhere is noticed, unless cowtest has a test of its name."""
    hidden = [name for tests in hidden_points().values() for name in tests]
    assert hidden and len(hidden) < len(TESTS) / 2
    tree = student_tree(1)
    text = f"See {hidden[0]}.\n".encode()
    for path in ("docs/x.md", "labs/cow/grading/steps.py", f"tools/{hidden[0]}.py"):
        assert len(leaks({**tree, path: Entry(text, 0o644)}, 1)) == 1, path
    texts = {"docs/x.md": "many_1", "user/tests/cowtest_x.c": "TEST(many_1) {"}
    assert named_tests(texts, ["many_1"]) == []
    assert len(named_tests({**texts, "labs/cow/grading/x.py": "many_1"}, ["many_1"])) == 1


def test_originals_are_what_a_kernel_is_built_from() -> None:
    """The student's own files as they were handed out, and no solution."""
    tree = student_tree(1)
    originals = original_files(tree)
    assert {"Makefile", "kernel/vm/cow.c", "kernel/abi/limits.h", "mkfs/mkfs.c"} <= set(originals)
    assert not [path for path in originals if path.startswith(("labs", "tests", "user"))]
    assert all(tree[path] is entry for path, entry in originals.items())


def test_a_wrong_word_in_lab_ini(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make handout` says which."""
    settings = configparser.ConfigParser()
    settings.read_string("[public]\ntests = A forks_share\n")
    monkeypatch.setattr(public_grading, "read_lab_settings", lambda _: settings)
    monkeypatch.setattr(sys, "argv", ["handout.py"])
    assert handout.main() == 1
    said = capsys.readouterr().err
    assert said == "handout: lab.ini, [public]: no such test: forks_share (./grade-cow --list)\n"
