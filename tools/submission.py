#!/usr/bin/env python3
"""Packs a submission into build/submission.tar.gz and checks it
(`make submission`, in a tree made by `make handout`).

labs/cow/lab.ini says which files belong to a submission and how large it may be; answers.txt
beside it is packed, too. Files that editors and file managers leave behind (fault.c~, ._fault.c,
.#fault.c) are not. The archive is unpacked over a copy of the tree's other files, and the kernel is
built there: what builds here also builds where it is graded.
"""
from __future__ import annotations

import argparse
import configparser
import gzip
import hashlib
import io
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from command import run
from entry import run_main
from litter import is_litter
from products import ROOT, make_environment, product, target

LAB = ROOT / "labs/cow/lab.ini"
ANSWERS = ROOT / "labs/cow/answers.txt"
LISTED = ROOT / "labs/cow/handed-out.txt"
ARCHIVE = product("build/submission.tar.gz")
BUILD_SECONDS = 600
# What can go wrong in a tree that was changed where it should not be, or on a full disk.
UNUSABLE = (OSError, ValueError, KeyError, NotImplementedError, configparser.Error)


class Refused(Exception):
    """Why this tree cannot be handed in."""


def handed_out() -> dict[str, str]:
    """Returns the files of the tree as it was handed out, with their SHA-256."""
    if not LISTED.exists():
        name = LISTED.relative_to(ROOT)
        raise Refused(f"{name} is missing: this tree was not made by `make handout`")
    lines = [line.split(maxsplit=1) for line in LISTED.read_text().splitlines()]
    return {path: digest for digest, path in lines}


def collect() -> list[str]:
    """Returns the files that are handed in; Refused if they break a rule."""
    rules = configparser.ConfigParser()
    rules.read_string(LAB.read_text())
    lab = rules["cow6"]
    found = sorted({path for pattern in lab["allowed"].split() for path in ROOT.glob(pattern)})
    found = [path for path in found if not is_litter(path.relative_to(ROOT))]
    found += [ANSWERS] if ANSWERS.exists() else []
    names = [str(path.relative_to(ROOT)) for path in found]
    missing = [name for name in lab.get("required", "").split() if name not in names]
    if missing:
        raise Refused(f"missing: {' '.join(missing)}")
    for path, name in zip(found, names):
        if path.is_symlink() or not path.is_file():
            raise Refused(f"{name} is not a regular file")
        if path.stat().st_size > lab.getint("file_bytes"):
            raise Refused(
                f"{name} has {path.stat().st_size} bytes; a file may have {lab['file_bytes']}"
            )
    if len(found) > lab.getint("files"):
        raise Refused(f"{len(found)} files; there may be {lab['files']}")
    total = sum(path.stat().st_size for path in found)
    if total > lab.getint("total_bytes"):
        raise Refused(f"{total} bytes in all; there may be {lab['total_bytes']}")
    return names


def plain(path: Path) -> bytes:
    """Returns the bytes of a text with LF at line ends, which editors and git may have changed."""
    return path.read_bytes().replace(b"\r\n", b"\n")


def pack(names: list[str]) -> None:
    """Writes the archive: the same files give the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in names:
            data = plain(ROOT / name)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    ARCHIVE.parent.mkdir(parents=True, exist_ok=True)
    ARCHIVE.write_bytes(gzip.compress(packed.getvalue(), mtime=0))


def check_build(others: list[str], make: str) -> None:
    """Builds the archive's kernel with the tree's other files in a new folder; Refused if that
    fails."""
    with tempfile.TemporaryDirectory() as folder:
        for name in filter(lambda name: (ROOT / name).is_file(), others):
            copy = Path(folder, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)
        with tarfile.open(ARCHIVE) as tar:
            for member in tar:
                data = tar.extractfile(member)
                assert data is not None
                Path(folder, member.name).parent.mkdir(parents=True, exist_ok=True)
                Path(folder, member.name).write_bytes(data.read())
        command = [make, "--no-print-directory", "-C", folder, "kernel/kernel"]
        done = run(command, env=make_environment(Path(folder)), seconds=BUILD_SECONDS)
    if not done.succeeded:
        tail = "\n".join(done.output.splitlines()[-25:])
        raise Refused(f"{tail}\nwhat is handed in does not build")


def changed(listed: dict[str, str]) -> list[str]:
    """Returns the files that differ from what was handed out."""
    return [
        name for name, digest in listed.items()
        if not (ROOT / name).is_file() or hashlib.sha256(plain(ROOT / name)).hexdigest() != digest
    ]


def submit(make: str) -> None:
    """Packs the submission, says what is in it, and checks that it builds."""
    listed = handed_out()
    names = collect()
    differing = changed(listed)
    ours = [name for name in names if name in differing or name not in listed]
    pack(names)
    print(
        f"{target('build/submission.tar.gz')}: {len(names)} files, {ARCHIVE.stat().st_size} bytes"
    )
    print("yours: " + (" ".join(ours) or "nothing: these are the files that were handed out"))
    for name in differing:
        if name not in names:
            print(f"not handed in: {name}, which you changed; the original is used for grading")
    if not ANSWERS.exists():
        print(f"not answered: the questions, there is no {ANSWERS.relative_to(ROOT)}")
    check_build([name for name in listed if name not in names], make)
    print("it builds")


def main() -> int:
    """Hands in, or says why not; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--make", default="make", help="the make to build with")
    arguments = parser.parse_args()
    try:
        submit(arguments.make)
    except (Refused, *UNUSABLE) as why:
        print(f"submission: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    run_main(main)
