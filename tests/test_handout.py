"""Tests of the student's tree (tools/starter.py, tools/handout.py) and of handing it in.

What takes longer, `make check` in the tree of each depth and all transcripts, is
`tools/handout.py --check`.
"""
from __future__ import annotations

import hashlib
import importlib
import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import starter
from command import CommandFailure, make, run
from handout import cowtest, problems_of_starter
from pieces import changed_files
from products import ROOT, make_environment, product
from starter import (
    DEPTHS, HANDOUT, LISTED, Entry, Tree, make_handout, starter_pieces, student_tree,
)
from transcripts import refresh

FOLDER = product("build/check/handout")
PRIVATE = re.compile(
    r"answers\.md|starter|solutions|tests/.*grad|gradelib|lab\.mk|mutants|handout|transcripts"
    r"|pieces|prune|public_|classroom|reports|platforms"
)
GIVEN = {"HANDOUT.md", LISTED}
at_each_depth = pytest.mark.parametrize("depth", DEPTHS)
pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="this is no git repository, so the files are not known"
)


@pytest.fixture(name="tree", scope="module", params=DEPTHS)
def fixture_tree(request: pytest.FixtureRequest) -> Tree:
    """The student's tree, at each depth."""
    return student_tree(request.param)


def links(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yields the tree's texts, each with the files that it links to."""
    for path in [path for path in tree if path.endswith(".md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", tree[path].data.decode()):
            yield path, os.path.normpath(os.path.join(os.path.dirname(path), target))


@at_each_depth
def test_no_line_of_the_solution(depth: int) -> None:
    """None is in the tree; one in a document would be noticed, and so would a new function."""
    tree = student_tree(depth)
    assert starter.leaks(tree, depth) == []
    solved = Entry((ROOT / "kernel/vm/cow.c").read_bytes(), 0o644)
    assert len(starter.leaks({**tree, "docs/x.md": solved}, depth)) > 5
    more = tree["kernel/vm/cow.c"].data + b"\nint share(void) {\n    return 0;\n}\n"
    assert len(starter.leaks({**tree, "kernel/vm/cow.c": Entry(more, 0o644)}, depth)) == 1


def format_complaints(path: str, text: str) -> str:
    """Returns what clang-format would change in the text of a file."""
    command = ["clang-format", "--dry-run", f"--assume-filename={ROOT / path}"]
    return subprocess.run(command, input=text, text=True, capture_output=True, check=True).stderr


@at_each_depth
@pytest.mark.skipif(shutil.which("clang-format") is None, reason="clang-format is not installed")
def test_starter_is_formatted(depth: int) -> None:
    """clang-format has no more to say about the student's kernel than about this tree's."""
    for path, text in changed_files(starter_pieces(depth)).items():
        if not format_complaints(path, (ROOT / path).read_text()):
            assert format_complaints(path, text) == ""


def test_no_host_test_without_rules(tree: Tree) -> None:
    """Tests that students do not get leave nothing behind in tests/host."""
    rules = "".join(tree[path].data.decode() for path in tree if path.endswith(".mk"))
    tests = [path for path in tree if re.match(r"tests/host/(test|fuzz)_\w+\.c$", path)]
    assert tests and [path for path in tests if Path(path).stem not in rules] == []


def test_private_files_are_left_out(tree: Tree) -> None:
    """No answers, no tests of the grader, no pieces; what belongs to the lab is there."""
    assert [path for path in tree if PRIVATE.search(path.lower()) and path not in GIVEN] == []
    wanted = {
        "HANDOUT.md", "Makefile", "kernel/vm/cow.c", "labs/cow/lab.ini", "tools/submission.py",
        "grade-cow", "tools/grader/cli.py", "labs/cow/grading/lab.py", "labs/cow/original.tar.gz",
    }
    assert wanted <= set(tree)


def test_students_install_only_what_they_need(tree: Tree) -> None:
    """All packages that something in their tree imports, and no others; all names are real ones."""
    manifest = starter.read_manifest()["handout"]
    ours, theirs = (
        {line.split("|")[0] for line in text.splitlines() if "|" in line}
        for text in ((ROOT / starter.NEEDS).read_text(), tree[starter.NEEDS].data.decode())
    )
    assert ours - theirs == set(manifest["needless"].split())
    python = [entry.data.decode() for path, entry in tree.items() if path.endswith(".py")]
    imported = set(re.findall(r"^ *(?:import|from) (\w+)", "\n".join(python), re.MULTILINE))
    wanted = {name[len("import_"):] for name in theirs if name.startswith("import_")}
    assert wanted <= imported
    assert not imported & {name[len("import_"):] for name in ours - theirs}


def test_two_runs_make_the_same_bytes() -> None:
    """The entries of the archive are sorted, and have no owner and no date of this machine."""
    first, second = (starter.archive(student_tree(1)) for _ in range(2))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    owners = {(member.uid, member.gid, member.uname, member.mtime) for member in members}
    assert owners == {(0, 0, "", starter.FIXED_TIME)}


def test_parts_for_other_depths_are_dropped() -> None:
    """And so are the marks of transcripts."""
    text = "a\n<!-- depth 2 3 -->\nb\n<!-- depth all -->\nc\n<!-- run solved: boot x -->\nd\n"
    assert starter.for_depth(text, 1) == "a\nc\nd\n"
    assert starter.for_depth(text, 3) == "a\nb\nc\nd\n"


def test_no_dead_links(tree: Tree) -> None:
    """Every link leads to a file of the tree."""
    assert [link for link in links(tree) if link[1] not in tree] == []
    testing = tree["docs/testing.md"].data.decode()
    assert "tests/mutants" not in testing and "tests/guest" in testing


def test_handout_is_at_the_top(tree: Tree) -> None:
    """README links to it, it links to the documents, and nothing names its old place."""
    assert [path for path in tree if "HANDOUT" in path] == ["HANDOUT.md"]
    assert {("README.md", "HANDOUT.md"), ("HANDOUT.md", "docs/memory.md")} <= set(links(tree))
    texts = {path: entry.data.decode(errors="replace") for path, entry in tree.items()}
    assert [path for path in texts if "cow/HANDOUT" in texts[path]] == []
    assert "](../" not in texts["HANDOUT.md"]
    assert "  HANDOUT.md\n" in texts[LISTED]


@pytest.mark.parametrize("path, text, expected", [
    (
        "labs/cow/HANDOUT.md",
        "[a](../../docs/a.md#b) [c](lab.ini) [d](https://x/y) [e](HANDOUT.md#f)\n",
        "[a](docs/a.md#b) [c](labs/cow/lab.ini) [d](https://x/y) [e](HANDOUT.md#f)\n",
    ),
    (
        "docs/a.md",
        "[a](b.md) [c](../labs/cow/HANDOUT.md#d) [gone](../tools/gone.py)\n",
        "[a](b.md) [c](../HANDOUT.md#d) gone\n",
    ),
])
def test_links_follow_files_that_move(path: str, text: str, expected: str) -> None:
    """A link to a file that students do not get becomes plain text."""
    names = ("labs/cow/HANDOUT.md", "docs/a.md", "labs/cow/lab.ini")
    tree = {name: Entry(b"", 0o644) for name in names}
    assert starter.with_links_there(text, path, tree, [*tree, "tools/gone.py"]) == expected


@at_each_depth
def test_steps_are_the_graded_parts(depth: int) -> None:
    """A letter is the same part in the steps, in the rubric and in what the grader reports."""
    parts = list(importlib.import_module("labs.cow.grading.catalogue").PARTS.items())
    text = starter.for_depth(HANDOUT.read_text(), depth)
    assert re.findall(r"^### Step ([A-Z]): (.+)$", text, re.M) == parts
    assert re.findall(r"^\| ([A-Z]) (.+?) \| \d+ \|", text, re.M) == parts
    numbers = re.findall(r"^### Step (\d)", text, re.M)
    assert numbers == ["1", "2"][: depth - 1]
    assert set(re.findall(r"\bsteps? ([A-Z\d])\b", text)) <= {*dict(parts), *numbers}


def test_points_are_the_graders() -> None:
    """The handout's rubric adds up to 100, part by part as the grader gives them."""
    rows = re.findall(r"^\| ([A-H]) .*? \| (\d+) \|", HANDOUT.read_text(), re.M)
    promised = {part: int(points) for part, points in rows}
    assert sum(promised.values()) == 100
    given = dict.fromkeys(promised, 0)
    for test in importlib.import_module("labs.cow.grading.catalogue").TESTS:
        given[test.part] += test.points
    assert promised == given


def submit(folder: Path) -> str:
    """Runs `make submission`, which must fail; returns what it prints."""
    done = run(["make", "submission"], cwd=folder, env=make_environment(folder), seconds=3600)
    assert not done.succeeded
    return done.output


@pytest.fixture(name="folder", scope="module")
def fixture_folder() -> Path:
    """The student's tree of depth 1, built, for lay_out."""
    folder = make_handout(1, FOLDER)
    make("all", tree=folder)
    return folder


def lay_out(depth: int, folder: Path) -> None:
    """Turns a student's tree into that of a depth; what is the same stays built."""
    for path, entry in student_tree(depth).items():
        if not (folder / path).exists() or (folder / path).read_bytes() != entry.data:
            (folder / path).write_bytes(entry.data)


@pytest.mark.parametrize("depth", DEPTHS[1:])
def test_other_depths_build(folder: Path, depth: int) -> None:
    """Without warnings."""
    lay_out(depth, folder)
    make("kernel/kernel", tree=folder)


def test_starter_builds_boots_and_can_be_handed_in(folder: Path) -> None:
    """cowtest fails for the right reasons; a broken or huge file is not handed in."""
    lay_out(1, folder)
    assert problems_of_starter(cowtest(folder)) == []
    assert "nothing: these are the files" in make("submission", tree=folder)
    with tarfile.open(folder / "build/submission.tar.gz") as tar:
        assert [name for name in tar.getnames() if not name.startswith("kernel/")] == []

    (folder / "Makefile").write_text((folder / "Makefile").read_text() + "\n")
    with (folder / "kernel/vm/cow.c").open("a") as file:
        file.write("int x = y;\n")
    refused = submit(folder)
    assert "yours: kernel/vm/cow.c\nnot handed in: Makefile," in refused
    assert "does not build" in refused
    with (folder / "kernel/vm/cow.c").open("a") as file:
        file.write(" " * 1000000)
    with pytest.raises(CommandFailure, match="cow.c has 100.... bytes; a file may have"):
        make("submission", tree=folder)


def test_transcripts_of_the_handout() -> None:
    """What HANDOUT.md shows of a solved kernel is what one sees."""
    assert refresh(write=False, places=("solved",), texts=(HANDOUT,)) == []
