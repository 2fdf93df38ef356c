"""Tests of the tools that are small enough to share a file."""
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import lint
import pytest
import submission
from compile_commands import compile_commands
from layers import check_layers, draw, find_circles
from litter import is_litter
from outcome import Outcome, counts, junit_outcome
from symbols import Function, table

GOOD_TREE = {
    "kernel/LAYERS": "# lowest first\nabi\nlib\nmem\n",
    "kernel/main.c": '#include "mem/frame.h"\n',
    "kernel/abi/types.h": "#include <stdint.h>\n",
    "kernel/lib/list.h": '#include "abi/types.h"\n',
    "kernel/lib/list.c": '#include "lib/list.h"\n\n#include "abi/types.h"\n',
    "kernel/mem/frame.h": '#include "lib/list.h"\n',
    "kernel/mem/frame.c": '#include "mem/frame.h"\n',
    "user/bin/cat.c": '#include "cow6.h"\n',
    "user/lib/cow6.h": '#include "abi/types.h"\n',
    "mkfs/mkfs.c": '#include <stdio.h>\n#include "abi/types.h"\n#include "image.h"\n',
    "mkfs/image.h": "",
    "tests/none": "",
}


class LayersTest(unittest.TestCase):
    """tools/layers.py finds each kind of violation and nothing in a good tree."""

    def make_tree(self, root: Path, changes: dict[str, str]) -> None:
        """Writes the good tree after the changes."""
        for name, text in {**GOOD_TREE, **changes}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)

    def complaints(self, changes: dict[str, str]) -> str:
        """Returns what is wrong with the good tree after the changes."""
        with tempfile.TemporaryDirectory() as folder:
            self.make_tree(Path(folder), changes)
            return "\n".join(check_layers(Path(folder)))

    def test_good_tree(self) -> None:
        """No complaint."""
        assert self.complaints({}) == ""

    def test_upward_include(self) -> None:
        """A lower layer includes a higher one."""
        seen = self.complaints(
            {"kernel/lib/list.c": '#include "lib/list.h"\n#include "mem/frame.h"\n'}
        )
        assert seen == 'kernel/lib/list.c:2: "mem/frame.h" is in a layer above lib'

    def test_no_folder(self) -> None:
        """The folder is part of the name."""
        seen = self.complaints(
            {"kernel/mem/frame.c": '#include "mem/frame.h"\n#include "frame.h"\n'}
        )
        assert 'kernel/mem/frame.c:2: "frame.h" is not a "folder/file.h"' in seen

    def test_own_header_first(self) -> None:
        """Another header comes first."""
        seen = self.complaints(
            {"kernel/mem/frame.c": '#include "lib/list.h"\n#include "mem/frame.h"\n'}
        )
        assert 'kernel/mem/frame.c:1: its first include is not "mem/frame.h"' in seen

    def test_no_own_header(self) -> None:
        """A .c file without header."""
        assert "it has no header mem/pool.h" in self.complaints({"kernel/mem/pool.c": ""})

    def test_unused_header(self) -> None:
        """Only its own .c includes it."""
        seen = self.complaints(
            {"kernel/mem/pool.h": "", "kernel/mem/pool.c": '#include "mem/pool.h"\n'}
        )
        assert seen == "kernel/mem/pool.h: nothing includes it"

    def test_system_header(self) -> None:
        """The kernel has no C library."""
        seen = self.complaints({"kernel/main.c": '#include <stdio.h>\n#include "mem/frame.h"\n'})
        assert "<stdio.h> is not a header of the compiler's own" in seen

    def test_user_reaches_into_kernel(self) -> None:
        """A user program includes more than abi."""
        seen = self.complaints({"user/bin/cat.c": '#include "cow6.h"\n#include "mem/frame.h"\n'})
        assert 'user/bin/cat.c:2: "mem/frame.h" belongs to the kernel' in seen

    def test_mkfs_reaches_into_kernel(self) -> None:
        """mkfs includes more than abi."""
        seen = self.complaints({"mkfs/mkfs.c": '#include "lib/list.h"\n'})
        assert 'mkfs/mkfs.c:1: "lib/list.h" belongs to the kernel' in seen

    def test_circle_of_files(self) -> None:
        """Two files of a folder include each other, one of them by its header."""
        seen = self.complaints(
            {
                "kernel/mem/pool.h": '#include "mem/frame.h"\n',
                "kernel/mem/pool.c": '#include "mem/pool.h"\n',
                "kernel/mem/frame.c": '#include "mem/frame.h"\n#include "mem/pool.h"\n',
            }
        )
        assert seen == (
            "a circle of files: mem/frame, mem/pool\n"
            "    kernel/mem/frame.c:2 includes mem/pool.h\n"
            "    kernel/mem/pool.h:1 includes mem/frame.h"
        )

    def test_larger_circle_is_one(self) -> None:
        """A circle of three files, with a file above and one below that are no part of it."""
        assert find_circles({"a": {"b"}, "b": {"c"}, "c": {"d", "e"}, "d": {"b"}, "e": set()}) == [
            ["b", "c", "d"]
        ]

    def test_picture(self) -> None:
        """Folders are boxes; what follows from other arrows is left out."""
        with tempfile.TemporaryDirectory() as folder:
            self.make_tree(
                Path(folder),
                {
                    "kernel/mem/pool.h": '#include "mem/frame.h"\n#include "abi/types.h"\n',
                    "kernel/mem/heap.h": '#include "mem/frame.h"\n#include "mem/pool.h"\n',
                },
            )
            lines = [line.strip() for line in draw(Path(folder))]
        assert [line for line in lines if "->" in line] == [
            '"mem/heap" -> "mem/pool";',
            '"mem/pool" -> "mem/frame";',
            '"main" -> "mem/heap" [lhead="cluster_mem"];',
            '"lib/list" -> "abi/types" [ltail="cluster_lib", lhead="cluster_abi"];',
            '"mem/frame" -> "lib/list" [ltail="cluster_mem", lhead="cluster_lib"];',
        ]
        folders = [line for line in lines if line.startswith("subgraph")]
        assert folders[-1] == 'subgraph "cluster_abi" {'
        assert '"mem/pool" [label="pool"];' in lines


