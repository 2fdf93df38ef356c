#!/usr/bin/env python3
"""Copies what students wrote into folders for JPlag and MOSS, which compare it; runs JPlag if it is
installed. Files that are as they were handed out are left out, and the starter is the base code.

    SIMILARITY/jplag/KIND/submissions/ID/kernel/...        and base/kernel/...
    SIMILARITY/moss/KIND/submissions/ID/kernel-vm-cow.c    and base/...
    SIMILARITY/README.md, compare.sh                       the commands
"""
from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from python_packages import need_packages  # noqa: E402

if __name__ == "__main__":
    need_packages("rich", "elftools")

from classroom.record import read_records  # noqa: E402
from command import Done, run  # noqa: E402
from entry import run_main  # noqa: E402
from grader import submission, xv6  # noqa: E402
from grader.budget import BUILD_SECONDS  # noqa: E402
from grader.cli import collect, read_lab_settings  # noqa: E402
from grader.display import display  # noqa: E402
from grader.errors import InfraError, SubmissionError  # noqa: E402
from grader.folders import make_empty  # noqa: E402
from grader.sandbox import FULL, MODES, Sandbox  # noqa: E402
from reports.texts import file_name, is_safe_id  # noqa: E402
from starter import DEPTHS, Wrong, student_tree  # noqa: E402

FOLDER, SCRIPT = "similarity", "compare.sh"
SOURCES = (".c", ".h", ".S", ".s")
JPLAG_SECONDS = 3600.0
README = """# Who wrote the same

`jplag/` and `moss/` hold what each student changed, a folder for each, named by the id. What was
handed out is in `base/`: both programs ignore what agrees with it. For trees on xv6, put your own
handout's kernel there.

JPlag (version 6 or later) runs on this machine, and sends nothing away:

    sh compare.sh jplag

It takes the program `jplag`, or the file that the variable JPLAG names (`JPLAG=~/jplag.jar`). The
results are in `jplag/KIND.jplag`; `jplag` shows them.

MOSS runs at Stanford: it sends the files there, so ask first whether you may. With the script that
its owners send you on the path as `moss`:

    sh compare.sh moss

A similarity is a reason to read both, never a verdict: the lab's own text suggests much of what
right solutions have in common.
"""

HEAD = """#!/bin/sh
# Compares what students wrote: compare.sh jplag, or compare.sh moss.
set -eu
cd "$(dirname "$0")"

jplag() {
    case ${JPLAG:-} in
    "") command jplag "$@" ;;
    *.jar) java -jar "$JPLAG" "$@" ;;
    *) "$JPLAG" "$@" ;;
    esac
}

moss_with_base() {
    kind=$1
    set -- -l c -d
    for file in "moss/$kind/base"/*; do
        [ ! -f "$file" ] || set -- "$@" -b "$file"
    done
    moss "$@" "moss/$kind/submissions"/*/*
}

case ${1:-} in""".splitlines()
END = """*)
    echo "usage: compare.sh jplag | moss" >&2
    exit 2
    ;;
esac""".splitlines()


@dataclass(frozen=True)
class Export:
    """What was written: the kinds of trees, and a line for each student who was left out."""

    folder: Path
    kinds: list[str]
    notes: list[str]


def export_similarity(
    out: Path, to: Path, depth: int = 1, sandbox: Sandbox | None = None
) -> Export:
    """Writes the folders for the class in the report folder `out` to the folder `to`, in place of
    those of an earlier export. `depth` is that of the starter which students got.

    ValueError if `out` is no report folder, or if something else is in `to`; InfraError if the
    machine cannot do it.
    """
    if to.exists() and any(to.iterdir()) and not (to / SCRIPT).is_file():
        raise ValueError(f"{to} is not empty, and no export: it will not be removed")
    walls = sandbox or Sandbox()
    base = read_base(depth)
    try:
        make_empty(to)
        notes, kinds = [], set()
        for record in read_records(out):
            student = record["submission"]
            if not student["source"] or not is_safe_id(student["id"]):
                notes.append(f"{display(student['id'], lines=1)}: nothing handed in")
                continue
            try:
                kind, files = read_submission(student["source"], walls)
            except SubmissionError as error:
                notes.append(f"{student['id']}: {display(str(error), lines=1)}")
                continue
            kinds.add(kind)
            own = {name: data for name, data in files.items() if base.get(name) != data}
            _write(to, kind, student["id"], own)
        for kind in kinds:
            _write(to, kind, "", base if kind == "cow6" else {})
        (to / "README.md").write_text(README, encoding="utf-8")
        (to / SCRIPT).write_text(make_script(sorted(kinds)), encoding="utf-8")
    except OSError as error:
        raise InfraError(f"the folders for JPlag and MOSS cannot be written: {error}") from None
    return Export(to, sorted(kinds), notes)


