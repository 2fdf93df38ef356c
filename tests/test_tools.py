"""Tests of the tools that are small enough to share a file."""
from __future__ import annotations

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
LITTER = (
    ".#frame.c", "._frame.c", ".frame.h", "frame.c~", "#frame.c#", ".DS_Store", ".old/frame.c",
)


# ---- tools/layers.py finds each kind of violation and nothing in a good tree ----


def write_tree(root: Path, changes: dict[str, str]) -> None:
    """Writes the good tree after the changes."""
    for name, text in {**GOOD_TREE, **changes}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def complaints(root: Path, changes: dict[str, str]) -> str:
    """Returns what is wrong with the good tree after the changes."""
    write_tree(root, changes)
    return "\n".join(check_layers(root))


def test_good_tree_has_no_complaint(tmp_path: Path) -> None:
    """None of its files has what the next test puts into them."""
    assert complaints(tmp_path, {}) == ""


@pytest.mark.parametrize("changed, includes, complaint", [
    (
        "kernel/lib/list.c", ["lib/list.h", "mem/frame.h"],
        '2: "mem/frame.h" is in a layer above lib',
    ),
    ("kernel/mem/frame.c", ["mem/frame.h", "frame.h"], '2: "frame.h" is not a "folder/file.h"'),
    (
        "kernel/mem/frame.c", ["lib/list.h", "mem/frame.h"],
        '1: its first include is not "mem/frame.h"',
    ),
    ("user/bin/cat.c", ["cow6.h", "mem/frame.h"], '2: "mem/frame.h" belongs to the kernel'),
    ("mkfs/mkfs.c", ["lib/list.h"], '1: "lib/list.h" belongs to the kernel'),
])
def test_wrong_include_is_found(
    tmp_path: Path, changed: str, includes: list[str], complaint: str
) -> None:
    """Upwards, without the folder, before the file's own header, into the kernel from outside."""
    text = "".join(f'#include "{include}"\n' for include in includes)
    assert f"{changed}:{complaint}" in complaints(tmp_path, {changed: text})


def test_c_file_without_header_is_found(tmp_path: Path) -> None:
    """A file of the kernel has one, but for main.c."""
    assert "it has no header mem/pool.h" in complaints(tmp_path, {"kernel/mem/pool.c": ""})


def test_unused_header_is_found(tmp_path: Path) -> None:
    """Only its own .c includes it."""
    changes = {"kernel/mem/pool.h": "", "kernel/mem/pool.c": '#include "mem/pool.h"\n'}
    assert complaints(tmp_path, changes) == "kernel/mem/pool.h: nothing includes it"


def test_header_of_the_system_is_found(tmp_path: Path) -> None:
    """The kernel has no C library."""
    seen = complaints(tmp_path, {"kernel/main.c": '#include <stdio.h>\n#include "mem/frame.h"\n'})
    assert "<stdio.h> is not a header of the compiler's own" in seen


def test_circle_of_files_is_found(tmp_path: Path) -> None:
    """Two files of a folder include each other, one of them by its header."""
    changes = {
        "kernel/mem/pool.h": '#include "mem/frame.h"\n',
        "kernel/mem/pool.c": '#include "mem/pool.h"\n',
        "kernel/mem/frame.c": '#include "mem/frame.h"\n#include "mem/pool.h"\n',
    }
    assert complaints(tmp_path, changes) == (
        "a circle of files: mem/frame, mem/pool\n"
        "    kernel/mem/frame.c:2 includes mem/pool.h\n"
        "    kernel/mem/pool.h:1 includes mem/frame.h"
    )


def test_circles_of_the_simulator_are_found(tmp_path: Path) -> None:
    """Its folders may not need each other either, even if their files form no circle."""
    changes = {
        "sim/cpu/hart.h": '#include "memory/bus.h"\n',
        "sim/memory/bus.h": "",
        "sim/memory/paged.h": '#include "cpu/trap.h"\n',
        "sim/cpu/trap.h": '#include "memory/bus.h"\n',
    }
    assert complaints(tmp_path, changes) == "sim: a circle of folders: cpu, memory"
    changes["sim/memory/bus.h"] = '#include "cpu/hart.h"\n'
    assert "sim: a circle of files: cpu/hart, memory/bus\n" in complaints(tmp_path, changes)


def test_larger_circle_is_one() -> None:
    """A circle of three files, with a file above and one below that are no part of it."""
    assert find_circles({"a": {"b"}, "b": {"c"}, "c": {"d", "e"}, "d": {"b"}, "e": set()}) == [
        ["b", "c", "d"]
    ]


def test_picture_leaves_out_what_follows_from_other_arrows(tmp_path: Path) -> None:
    """Folders are boxes."""
    write_tree(tmp_path, {
        "kernel/mem/pool.h": '#include "mem/frame.h"\n#include "abi/types.h"\n',
        "kernel/mem/heap.h": '#include "mem/frame.h"\n#include "mem/pool.h"\n',
    })
    lines = [line.strip() for line in draw(tmp_path)]
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


# ---- What editors and file managers leave behind is no part of the tree ----


