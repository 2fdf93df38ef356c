"""Finds the kernel in what was handed in as an xv6 tree: it may be anywhere, and there may be
several."""
from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from grader.errors import InfraError, SubmissionError, blame
from litter import is_litter

LOOK_BYTES = 256 << 10  # of a source, to find out which kernel is the lab's
SEARCHED_FILES, SEARCHED_DEPTH, KERNELS_MAX = 200_000, 20, 200
KERNEL_SIGNS = ("vm.c", "trap.c", "proc.c")
COW_SIGN = re.compile(r"cow|ref_?c|scause\w{0,9}\(\) {0,3}== {0,3}15", re.IGNORECASE)


def find_kernel(tree: Path) -> Path:
    """Returns the folder of the kernel's sources: the one that fits best if there are several
    (collections of labs)."""
    own: dict[Path, set[str]] = {}
    below: dict[Path, Counter[str]] = {}
    for path in list_files(tree):
        name = path.name.lower()
        if name in KERNEL_SIGNS or name == "entry.s":
            own.setdefault(path.parent, set()).add(name)
            for folder in path.parents:
                below.setdefault(folder, Counter())[name] += 1
                if folder == tree:
                    break
    found: dict[Path, None] = {}
    for folder in [place for place, names in own.items() if "vm.c" in names]:
        while not _is_kernel(folder, own, below) and folder != tree:
            folder = folder.parent
        if _is_kernel(folder, own, below):
            found.setdefault(folder)
    if not found:
        raise SubmissionError(
            "no xv6 kernel was found: kernel/ must have vm.c, trap.c, proc.c and entry.S"
        )
    if len(found) > KERNELS_MAX:
        raise SubmissionError(f"the submission has {len(found)} kernels: hand in one")
    return max(found, key=lambda folder: _fitness(folder, tree))


def list_files(tree: Path) -> Iterator[Path]:
    """The regular files of a tree, without litter (.git, ._vm.c, .history) and without links."""
    count = 0
    unseen = [(tree, 0)]
    while unseen:
        folder, depth = unseen.pop()
        below = []
        for entry in list_folder(folder):
            if is_litter(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                below.append((folder / entry.name, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                count += 1
                if count > SEARCHED_FILES:
                    raise SubmissionError(f"the submission has more than {SEARCHED_FILES} files")
                yield folder / entry.name
        unseen += reversed(below if depth < SEARCHED_DEPTH else [])


def list_folder(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, in order; nothing if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        culprit = blame(error, "the submission cannot be read")
        if isinstance(culprit, InfraError):
            raise culprit from None
        return []


def _is_kernel(folder: Path, own: dict[Path, set[str]], below: dict[Path, Counter[str]]) -> bool:
    """Tells whether a folder has a whole kernel: each file either in itself, or once in its
    subfolders."""
    names = below.get(folder, Counter())
    whole = all(sign in own.get(folder, ()) or names[sign] == 1 for sign in KERNEL_SIGNS)
    return whole and names["entry.s"] > 0


def _fitness(folder: Path, tree: Path) -> tuple[bool, int, bool, bool, int]:
    """How likely this kernel is the lab's: its path or sources mention copy-on-write, it is
    complete, its folder is near."""
    place = str(folder.relative_to(tree)).lower()
    named = "cow" in place or re.search(r"copy.?on.?write", place) is not None
    sources = (folder / name for name in ("vm.c", "trap.c", "kalloc.c"))
    text = "\n".join(_beginning(path) for path in sources if _is_plain(path))
    signs = len(COW_SIGN.findall(text))
    whole = find_file(folder.parent, "mkfs.c") is not None
    return (named, min(signs, 3), whole, folder.name.lower() == "kernel", -len(folder.parts))


def _is_plain(path: Path) -> bool:
    """Tells whether it is a file of the submission's own."""
    return path.is_file() and not path.is_symlink()


def _beginning(path: Path) -> str:
    """A source's text, or the first part of a long one; nothing if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(LOOK_BYTES).decode("utf-8", "replace")
    except PermissionError:
        return ""


def find_file(folder: Path, name: str) -> Path | None:
    """The file of this name in a folder or in one of its subfolders, whatever the case of its
    letters."""
    entries = [entry for entry in list_folder(folder) if not is_litter(entry.name)]
    below = [folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    found = (
        place / entry.name for place in [folder, *below] for entry in list_folder(place)
        if entry.name.lower() == name and entry.is_file(follow_symlinks=False)
    )
    return next(found, None)
