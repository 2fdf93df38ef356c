"""The load test (load.py) in short, and the disguises that it uses."""
from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from disguise import disguise, split
from load import problem_of
from products import ROOT
from submissions import need_sandbox
from synthetic import BREAKAGES, Case, make_class

TEST = "fork_shares_pages"
FILES = sorted((ROOT / "kernel/vm").glob("*.c"))


def test_a_class_of_known_submissions_gets_its_verdicts() -> None:
    need_sandbox()
    command = [sys.executable, str(ROOT / "tests/classroom/load.py"), "--count", "6"]
    done = subprocess.run(
        [*command, "-t", TEST], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.stdout.endswith("6 passed, 0 failed\n"), done.stdout
    assert done.returncode == 0


def test_a_class_has_everything_in_it(tmp_path: Path) -> None:
    """All kinds of breakage, right and wrong solutions, every way of packing."""
    cases = make_class(tmp_path / "submissions", 2 * len(BREAKAGES), 1, [TEST], broken_in_ten=5)
    whats = " ".join(case.what for case in cases)
    for word in ("right/", "wrong/", "as_zip", "as_tar", "as_xz", "as_folder"):
        assert word in whats
    assert sum(bool(case.reason) for case in cases) >= len(BREAKAGES)
    assert len(list((tmp_path / "submissions").iterdir())) == len(cases)


def test_no_verdict_goes_unnoticed() -> None:
    assert problem_of(Case("1", "x"), None) == "there is no result"


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_a_disguise_changes_names_and_order_alone(file: Path) -> None:
    text = file.read_text()
    other = disguise(text, random.Random(1))
    functions = split(text)[0]
    assert len(split(other)[0]) == len(functions)
    if len(functions) > 3:
        assert other != text
    for function in functions:
        body = re.sub(r"\b[a-z]\w*", "", function)
        assert body in re.sub(r"\b[a-z]\w*", "", other)
