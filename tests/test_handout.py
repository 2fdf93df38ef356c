"""Tests of the student's tree (tools/handout.py) and of handing in (tools/submission.py).

What takes longer, `make check` in the tree of each depth and all transcripts, is `tools/handout.py --check`.
"""
from __future__ import annotations

import hashlib
import importlib
import os
import re
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path
from typing import Iterator

import handout

FOLDER = handout.product("build/check/handout")
HAS_GIT = (handout.ROOT / ".git").exists()


@unittest.skipUnless(HAS_GIT, "the files of the handout are those that git tracks, and this is no git repository")
class MakingTest(unittest.TestCase):
    """What goes into the tree."""

    def test_no_line_of_the_solution(self) -> None:
        """None occurs, at any depth; and it would be noticed."""
        for depth in handout.DEPTHS:
            tree = handout.student_tree(depth)
            self.assertEqual(handout.leaks(tree, depth), [])
            tree["docs/x.md"] = handout.Entry((handout.ROOT / "kernel/vm/cow.c").read_bytes(), 0o644)
            self.assertGreater(len(handout.leaks(tree, depth)), 5)
            del tree["docs/x.md"]
            cow = tree["kernel/vm/cow.c"].data
            tree["kernel/vm/cow.c"] = handout.Entry(cow + b"\nint share(void) {\n    return 0;\n}\n", 0o644)
            self.assertEqual(len(handout.leaks(tree, depth)), 1)

    def test_private_files_stay_here(self) -> None:
        """No answers, no grading, no pieces; what belongs to the lab is there."""
        for depth in handout.DEPTHS:
            tree = handout.student_tree(depth)
            private = re.compile(r"answers\.md|starter/|solutions/|grading|mutants|grade-cow|handout\.py")
            self.assertEqual([path for path in tree if private.search(path)], [])
            wanted = {"HANDOUT.md", "Makefile", "kernel/vm/cow.c", "labs/cow/lab.ini"}
            self.assertLessEqual(wanted | {"tools/submission.py"}, set(tree))

    def test_same_bytes(self) -> None:
        """Two runs give one archive; its entries are sorted and belong to nobody."""
        first, second = (handout.archive(handout.student_tree(1)) for _ in range(2))
        self.assertEqual(hashlib.sha256(first).digest(), hashlib.sha256(second).digest())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "a.tar.gz")
            path.write_bytes(first)
            with tarfile.open(path) as tar:
                members = tar.getmembers()
        self.assertEqual([m.name for m in members], sorted(m.name for m in members))
        self.assertEqual({(m.uid, m.gid, m.uname, m.mtime) for m in members}, {(0, 0, "", handout.FIXED_TIME)})

    def test_depth_marks(self) -> None:
        """Parts of the text for other depths, and commands of transcripts, are dropped."""
        text = "a\n<!-- depth 2 3 -->\nb\n<!-- depth all -->\nc\n<!-- run solved: boot x -->\nd\n"
        self.assertEqual(handout.for_depth(text, 1), "a\nc\nd\n")
        self.assertEqual(handout.for_depth(text, 3), "a\nb\nc\nd\n")

    def test_nothing_leads_nowhere(self) -> None:
        """No text of the student's tree has a link to a file that is not in it."""
        tree = handout.student_tree(1)
        for path, target in self.links(tree):
            with self.subTest(path):
                self.assertIn(target, tree)
        self.assertNotIn("tests/mutants", tree["docs/testing.md"].data.decode())
        self.assertIn("tests/guest", tree["docs/testing.md"].data.decode())

    def links(self, tree: handout.Tree) -> Iterator["tuple[str, str]"]:
        """Yields the tree's texts, each with the files that it has links to."""
        for path in [path for path in tree if path.endswith(".md")]:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", tree[path].data.decode()):
                yield path, os.path.normpath(os.path.join(os.path.dirname(path), target))

    def test_handout_is_at_the_top(self) -> None:
        """There once, README points to it, and it to the documents."""
        for depth in handout.DEPTHS:
            tree = handout.student_tree(depth)
            self.assertEqual([path for path in tree if "HANDOUT" in path], ["HANDOUT.md"])
            links = list(self.links(tree))
            self.assertIn(("README.md", "HANDOUT.md"), links)
            self.assertIn(("HANDOUT.md", "docs/memory.md"), links)
            texts = {path: entry.data.decode(errors="replace") for path, entry in tree.items()}
            self.assertEqual([path for path in texts if "cow/HANDOUT" in texts[path]], [])
            self.assertNotIn("](../", texts["HANDOUT.md"])
            self.assertIn("  HANDOUT.md\n", texts[handout.LISTED])

    def test_links_of_what_moves(self) -> None:
        """They are turned from where a text is here to where it is there."""
        old = "labs/cow/HANDOUT.md"
        tree = {path: handout.Entry(b"", 0o644) for path in (old, "docs/a.md", "labs/cow/lab.ini")}
        text = "[a](../../docs/a.md#b) [c](lab.ini) [d](https://x/y) [e](HANDOUT.md#f)\n"
        self.assertEqual(
            handout.with_links_there(text, old, tree, tree),
            "[a](docs/a.md#b) [c](labs/cow/lab.ini) [d](https://x/y) [e](HANDOUT.md#f)\n",
        )
        text = "[a](b.md) [c](../labs/cow/HANDOUT.md#d) [gone](../tools/gone.py)\n"
        self.assertEqual(
            handout.with_links_there(text, "docs/a.md", tree, [*tree, "tools/gone.py"]),
            "[a](b.md) [c](../HANDOUT.md#d) gone\n",
        )

    def test_steps_are_the_graded_parts(self) -> None:
        """A letter means one thing, in the steps, in the rubric and in what the grader reports."""
        parts = list(importlib.import_module("labs.cow.grading.catalogue").PARTS.items())
        for depth in handout.DEPTHS:
            text = handout.for_depth(handout.HANDOUT.read_text(), depth)
            self.assertEqual(re.findall(r"^### Step ([A-Z]): (.+)$", text, re.M), parts)
            self.assertEqual(re.findall(r"^\| ([A-Z]) (.+?) \| \d+ \|", text, re.M), parts)
            numbers = re.findall(r"^### Step (\d)", text, re.M)
            self.assertEqual(numbers, ["1", "2"][: depth - 1])
            named = re.findall(r"\bsteps? ([A-Z\d])\b", text)
            self.assertLessEqual(set(named), {*dict(parts), *numbers})

    def test_rubric(self) -> None:
        """The handout's points are the grader's."""
        promised = {
            part: int(points)
            for part, points in re.findall(r"^\| ([A-H]) .*? \| (\d+) \|", handout.HANDOUT.read_text(), re.M)
        }
        self.assertEqual(sum(promised.values()), 100)
        given = dict.fromkeys(promised, 0)
        for test in importlib.import_module("labs.cow.grading.catalogue").TESTS:
            given[test.part] += test.points
        self.assertEqual(promised, given)


