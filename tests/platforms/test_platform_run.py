"""The program that a platform starts, with graders that fail in every way."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from platforms.files import replace_file
from products import ROOT
from platform_samples import (
    BROKEN_MACHINE, REFUSED, RIGHT, UNFINISHED, WRONG, check_schema, read_autolab, read_json,
    read_vpl
)
from test_jobs import GITHUB, put

# What each fake grader does; `write` writes results as grade-cow does.
BEGIN = """
    import json, os, signal, subprocess, sys, time
    from pathlib import Path
    FILE = Path(sys.argv[sys.argv.index("--json") + 1])
    SAMPLES = json.loads(Path(__file__).with_name("samples.json").read_text())

    def write(name):
        temporary = FILE.with_suffix(".new")
        temporary.write_text(json.dumps(SAMPLES[name]))
        os.replace(temporary, FILE)

    print("this is printed by the grader", flush=True)
"""
GRADERS = {
    "right": "write('right')",
    "wrong": "write('wrong'); sys.exit(1)",
    "refused": "write('refused'); sys.exit(4)",
    "machine": "write('machine'); sys.exit(3)",
    "silent": "sys.exit(0)",
    "crashes": "write('unfinished'); raise SystemError",
    "killed": "write('unfinished'); os.kill(os.getpid(), signal.SIGKILL)",
    "lies": "write('right'); sys.exit(3)",
    "garbage": "FILE.write_text('{'); time.sleep(1); sys.exit(0)",  # so that it is looked at, too
    "hangs": "write('unfinished'); time.sleep(1000)",
}
FAULTS = ("machine", "silent", "crashes", "killed", "lies", "garbage", "hangs")
SAMPLES = {
    "right": RIGHT, "wrong": WRONG, "refused": REFUSED[1], "machine": BROKEN_MACHINE,
    "unfinished": UNFINISHED,
}


class Tree:
    """A grader's tree with a fake grade-cow, and a folder as each platform prepares it."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.root = folder / "tree", folder / "root"
        litter = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "tools", self.tree / "tools", ignore=litter)
        put(self.tree, "labs/cow/platforms.ini")
        settings = (ROOT / "labs/cow/platforms.ini").read_text(encoding="utf-8")
        (self.tree / "labs/cow/platforms.ini").write_text(settings, encoding="utf-8")
        (self.tree / "samples.json").write_text(json.dumps(SAMPLES))
        put(self.root, "submission/kernel/main.c", "student/kernel/main.c", "submission.tar.gz")

    def program(self, body: str) -> None:
        """Sets what the grader does."""
        text = textwrap.dedent(BEGIN) + textwrap.dedent(body) + "\n"
        (self.tree / "grade-cow").write_text(text, encoding="utf-8")

    def shorten(self, seconds: float) -> None:
        """Sets how long before its limit a platform's grading is stopped."""
        file = self.tree / "tools/platforms/run.py"
        text = file.read_text(encoding="utf-8")
        assert "LAST_SECONDS = 15.0" in text
        changed = text.replace("LAST_SECONDS = 15.0", f"LAST_SECONDS = {600 - seconds}")
        file.write_text(changed, encoding="utf-8")

    def run(self, platform: str) -> subprocess.CompletedProcess[str]:
        """Runs the program as the platform does."""
        names = {"VPL_SUBFILES": "submission.tar.gz"}
        program = [sys.executable, str(self.tree / "tools/platforms/run.py"), platform]
        errors = subprocess.STDOUT if platform == "autolab" else subprocess.PIPE  # as it has it
        return subprocess.run(
            [*program, "--root", str(self.root)], env={**os.environ, **GITHUB, **names},
            stdout=subprocess.PIPE, stderr=errors, text=True, check=False, cwd=self.root,
        )

    def read(self, name: str) -> str | None:
        """Returns what a file of the platform's folder says; None if there is none."""
        file = self.root / name
        return file.read_text(encoding="utf-8") if file.exists() else None


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    """A tree in a folder of its own."""
    return Tree(tmp_path)


def marks(platform: str, tree: Tree, printed: str) -> Any:
    """Returns the mark that a platform takes from what it was told; None if it takes none."""
    if platform == "autolab":
        return read_autolab(printed)[2]["scores"]["Copy-on-write"]
    if platform == "vpl":
        return read_vpl(printed)[1]
    names = {
        "gradescope": "results/results.json", "classroom50": "result.json",
        "prairielearn": "results/results.json",
    }
    text = tree.read(names[platform])
    if text is None:
        return None
    value = read_json(platform, text)
    if platform == "gradescope":
        return sum(test["score"] for test in value["tests"])
    return value.get("score")


EXPECTED = {  # status of the program; marks for right, wrong and refused submissions
    "gradescope": (1, 8, 4, 0), "classroom50": (1, 8, 4, 0), "autolab": (0, 8, 4, 0),
    "prairielearn": (0, 1, 0.5, None), "vpl": (0, "100.00", "50.00", "0.00"),
}


@pytest.mark.parametrize("platform", EXPECTED)
def test_judged_submissions_get_their_marks(tree: Tree, platform: str) -> None:
    for grader, mark in zip(("right", "wrong", "refused"), EXPECTED[platform][1:]):
        tree.program(GRADERS[grader])
        done = tree.run(platform)
        assert done.returncode == 0, done.stderr
        assert marks(platform, tree, done.stdout) == mark


