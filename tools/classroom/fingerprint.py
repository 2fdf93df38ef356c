"""Fingerprints of what a result depends on: of what was handed in, and of the grader."""
from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from litter import is_litter
from products import ROOT

PIECE = 1 << 20
WHOLE_BYTES = 1 << 20  # of larger files in a folder only size and time count: none is ever graded
ENTRIES_MAX = 200_000
# What a verdict depends on. Products of make may lie among the sources.
GRADER_PARTS = ("Makefile", "kernel", "user", "mkfs", "labs", "tools", "grade-cow")
LEFT_OUT = ("kernel/kernel", "kernel/kernel.", "mkfs/mkfs", "mkfs/fsck", "tools/classroom/",
            "tools/reports/", "tools/platforms/", "labs/cow/solutions/")


def fingerprint(source: str) -> str:
    """Returns the SHA-256 of an archive or a folder, or of the words if they name neither. What
    cannot be read counts as such: the grader decides who is to blame."""
    digest = hashlib.sha256()
    if os.path.isdir(source):
        _add_folder(digest.update, Path(source), lambda _: True)
    elif os.path.isfile(source):
        _add_file(digest.update, source)
    else:
        digest.update(source.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


@lru_cache(maxsize=None)
def grader_version() -> str:
    """Returns the SHA-256 of all that a verdict depends on besides the submission."""
    digest = hashlib.sha256()
    for part in GRADER_PARTS:
        place = ROOT / part
        digest.update(part.encode())
        if place.is_dir():
            _add_folder(digest.update, place, lambda path: _is_ours(f"{part}/{path}"))
        elif place.is_file():
            _add_file(digest.update, str(place))
    return digest.hexdigest()


def _is_ours(path: str) -> bool:
    return not path.startswith(LEFT_OUT)


def _add_folder(
    add: Callable[[bytes], object], folder: Path, wanted: Callable[[str], bool]
) -> None:
    """Adds the names and contents of all files below a folder, in a fixed order."""
    for number, (name, path) in enumerate(_files(folder)):
        if number > ENTRIES_MAX:
            break
        if not wanted(name):
            continue
        try:
            state = os.lstat(path)
        except OSError:
            continue
        kind = stat.S_IFMT(state.st_mode)
        add(f"\0{kind}\0{state.st_size}\0".encode() + name.encode("utf-8", "surrogateescape"))
        if kind == stat.S_IFLNK:
            add(os.fsencode(os.readlink(path)))
        elif kind == stat.S_IFREG and state.st_size <= WHOLE_BYTES:
            _add_file(add, path)
        else:
            add(str(state.st_mtime_ns).encode())


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields the names below a folder, except litter, with their paths. The folder may be deep."""
    unseen = [("", str(folder))]
    while unseen:
        name, path = unseen.pop()
        if name and not name.endswith("/"):
            yield name, path
            continue
        try:
            with os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: entry.name, reverse=True)
        except OSError:
            yield f"{name}?", path
            continue
        for entry in entries:
            if not is_litter(entry.name):
                end = "/" if entry.is_dir(follow_symlinks=False) else ""
                unseen.append((f"{name}{entry.name}{end}", entry.path))


def _add_file(add: Callable[[bytes], object], path: str) -> None:
    """Adds what is in a plain file."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            for piece in iter(lambda: file.read(PIECE), b""):
                add(piece)
    except OSError as error:
        add(f"\0{error.errno}".encode())
