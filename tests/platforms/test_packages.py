"""The packages that are uploaded, unpacked and started as each platform does it.

The grader in them is a fake one that is quick. With REAL=1 (`make check-platforms`) it is the real
one, which runs one test; on Gradescope it always is.
"""
from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from platforms import pack
from platforms.pack import IMAGE, MAKERS, grader_tree, make_package
from platforms.settings import FILE, read_settings
from platform_samples import RIGHT, WRONG, check_schema
from products import BUILD, ROOT, make_environment
from starter import NAME, Entry, Tree, leaks, write_folder
from test_jobs import GITHUB, put
from test_platform_run import BEGIN, marks, Tree as Place

REAL = bool(os.environ.get("REAL"))
TEST = "fork_shares_pages"
IS_ROOT = os.geteuid() == 0
pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="this is no git repository, so the files are not known"
)
FAKE = textwrap.dedent(BEGIN) + textwrap.dedent("""
    folder = Path(sys.argv[1])
    names = [str(path) for path in folder.rglob("*")] if folder.is_dir() else [folder.name]
    assert any(name.endswith(("main.c", "submission.tar.gz")) for name in names), names
    write((Path(__file__).parent / "which").read_text())
""")


@pytest.fixture(name="student", scope="module")
def fixture_student() -> Tree:
    """The grader's tree, in which one test is run."""
    tree = grader_tree(1)
    settings = FILE.read_text(encoding="utf-8").replace("options =", f"options = {TEST}")
    tree["labs/cow/platforms.ini"] = Entry(settings.encode(), 0o644)
    return tree


def kernel(tree: Tree, right: bool) -> dict[str, bytes]:
    """Returns the files of a submission: this tree's kernel, or the one without a solution."""
    names = [path for path in tree if path.startswith("kernel/")]
    return {name: (ROOT / name).read_bytes() if right else tree[name].data for name in names}


def write_files(files: dict[str, bytes], folder: Path) -> None:
    """Writes a submission into a folder."""
    for name, data in files.items():
        put(folder, name)
        (folder / name).write_bytes(data)


