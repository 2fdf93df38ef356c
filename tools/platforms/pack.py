#!/usr/bin/env python3
"""Writes what is uploaded to a platform, for `make gradescope` and the like.

Each package has the grader, its settings and the student's kernel: a submission is laid over that,
and nothing of a solution is near it. Two runs write the same bytes.
"""
from __future__ import annotations

import argparse
import gzip
import io
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from python_packages import need_packages  # noqa: E402

need_packages("elftools", "rich")

from entry import run_main  # noqa: E402
from pieces import PieceError  # noqa: E402
from platforms.settings import BadSettings, Settings, check_names, read_settings  # noqa: E402
from products import ROOT, product  # noqa: E402
from starter import DEPTHS, NAME, Entry, Tree, Wrong, archive, student_tree, tracked  # noqa: E402

PACKAGES = ROOT / "tools/platforms/packages"
STUDENTS = ("kernel/", "mkfs/", "Makefile", "LICENSE")
OURS = ("tools/", "labs/cow/grading/", "labs/cow/lab.ini", "labs/cow/platforms.ini", "grade-cow")
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive can have
IMAGE = "your-organisation/cow-grader"  # what PrairieLearn runs, until it is named


def grader_tree(depth: int) -> Tree:
    """Returns the files of the grader, sorted."""
    student = student_tree(depth)
    tree = {path: entry for path, entry in student.items() if path.startswith(STUDENTS)}
    for path, mode in tracked().items():
        if path.startswith(OURS):
            tree[path] = Entry((ROOT / path).read_bytes(), mode)
    return dict(sorted(tree.items()))


def package_file(name: str, mode: int = 0o644, **words: str) -> Entry:
    """Returns a file of tools/platforms/packages in which each @WORD@ is replaced."""
    text = (PACKAGES / name).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return Entry(text.encode(), mode)


def zip_archive(tree: Tree) -> bytes:
    """Returns a zip archive that says nothing about this machine."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archived:
        for path, entry in sorted(tree.items()):
            member = zipfile.ZipInfo(path, FIXED_TIME)
            member.create_system = 3  # unix, which has modes
            member.external_attr = (0o100000 | entry.mode) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archived.writestr(member, entry.data)
    return packed.getvalue()


def prefixed(prefix: str, tree: Tree) -> Tree:
    """Returns the tree inside a folder."""
    return {f"{prefix}/{path}": entry for path, entry in tree.items()}


# ---- Platforms: each returns the files of its package ----


def gradescope(tree: Tree, settings: Settings, image: str) -> Tree:
    """Returns the one archive that is uploaded."""
    files = {
        name: package_file(f"gradescope/{name}", 0o755) for name in ("setup.sh", "run_autograder")
    }
    return {"gradescope.zip": Entry(zip_archive({**files, **prefixed(NAME, tree)}), 0o644)}


def autolab(tree: Tree, settings: Settings, image: str) -> Tree:
    """Returns the two files of an autograder."""
    problem = settings.own["problem"]
    return {
        "autolab/autograde-Makefile": package_file("autolab/autograde-Makefile", PROBLEM=problem),
        "autolab/autograde.tar": Entry(gzip.decompress(archive(tree)), 0o644),
    }


def prairielearn(tree: Tree, settings: Settings, image: str) -> Tree:
    """Returns an archive to unpack in the course's folder."""
    seconds = f"{settings.seconds:g}"
    info = package_file("prairielearn/info.json", IMAGE=image, SECONDS=seconds)
    course = {
        "questions/copyOnWrite/info.json": info,
        "questions/copyOnWrite/question.html": package_file("prairielearn/question.html"),
        **prefixed(f"serverFilesCourse/{NAME}", tree),
    }
    return {"prairielearn.zip": Entry(zip_archive(course), 0o644)}


def vpl(tree: Tree, settings: Settings, image: str) -> Tree:
    """Returns the execution files of an activity."""
    return {
        "vpl/vpl_evaluate.sh": package_file("vpl/vpl_evaluate.sh", 0o755),
        f"vpl/{NAME}.tar.gz": Entry(archive(tree), 0o644),
    }


def classroom50(tree: Tree, settings: Settings, image: str) -> Tree:
    """Returns the folder CLASSROOM/autograders/ASSIGNMENT."""
    return {
        "classroom50/autograder.py": package_file("classroom50/autograder.py"),
        f"classroom50/{NAME}.tar.gz": Entry(archive(tree), 0o644),
    }


def github(tree: Tree, settings: Settings, image: str) -> Tree:
    """Returns the files of the course's repository, and two workflows."""
    files = {name: package_file(f"github/{name}") for name in ("grade.yml", "grade-class.yml")}
    repository = {**tree, "fetch.sh": package_file("github/fetch.sh", 0o755)}
    return prefixed("github", {**files, **prefixed(NAME, repository)})


MAKERS: dict[str, Callable[[Tree, Settings, str], Tree]] = {
    "gradescope": gradescope, "autolab": autolab, "prairielearn": prairielearn, "vpl": vpl,
    "classroom50": classroom50, "github": github,
}


def known_names() -> list[str]:
    """Returns the parts and tests that the settings may name."""
    sys.path.insert(0, str(ROOT))
    from labs.cow.grading.catalogue import PARTS, TESTS  # pylint: disable=import-outside-toplevel

    return [*PARTS, *(test.id for test in TESTS)]


def make_package(platform: str, depth: int, image: str, out: Path) -> list[Path]:
    """Writes the package of a platform; returns its files. BadSettings, Wrong."""
    settings = read_settings(platform)
    check_names(settings, known_names())
    written = []
    for name, entry in MAKERS[platform](grader_tree(depth), settings, image).items():
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.data)
        file.chmod(entry.mode)
        written.append(file)
    return written


def main() -> int:
    """Writes a package; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("platform", choices=MAKERS)
    parser.add_argument(
        "--depth", type=int, choices=DEPTHS, default=1, help="of the student's kernel (default: 1)"
    )
    parser.add_argument("--image", default=IMAGE, help="the image that PrairieLearn runs")
    options = parser.parse_args()
    try:
        files = make_package(options.platform, options.depth, options.image, product("build"))
    except (BadSettings, PieceError, Wrong) as wrong:
        print(f"{options.platform}: {wrong}", file=sys.stderr)
        return 1
    folder = product("build")
    names = {file.relative_to(folder).parts[0] for file in files}
    print("\n".join(os.path.relpath(folder / name) for name in names))
    return 0


if __name__ == "__main__":
    run_main(main)