class LitterTest(unittest.TestCase):
    """What editors and file managers leave behind is no part of the tree."""

    LITTER = (
        ".#frame.c", "._frame.c", ".frame.h", "frame.c~", "#frame.c#", ".DS_Store", ".old/frame.c",
    )

    def test_names(self) -> None:
        """Hidden files, backups, and folders of such."""
        for name in (*self.LITTER, "__MACOSX/frame.c", "a/.b/c.c", "a~/c.c", "__pycache__/a.py"):
            assert is_litter(name), name
            assert is_litter(Path("kernel") / name), name
        for name in ("frame.c", "a.b/c", "#frame.c", "frame#", "~frame.c", "a~b.c", "./frame.c"):
            assert not is_litter(name), name

    def littered(self, tree: Path, folder: str) -> None:
        """Puts litter into the folder, and a lock: a dangling link."""
        for name in self.LITTER[1:]:
            (tree / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / folder / name).write_bytes(b"\0\xff" + b" " * 200)
        (tree / folder / self.LITTER[0]).symlink_to("student@home.4711:1700000000")

    def test_lint(self) -> None:
        """The checks do not look at it."""
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder)
            for name, text in GOOD_TREE.items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_text(text)
            with mock.patch.object(lint, "ROOT", tree):
                before = lint.files(["kernel", "user"], ".c", ".h")
                for place in ("kernel/mem", "user/bin", "mkfs"):
                    self.littered(tree, place)
                assert lint.files(["kernel", "user"], ".c", ".h") == before
            assert check_layers(tree) == []

    def test_submission(self) -> None:
        """It is not handed in, and it breaks no rule."""
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder)
            rules = tree / "lab.ini"
            rules.write_text(
                "[cow6]\nallowed = kernel/mem/*.c kernel/mem/*.h\nrequired = kernel/mem/frame.c\n"
                "files = 2\nfile_bytes = 100\ntotal_bytes = 150\n"
            )
            self.littered(tree, "kernel/mem")
            answers = tree / "answers.txt"
            with mock.patch.multiple(submission, ROOT=tree, LAB=rules, ANSWERS=answers):
                with pytest.raises(submission.Refused, match="^missing: kernel/mem/frame.c$"):
                    submission.collect()
                (tree / "kernel/mem/frame.c").write_text("int frame;\n")
                assert submission.collect() == ["kernel/mem/frame.c"]

    def test_submission_of_a_broken_tree(self) -> None:
        """The student gets a message and no traceback, whatever was changed."""
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder)
            listed, rules = tree / "handed-out.txt", tree / "lab.ini"
            for text in ("one-word\n", "\0", "1 kernel\n" * 3):
                listed.write_text(text)
                for settings in ("", "[cow6]\n", "[", "[cow6]\nallowed = /x\nfiles = many\n"):
                    rules.write_text(settings)
                    with mock.patch.multiple(submission, ROOT=tree, LAB=rules, LISTED=listed):
                        with mock.patch("sys.argv", ["submission"]), mock.patch("sys.stderr"):
                            assert submission.main() == 1


class OutcomeTest(unittest.TestCase):
    """How summaries are read and added."""

    def test_counts(self) -> None:
        """The last summary counts."""
        assert counts("a: ok\n3 passed, 0 failed\nb\n5 passed, 1 failed, 2 skipped\n") == (5, 1, 2)
        assert counts("x 3 passed, 0 failed\n") == None

    def test_junit(self) -> None:
        """A report of pytest's; an error in a fixture counts as a failure."""
        xml = '<testsuites><testsuite errors="1" failures="2" skipped="3" tests="10"/></testsuites>'
        assert junit_outcome(xml) == Outcome(4, 3, 3)

    def test_sum(self) -> None:
        """Numbers add up."""
        total = Outcome(1, 2, 3, "a") + Outcome(10, 20, 30, "b")
        assert total == Outcome(11, 22, 33, "a\nb")


class SymbolsTest(unittest.TestCase):
    """The kernel's table of functions."""

    def test_empty(self) -> None:
        """Without functions there are a count of 0 and the final pair."""
        text = table([])
        assert "kernel_symbol_count: .quad 0\n" in text
        assert ".quad 0x0, 0\n" in text

    def test_end(self) -> None:
        """The table ends where the last function does."""
        text = table([Function(0x1000, 8, "first"), Function(0x1008, 16, "last")])
        assert ".quad 0x1008, name1\n.quad 0x1018, 0\n" in text
        assert 'name1: .string "last"' in text


class CompileCommandsTest(unittest.TestCase):
    """compile_commands.json from make's commands."""

    def test_lines(self) -> None:
        """Only lines that compile count, with their words unquoted."""
        lines = ["mkdir -p build", "gcc '-DA=b c' -c -o build/a.o kernel/a.c", "ld -o kernel a.o"]
        entries = compile_commands(lines, Path("/home/you/cow6"))
        assert len(entries) == 1
        assert entries[0]["file"] == "kernel/a.c"
        assert entries[0]["arguments"] == ["gcc", "-DA=b c", "-c", "-o", "build/a.o", "kernel/a.c"]