def read_base(depth: int) -> dict[str, bytes]:
    """Returns the sources that students were handed, by their names."""
    try:
        tree = student_tree(depth)
    except Wrong as error:
        raise InfraError(f"the starter cannot be made: {error}") from None
    return {
        name: entry.data for name, entry in tree.items()
        if name.startswith("kernel/") and name.endswith(SOURCES)
    }


def read_submission(source: str, sandbox: Sandbox) -> tuple[str, dict[str, bytes]]:
    """Returns the kind of a submission, and its sources as the grader takes them."""
    limited = sandbox.with_budget(BUILD_SECONDS)
    with tempfile.TemporaryDirectory(prefix="similar-") as folder:
        work = Path(folder)
        sandbox.share(work)
        tree, kind = submission.bring(source, work / "fetched", None, limited)
        if kind == "xv6":
            root = xv6.stage(tree, work / "staged", limited).folder
        else:
            section = read_lab_settings("cow")["cow6"]
            root = collect(tree, work / "collected", section, limited).root
        found = sorted(path for path in root.rglob("*") if path.suffix in SOURCES)
        return kind, {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in found if path.is_file() and not path.is_symlink()
        }


def _write(to: Path, kind: str, identity: str, files: dict[str, bytes]) -> None:
    """Writes a student's files, or the base code: as a tree for JPlag, side by side for MOSS."""
    place = f"submissions/{identity}" if identity else "base"
    tree, flat = to / "jplag" / kind / place, to / "moss" / kind / place
    for folder in (tree, flat):
        folder.mkdir(parents=True)
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
        (flat / file_name(name.replace("/", "-"))).write_bytes(data)


# ---- The programs that compare ----


def jplag_words() -> list[str] | None:
    """Returns how JPlag is started: the program or, with a JAR file in the variable JPLAG, java;
    None if it is not installed."""
    place = os.environ.get("JPLAG", "")
    if place:
        java = shutil.which("java")
        is_archive = place.endswith(".jar")
        return [java, "-jar", place] if is_archive and java else None if is_archive else [place]
    program = shutil.which("jplag")
    return [program] if program else None


def jplag_options(folder: str, kind: str) -> list[str]:
    """Returns the options that compare trees of a kind; `folder` is that of the export."""
    place = f"{folder}/jplag/{kind}"
    return [
        "--mode", "run", "--overwrite", "-l", "c", "-bc", f"{place}/base", "-r", f"{place}.jplag",
        f"{place}/submissions",
    ]


def make_script(kinds: Sequence[str]) -> str:
    """Returns the script with the commands."""
    jplag = [f"    jplag {shlex.join(jplag_options('.', kind))}" for kind in kinds]
    return "\n".join([*HEAD, "jplag)", *jplag, "    ;;", "moss)",
                      *(f"    moss_with_base {kind}" for kind in kinds), "    ;;", *END, ""])


def run_jplag(export: Export) -> list[Done] | None:
    """Runs JPlag for each kind of tree; None if it is not installed."""
    words = jplag_words()
    if words is None:
        return None
    return [
        run([*words, *jplag_options(str(export.folder.absolute()), kind)], seconds=JPLAG_SECONDS)
        for kind in export.kinds
    ]


def main() -> int:
    """Exports and compares; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="REPORT", help="the folder of a report")
    parser.add_argument("--to", type=Path, help=f"the folder to write (default: REPORT/{FOLDER})")
    parser.add_argument("--depth", type=int, choices=DEPTHS, default=1, help="of the starter")
    parser.add_argument("--sandbox", choices=MODES, default=FULL, help="as for ./grade-cow")
    options = parser.parse_args()
    try:
        sandbox = Sandbox(options.sandbox)
        to = options.to or options.out / FOLDER
        export = export_similarity(options.out, to, options.depth, sandbox)
    except (ValueError, OSError, InfraError) as error:
        print(f"{parser.prog}: {display(str(error))}", file=sys.stderr)
        return 2
    print(*(f"left out: {note}" for note in export.notes), f"written: {export.folder}", sep="\n")
    done = run_jplag(export)
    if done is None:
        print("JPlag is not installed: README.md there says how to run it")
        return 0
    print(*(display(each.output) for each in done), sep="\n")
    return 0 if all(each.succeeded for each in done) else 1


if __name__ == "__main__":
    run_main(main)