@pytest.mark.parametrize("platform", EXPECTED)
@pytest.mark.parametrize("grader", FAULTS)
def test_a_fault_of_the_machine_is_no_mark(tree: Tree, platform: str, grader: str) -> None:
    tree.program(GRADERS[grader])
    if grader == "hangs":
        tree.shorten(2.0)
    done = tree.run(platform)
    assert done.returncode == EXPECTED[platform][0], done.stderr
    assert "not the submission's fault" in done.stdout + (done.stderr or "")
    assert marks(platform, tree, done.stdout) is None


@pytest.mark.parametrize("platform", EXPECTED)
def test_a_missing_submission_is_no_mark(tree: Tree, platform: str) -> None:
    tree.program(GRADERS["machine"])  # as grade-cow does
    shutil.rmtree(tree.root)
    tree.root.mkdir()
    done = tree.run(platform)
    assert done.returncode == EXPECTED[platform][0]
    assert marks(platform, tree, done.stdout) is None


def test_github_sees_it_in_the_status(tree: Tree) -> None:
    for grader, status in (("right", 0), ("wrong", 1), ("refused", 1), ("machine", 3)):
        tree.program(GRADERS[grader])
        assert tree.run("github").returncode == status
    assert "not your fault" in str(tree.read("summary.md"))


@pytest.mark.parametrize("platform", ["autolab", "vpl"])
def test_what_the_grader_prints_is_not_mixed_with_marks(tree: Tree, platform: str) -> None:
    tree.program(GRADERS["right"])
    assert "printed by the grader" not in tree.run(platform).stdout


def test_the_log_cannot_command_github(tree: Tree) -> None:
    tree.program("print('::set-output name=x::y'); " + GRADERS["right"])
    lines = tree.run("github").stdout.splitlines()
    assert lines[0].startswith("::stop-commands::") and len(lines[0]) > 40
    assert "::set-output name=x::y" in lines
    assert lines[-1] == f"::{lines[0].rpartition('::')[2]}::"


# Outlives its parent in a session of its own, and wants to have the last word.
ORPHAN = """
    CODE = '''if True:
        import os, time
        for _ in range(2):
            if os.fork():
                os._exit(0)
            os.setsid()
        while True:
            try:
                with open("/proc/PARENT/fd/1", "w") as stolen:
                    stolen.write('{"scores": {"Copy-on-write": 100}}\\\\n')
            except OSError:
                pass
            time.sleep(0.01)
    '''
    subprocess.run([sys.executable, "-c", CODE.replace("PARENT", str(os.getppid()))])
    write('wrong')
    sys.exit(1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans cannot be adopted here")
def test_no_process_is_left_to_speak_last(tree: Tree) -> None:
    """Even one that knows where its grandparent prints to."""
    tree.program(ORPHAN)
    done = tree.run("autolab")
    assert marks("autolab", tree, done.stdout) == 4
    lines = done.stdout.rstrip().splitlines()
    assert json.loads(lines[-1])["scores"] == {"Copy-on-write": 4}


def test_gradescope_shows_what_is_reached(tree: Tree) -> None:
    """While the grader works, and when Gradescope stops it all."""
    tree.program("write('unfinished'); time.sleep(1000)")
    program = [sys.executable, str(tree.tree / "tools/platforms/run.py"), "gradescope"]
    with subprocess.Popen([*program, "--root", str(tree.root)], start_new_session=True) as running:
        try:
            while tree.read("results/results.json") is None:
                assert running.poll() is None
                os.sched_yield()
        finally:
            for process in descendants(running.pid):
                os.kill(process, 9)
    value = json.loads(str(tree.read("results/results.json")))
    check_schema("gradescope", value)
    assert "1 of 2 tests have run" in value["output"]


def descendants(pid: int) -> list[int]:
    """Returns a process and those that it has started."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    children = [int(child) for child in path.read_text().split()] if path.exists() else []
    return [pid, *(inner for child in children for inner in descendants(child))]


# ---- Files in folders where a student may have put something ----


def test_old_results_do_not_stay(tree: Tree) -> None:
    """A checkout may bring a result of its own, which must not be there if all is stopped."""
    put(tree.root, "result.json/file", "release-body.md")
    there = "any(map(os.path.exists, ('result.json', 'release-body.md')))"
    tree.program(f"assert not {there}; " + GRADERS["right"])
    assert tree.run("classroom50").returncode == 0
    assert json.loads(str(tree.read("result.json")))["score"] == 8
    assert "Score: 8/8" in str(tree.read("release-body.md"))
    tree.program(GRADERS["machine"])
    tree.run("classroom50")
    assert not tree.read("result.json") and not tree.read("release-body.md")


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "victim")
    (tmp_path / "result.json").symlink_to("victim")
    replace_file(tmp_path / "result.json", "new")
    assert (tmp_path / "victim").read_text() == "x"
    assert (tmp_path / "result.json").read_text() == "new"
    assert not (tmp_path / "result.json").is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["result.json", "victim"]


def test_what_cannot_be_replaced_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "result.json").mkdir()
    with pytest.raises(OSError):
        replace_file(tmp_path / "result.json", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]