def write_archive(files: dict[str, bytes], archive: Path) -> None:
    """Writes a submission as `make submission` does."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def start(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Starts what a platform starts. What all gradings have in common is kept in this tree."""
    environment = {
        **make_environment(folder), "BUILD": str(ROOT / BUILD), **GITHUB, **variables
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


# ---- What is in the packages ----


@pytest.fixture(name="trees", scope="module")
def fixture_trees() -> list[Tree]:
    """The grader's tree, as two runs make it."""
    return [grader_tree(1), grader_tree(1)]


@pytest.mark.parametrize("platform", MAKERS)
def test_two_runs_make_the_same_bytes(
    platform: str, trees: list[Tree], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = iter(trees)
    monkeypatch.setattr(pack, "grader_tree", lambda _depth: next(runs))
    first = make_package(platform, 1, IMAGE, tmp_path / "1")
    second = make_package(platform, 1, IMAGE, tmp_path / "2")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert sum(file.stat().st_size for file in first) < 10_000_000  # what Classroom 50 fetches


@pytest.mark.parametrize("depth", [1, 3])
def test_no_line_of_a_solution_is_in_a_package(depth: int) -> None:
    tree = grader_tree(depth)
    assert [path for path in leaks(tree, depth) if not path.startswith("labs/cow/grading/")] == []
    assert [path for path in tree if "solutions" in path or "answers" in path] == []


def test_gradescope_finds_its_two_files(tmp_path: Path) -> None:
    file, = make_package("gradescope", 1, IMAGE, tmp_path)
    with zipfile.ZipFile(file) as archive:
        modes = {item.filename: item.external_attr >> 16 for item in archive.infolist()}
    assert modes["setup.sh"] == modes["run_autograder"] == 0o100755
    assert {name.partition("/")[0] for name in modes} == {"setup.sh", "run_autograder", NAME}


def test_prairielearn_understands_the_question(tmp_path: Path) -> None:
    file, = make_package("prairielearn", 1, "os/grader", tmp_path)
    with zipfile.ZipFile(file) as archive:
        info = json.loads(archive.read("questions/copyOnWrite/info.json"))
        entry = info["externalGradingOptions"]["entrypoint"].split()[0].replace("/grade/", "")
        assert archive.getinfo(entry).external_attr >> 16 == 0o100755
    check_schema("prairielearn_info", info)
    assert info["externalGradingOptions"]["image"] == "os/grader"


# ---- Started as the platform does it ----


def unpack(platform: str, tree: Tree, right: bool, to: Path) -> None:
    """Writes a package with the grader that is to run there, and unpacks what is unpacked."""
    if not REAL:
        samples = json.dumps({"right": RIGHT, "wrong": WRONG}).encode()
        tree = {
            **tree, "grade-cow": Entry(FAKE.encode(), 0o755), "samples.json": Entry(samples, 0o644),
            "which": Entry(b"right" if right else b"wrong", 0o644),
            "tools/setup": Entry(b"echo setup\n", 0o755),
        }
    write_folder(MAKERS[platform](tree, read_settings(platform), IMAGE), to)


def run_autolab(tree: Tree, right: bool, to: Path) -> subprocess.CompletedProcess[str]:
    unpack("autolab", tree, right, to / "package")
    shutil.copy(to / "package/autolab/autograde-Makefile", to / "Makefile")
    shutil.copy(to / "package/autolab/autograde.tar", to)
    write_archive(kernel(tree, right), to / "submission.tar.gz")
    return start(["make"], to)


def run_prairielearn(tree: Tree, right: bool, to: Path) -> subprocess.CompletedProcess[str]:
    unpack("prairielearn", tree, right, to / "package")
    with zipfile.ZipFile(to / "package/prairielearn.zip") as archive:
        archive.extractall(to)
    write_archive(kernel(tree, right), to / "student/submission.tar.gz")
    program = to / f"serverFilesCourse/{NAME}/tools/platforms/run.py"
    return start([sys.executable, str(program), "prairielearn", "--root", str(to)], Path("/"))


def run_vpl(tree: Tree, right: bool, to: Path) -> subprocess.CompletedProcess[str]:
    unpack("vpl", tree, right, to / "package")
    for file in (to / "package/vpl").iterdir():
        shutil.copy(file, to)
    write_archive(kernel(tree, right), to / "submission.tar.gz")
    names = "export VPL_SUBFILES=\"submission.tar.gz\ncow.tar.gz\n\"\nexport VPL_GRADEMAX=100\n"
    (to / "vpl_environment.sh").write_text(f"#!/bin/bash\n{names}")
    put(to, f".cow-grader/{NAME}/tools/json.py")  # a student's
    done = start(["bash", "./vpl_evaluate.sh"], to)
    assert done.returncode == 0, done.stderr
    return start(["bash", "-c", "./vpl_execution"], to)


def run_classroom50(tree: Tree, right: bool, to: Path) -> subprocess.CompletedProcess[str]:
    unpack("classroom50", tree, right, to / "package")
    write_files(kernel(tree, right), to)
    program = to / "package/classroom50/autograder.py"
    return start([sys.executable, str(program)], to, TMPDIR=str(to / "package"))


RUN = {
    "autolab": (run_autolab, 8, 4), "prairielearn": (run_prairielearn, 1, 0.5),
    "vpl": (run_vpl, "100.00", "50.00"), "classroom50": (run_classroom50, 8, 4),
}
REAL_MARKS = {
    "autolab": (4, 0), "prairielearn": (1, 0), "vpl": ("100.00", "0.00"), "classroom50": (4, 0),
}


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("platform", RUN)
def test_a_package_grades(platform: str, right: bool, student: Tree, tmp_path: Path) -> None:
    run, *expected = RUN[platform]
    place = Place(tmp_path / "unused")
    place.root = tmp_path / "root"
    place.root.mkdir()
    done = run(student, right, place.root)
    assert done.returncode == 0, done.stderr
    mark = marks(platform, place, done.stdout)
    assert mark == (REAL_MARKS[platform] if REAL else expected)[0 if right else 1]


def test_autolab_has_no_score_if_nothing_starts(student: Tree, tmp_path: Path) -> None:
    unpack("autolab", student, True, tmp_path / "package")
    shutil.copy(tmp_path / "package/autolab/autograde-Makefile", tmp_path / "Makefile")
    done = start(["make"], tmp_path)  # there is no autograde.tar
    assert done.returncode == 0
    scores = json.loads(done.stdout.rstrip().splitlines()[-1])
    assert scores == {"scores": {"Copy-on-write": None}}


@pytest.fixture(name="autograder", scope="module")
def fixture_autograder(student: Tree) -> Iterator[Path]:
    """Gradescope's folder, with the real grader."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        package = MAKERS["gradescope"](student, read_settings("gradescope"), IMAGE)
        write_folder(package, root / "package")
        with zipfile.ZipFile(root / "package/gradescope.zip") as archive:
            archive.extractall(root / "source")
        shutil.copy(root / "source/run_autograder", root)
        (root / "built").mkdir()  # what both gradings have in common
        yield root


@pytest.mark.parametrize("right", [True, False])
def test_gradescope_grades(autograder: Path, student: Tree, right: bool, tmp_path: Path) -> None:
    """By the real grader, as a user without rights if that can be tried."""
    for name in ("submission", "results"):
        shutil.rmtree(autograder / name, ignore_errors=True)
        (autograder / name).mkdir()
    write_files(kernel(student, right), autograder / "submission")
    command = ["bash", str(autograder / "run_autograder")]
    variables = {"AUTOGRADER_ROOT": str(autograder), "BUILD": str(autograder / "built")}
    if IS_ROOT and shutil.which("setpriv"):
        for name in ("results", "built"):
            shutil.chown(autograder / name, "nobody")
        tmp_path.chmod(0o777)
        command = ["setpriv", "--reuid", "nobody", "--regid", "65534", "--clear-groups", *command]
        variables.update({"HOME": str(tmp_path), "TMPDIR": str(tmp_path)})
    done = start(command, autograder, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    value = json.loads((autograder / "results/results.json").read_text(encoding="utf-8"))
    check_schema("gradescope", value)
    test, = value["tests"]
    assert test["name"].startswith(TEST)
    assert test["status"] == ("passed" if right else "failed")
    assert right or "again" in test["output"]
