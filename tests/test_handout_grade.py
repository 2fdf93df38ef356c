"""A student sees at home what the mark says: `make grade` in a handout's tree and grade-cow on what
is handed in from there print the same."""
from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import make, run
from products import ROOT, make_environment, product
from solutions import SOLUTIONS, read_solution
from starter import make_handout
from submissions import find_sandbox_mode

FOLDER = product("build/check/handout-grade")
SECONDS = 3600.0  # far more than any grading needs, on the busiest host
# What may differ: the command, and where files are; each may go on for some lines.
PLACES = re.compile(r"^ {4}(?:again|files) .*\n(?: {12}.*\n)*", re.MULTILINE)
pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="this is no git repository, so the files are not known"
)


@pytest.fixture(name="tree", scope="module")
def fixture_tree() -> Iterator[Path]:
    """A student's tree."""
    yield make_handout(1, FOLDER)


def verdicts(said: str) -> str:
    """Returns what a grading printed, from the first verdict to the score."""
    found = re.search(r"^\w+: (?:ok|FAIL) [\s\S]*^Score: .*$", said, re.MULTILINE)
    assert found, said
    return PLACES.sub("", found.group())


def grade_at_home(tree: Path, tests: str) -> str:
    """Returns what `make grade` prints in a student's tree."""
    words = ["make", "--no-print-directory", "grade", f"TESTS={tests}", "SEED=5"]
    return run(words, cwd=tree, env=make_environment(tree), seconds=SECONDS).output


def grade_for_the_mark(handed_in: Path, tests: str) -> str:
    """Returns what an instructor's grade-cow prints about what is handed in."""
    words = [sys.executable, str(ROOT / "grade-cow"), str(handed_in), "--seed", "5"]
    words += ["--sandbox", find_sandbox_mode()]
    return run([*words, *tests.split()], cwd=ROOT, seconds=SECONDS).output


def submit(tree: Path) -> Path:
    """Returns the archive that `make submission` packs."""
    make("submission", tree=tree)
    return tree / "build/submission.tar.gz"


@pytest.mark.parametrize("name, tests, lost, hand_in", [
    # Simpler tests, which were not asked for, tell the cause of two.
    ("wrong/break_copies_next_page", "odd_stores pipe_read_breaks exec_starts_afresh", 2, submit),
    # A panic, with the calls that led to it; what is handed in is the tree itself.
    ("wrong/failed_fork_panics", "failed_fork_is_harmless bad_loads", 1, lambda tree: tree),
])
def test_home_says_what_the_mark_says(
    tree: Path, name: str, tests: str, lost: int, hand_in: Callable[[Path], Path]
) -> None:
    """Card for card, to the byte, also if what is not handed in was changed at home."""
    read_solution(SOLUTIONS / name, ()).hand_in(tree)
    with (tree / "Makefile").open("a") as makefile:
        makefile.write("RISCV_FLAGS += -O0\n")  # would move all that a kernel has
    home = grade_at_home(tree, tests)
    assert verdicts(home) == verdicts(grade_for_the_mark(hand_in(tree), tests))
    assert home.count(": FAIL (") == home.count("\n    likely ") == lost
    assert "note: Makefile is not handed in: the original is used instead of yours\n" in home


def test_hidden_tests_are_announced(tree: Path) -> None:
    """A student's tree does not have them, and says so."""
    listed = run([sys.executable, tree / "grade-cow", "--list"], cwd=tree).output
    assert "Part G, several harts: hidden tests worth 8\n" in listed
    assert "Part D, out of memory: 8\n" in listed
    assert "part G has only hidden tests" in grade_at_home(tree, "G")