@unittest.skipUnless(HAS_GIT, "the files of the handout are those that git tracks, and this is no git repository")
class StarterTest(unittest.TestCase):
    """The tree as a student uses it."""

    def test_depth_1(self) -> None:
        """It builds and boots, its tests fail for the right reasons, and it can be handed in."""
        folder = handout.make_handout(1, FOLDER / "1")
        handout.make(folder, "all")
        self.assertEqual(handout.problems_of_starter(handout.boot(folder, "init=/cowtest")), [])
        self.assertIn("nothing: these are the files", handout.make(folder, "submission"))
        with tarfile.open(folder / "build/submission.tar.gz") as tar:
            self.assertEqual([name for name in tar.getnames() if not name.startswith("kernel/")], [])

        (folder / "Makefile").write_text((folder / "Makefile").read_text() + "\n")
        with (folder / "kernel/vm/cow.c").open("a") as file:
            file.write("int x = y;\n")
        refused = subprocess.run(
            ["make", "submission"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, env=handout.make_environment(folder),
        )
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("yours: kernel/vm/cow.c\nnot handed in: Makefile,", refused.stdout)
        self.assertIn("does not build", refused.stdout)
        with (folder / "kernel/vm/cow.c").open("a") as file:
            file.write(" " * 1000000)
        self.assertRaisesRegex(
            handout.Wrong, "cow.c has 100.... bytes; a file may have", handout.make, folder, "submission"
        )

    def test_other_depths_build(self) -> None:
        """The kernels of the other depths build without warnings."""
        for depth in (2, 3):
            folder = handout.make_handout(depth, FOLDER / str(depth))
            handout.make(folder, "kernel/kernel")

    def test_transcripts(self) -> None:
        """What the handout shows of a solved kernel is what is seen."""
        self.assertEqual(handout.refresh_transcripts(write=False, places=("solved",)), [])