@pytest.mark.parametrize("name", [
    *LITTER, "__MACOSX/frame.c", "a/.b/c.c", "a~/c.c", "__pycache__/a.py",
])
def test_hidden_files_and_backups_are_litter(name: str) -> None:
    """And so are folders of such."""
    assert is_litter(name)
    assert is_litter(Path("kernel") / name)


@pytest.mark.parametrize("name", [
    "frame.c", "a.b/c", "#frame.c", "frame#", "~frame.c", "a~b.c", "./frame.c",
])
def test_other_files_are_no_litter(name: str) -> None:
    """Names that are almost those of litter."""
    assert not is_litter(name)


def littered(tree: Path, folder: str) -> None:
    """Puts litter into the folder, and a lock: a dangling link."""
    for name in LITTER[1:]:
        (tree / folder / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / folder / name).write_bytes(b"\0\xff" + b" " * 200)
    (tree / folder / LITTER[0]).symlink_to("student@home.4711:1700000000")


def test_checks_do_not_look_at_litter(tmp_path: Path) -> None:
    """Neither those that read C files nor the one of the layers."""
    write_tree(tmp_path, {})
    with mock.patch.object(lint, "ROOT", tmp_path):
        before = lint.files(["kernel", "user"], ".c", ".h")
        for place in ("kernel/mem", "user/bin", "mkfs"):
            littered(tmp_path, place)
        assert lint.files(["kernel", "user"], ".c", ".h") == before
    assert check_layers(tmp_path) == []


def test_litter_is_not_handed_in(tmp_path: Path) -> None:
    """It breaks no rule either."""
    rules = tmp_path / "lab.ini"
    rules.write_text(
        "[cow6]\nallowed = kernel/mem/*.c kernel/mem/*.h\nrequired = kernel/mem/frame.c\n"
        "files = 2\nfile_bytes = 100\ntotal_bytes = 150\n"
    )
    littered(tmp_path, "kernel/mem")
    answers = tmp_path / "answers.txt"
    with mock.patch.multiple(submission, ROOT=tmp_path, LAB=rules, ANSWERS=answers):
        with pytest.raises(submission.Refused, match="^missing: kernel/mem/frame.c$"):
            submission.collect()
        (tmp_path / "kernel/mem/frame.c").write_text("int frame;\n")
        assert submission.collect() == ["kernel/mem/frame.c"]


# ---- Handing in ----


@pytest.mark.parametrize("listed", ["one-word\n", "\0", "1 kernel\n" * 3])
@pytest.mark.parametrize("rules", ["", "[cow6]\n", "[", "[cow6]\nallowed = /x\nfiles = many\n"])
def test_broken_tree_gives_a_message_and_no_traceback(
    tmp_path: Path, listed: str, rules: str
) -> None:
    """Whatever the student has changed."""
    list_file, rules_file = tmp_path / "handed-out.txt", tmp_path / "lab.ini"
    list_file.write_text(listed)
    rules_file.write_text(rules)
    with mock.patch.multiple(submission, ROOT=tmp_path, LAB=rules_file, LISTED=list_file):
        with mock.patch("sys.argv", ["submission"]), mock.patch("sys.stderr"):
            assert submission.main() == 1


# ---- How summaries are read and added ----


def test_last_summary_counts() -> None:
    """A line must be whole."""
    assert counts("a: ok\n3 passed, 0 failed\nb\n5 passed, 1 failed, 2 skipped\n") == (5, 1, 2)
    assert counts("x 3 passed, 0 failed\n") is None


def test_report_of_pytest_is_read() -> None:
    """An error in a fixture counts as a failure."""
    xml = '<testsuites><testsuite errors="1" failures="2" skipped="3" tests="10"/></testsuites>'
    assert junit_outcome(xml) == Outcome(4, 3, 3)


def test_outcomes_add_up() -> None:
    """Numbers and messages."""
    total = Outcome(1, 2, 3, "a") + Outcome(10, 20, 30, "b")
    assert total == Outcome(11, 22, 33, "a\nb")


# ---- The kernel's table of functions ----


def test_table_of_no_functions_has_its_end() -> None:
    """A count of 0, and the final pair."""
    text = table([])
    assert "kernel_symbol_count: .quad 0\n" in text
    assert ".quad 0x0, 0\n" in text


def test_table_ends_where_the_last_function_does() -> None:
    """Its final pair has that address."""
    text = table([Function(0x1000, 8, "first"), Function(0x1008, 16, "last")])
    assert ".quad 0x1008, name1\n.quad 0x1018, 0\n" in text
    assert 'name1: .string "last"' in text


# ---- compile_commands.json from make's commands ----


def test_lines_that_compile_are_entries() -> None:
    """No other lines are; words are unquoted."""
    lines = ["mkdir -p build", "gcc '-DA=b c' -c -o build/a.o kernel/a.c", "ld -o kernel a.o"]
    entries = compile_commands(lines, Path("/home/you/cow6"))
    assert len(entries) == 1
    assert entries[0]["file"] == "kernel/a.c"
    assert entries[0]["arguments"] == ["gcc", "-DA=b c", "-c", "-o", "build/a.o", "kernel/a.c"]
