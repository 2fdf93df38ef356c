#!/usr/bin/env python3
"""Runs the steps of Dockerfile in a fresh Debian, and grades a submission there: `make
check-docker-steps`. No Docker is needed, but root, debootstrap, bubblewrap and the network.

The system is kept in build/docker/base.
"""
from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from python_packages import need_packages  # noqa: E402

need_packages("elftools", "rich")

from entry import run_main  # noqa: E402
from platforms.dockerfile import Step, read_dockerfile  # noqa: E402
from platforms.pack import make_package  # noqa: E402
from products import ROOT, product  # noqa: E402

FOLDER = product("build/docker")
SUITES = {"debian:bookworm-slim": "bookworm"}
TEST = "fork_shares_pages"


def run(command: Sequence[str | Path]) -> None:
    """Runs a command; CalledProcessError if it fails."""
    subprocess.run([str(word) for word in command], check=True)


def inside(system: Path, folder: str, command: Sequence[str]) -> list[str]:
    """Returns the command line that runs a command in the system."""
    words = ["bwrap", "--bind", str(system), "/", "--proc", "/proc", "--dev", "/dev"]
    words += ["--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf", "--tmpfs", "/tmp"]
    words += ["--unshare-pid", "--cap-add", "ALL", "--clearenv", "--setenv", "HOME", "/root"]
    words += ["--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin"]
    return [*words, "--chdir", folder, *command]


def new_system(image: str) -> Path:
    """Returns a fresh copy of the system that an image has."""
    base, system = FOLDER / "base", FOLDER / "system"
    if not base.is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(FOLDER / "new", ignore_errors=True)
        run(["debootstrap", "--variant=minbase", SUITES[image], FOLDER / "new"])
        (FOLDER / "new").rename(base)
    shutil.rmtree(system, ignore_errors=True)
    run(["cp", "-a", base, system])
    (system / "etc/resolv.conf").touch()
    return system


def take_steps(steps: Sequence[Step]) -> Path:
    """Takes the steps one after the other; returns the system."""
    system, folder = new_system(steps[0].arguments[0]), "/"
    for step in steps[1:]:
        print(f"{step.word} {' '.join(step.arguments)}", flush=True)
        if step.word == "WORKDIR":
            folder = step.arguments[0]
            (system / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif step.word == "COPY":
            to = system / folder.lstrip("/") / step.arguments[-1]
            to.mkdir(parents=True, exist_ok=True)
            for name in step.arguments[:-1]:
                shutil.copy(ROOT / name, to)
        elif step.word == "RUN":
            run(inside(system, folder, ["/bin/sh", "-c", step.arguments[0]]))
    return system


def grade_inside(system: Path) -> bool:
    """Grades this tree's kernel in the system, as Gradescope would; tells whether it passes."""
    package = make_package("gradescope", 1, "", FOLDER)[0]
    root = system / "autograder"
    shutil.unpack_archive(package, root / "source")
    shutil.copytree(ROOT / "kernel", root / "submission/kernel")
    settings = root / "source/cow/labs/cow/platforms.ini"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("options =", f"options = {TEST}"), encoding="utf-8")
    run(inside(system, "/autograder", ["/bin/sh", "source/run_autograder"]))
    result = (root / "results/results.json").read_text(encoding="utf-8")
    print(result)
    return '"status": "passed"' in result


def main() -> int:
    """Runs the steps; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--purpose", default="grading", help="the build argument PURPOSE")
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        print("docker_steps: needs root and debootstrap", file=sys.stderr)
        return 1
    system = take_steps(read_dockerfile(PURPOSE=options.purpose))
    if not grade_inside(system):
        print("docker_steps: the grader does not work there", file=sys.stderr)
        return 1
    print("docker_steps: ok")
    return 0


if __name__ == "__main__":
    run_main(main)
