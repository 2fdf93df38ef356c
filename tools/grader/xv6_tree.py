"""Copies what is needed of an xv6 tree, cleaned, to a folder of ours, with what its Makefile says.

All of this runs in a limited child (reading.py).
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.constants import PREFIX
from grader.display import display_name
from grader.errors import SubmissionError
from grader.plain import plain_text, read_plain
from grader.xv6_find import find_file, find_kernel, list_files
from grader.xv6_makefile import Makefile
from grader.xv6_sources import adapt_all
from grader.xv6_traits import initcode_wanted, least_for_fork, machine_options
from grader.xv6_words import Unreadable

SOURCE_SUFFIXES = (".c", ".s", ".h", ".ld", ".inc")
FILE_BYTES, TREE_BYTES, TREE_FILES = 4 << 20, 16 << 20, 4000
MAKEFILES, MAKEFILE_BYTES = ("makefile", "gnumakefile"), 1 << 20
PLAIN_NAME = re.compile(r"[\w.+\-/]+", re.ASCII)
Groups = Sequence[tuple[Path, str, tuple[str, ...]]]  # a folder, its name in ours, suffixes


@dataclass
class Tree:
    """A submission's kernel as we build it: the staged folder and what was learnt from the
    Makefile."""

    folder: Path
    # the kernel's, as the Makefile lists them, without extension
    objects: list[str] = field(default_factory=list)
    defines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    prefix: str = PREFIX  # of the macros by which the build decides about constants
    can_shrink: bool = False  # whether the build may choose how much memory there is
    machine: list[str] = field(default_factory=list)  # options for QEMU
    initcode: str = ""  # the file to make of the first process's code
    fork_panics_below: int = 0  # free pages; with none at all it fails as it should

    @property
    def kernel(self) -> Path:
        """The folder of the kernel's sources."""
        return self.folder / "kernel"

    def note(self, text: str) -> None:
        """Notes something about how the tree was understood, once."""
        if text not in self.notes:
            self.notes.append(text)

    def header_folders(self) -> list[str]:
        """Where headers are: what a Makefile may have in -I options, the kernel's own folder
        first."""
        headers = [
            path for folder in (self.kernel, self.folder / "include")
            for path in sorted(folder.rglob("*.h"))
        ]
        folders = {str(path.parent.relative_to(self.folder)): None for path in headers}
        return list(dict.fromkeys(["kernel", *filter(PLAIN_NAME.fullmatch, folders)]))

    def sources(self) -> dict[str, Path]:
        """The kernel's C and assembly sources, by their path below kernel/ without extension, in
        small letters."""
        found: dict[str, Path] = {}
        files = [path for path in self.kernel.rglob("*") if path.suffix.lower() in (".c", ".s")]
        for path in sorted(files, key=lambda p: (p.suffix == ".c", str(p)), reverse=True):
            if PLAIN_NAME.fullmatch(str(path.relative_to(self.folder))):
                found.setdefault(str(path.relative_to(self.kernel).with_suffix("")).lower(), path)
        return found


def _read_text(path: Path) -> str:
    """A source's text; bytes that are not UTF-8 do not matter."""
    return path.read_bytes().decode("utf-8", "replace")


def stage(tree: Path, to: Path) -> Tree:
    """Finds the kernel in a tree, and copies what is needed to build it to an empty folder,
    cleaned."""
    staging = _Staging(tree, to)
    staging.copy_kernel()
    staging.read_makefile()
    staging.adapt()
    return staging.staged


class _Staging:
    """A tree being copied."""

    def __init__(self, tree: Path, to: Path) -> None:
        self.tree, self.to = tree, to
        self.kernel = find_kernel(tree)
        above = [self.kernel, *self.kernel.parents]
        # Where the Makefile and mkfs may be.
        self.roots = above[1 : 1 + min(2, above.index(tree))] or [tree]
        self.staged = Tree(folder=to)
        self.staged.notes.append(f"the kernel is in {self.kernel.relative_to(tree)}")
        self.files = self.bytes = 0

    def copy_kernel(self) -> None:
        """Copies the kernel, headers beside it, and mkfs."""
        root, kernel = self.roots[0], self.kernel
        groups: list[tuple[Path, str, tuple[str, ...]]] = [(kernel, "kernel", SOURCE_SUFFIXES)]
        if root != kernel:
            beside = [name for name in ("user", "include") if _is_folder(root / name)]
            groups += [(root / name, name, (".h",)) for name in beside]
        self._copy_groups(groups)
        (self.to / "names").mkdir()
        if root != kernel and PLAIN_NAME.fullmatch(kernel.name):
            # Sources may call the folder by its own name.
            (self.to / "names" / kernel.name).symlink_to("../kernel")
        mkfs = next(filter(None, (find_file(place, "mkfs.c") for place in self.roots)), None)
        if mkfs is not None and mkfs.stat().st_size <= FILE_BYTES:
            self._copy(mkfs, self.to / "mkfs" / "mkfs.c")

    def read_makefile(self) -> None:
        """Learns the kernel's objects and macros from the Makefile, if there is one that can be
        read."""
        place = next((place for place in self.roots if _makefile(place)), None)
        if place is None:
            self.staged.notes.append("there is no Makefile")
            return
        try:
            self._take_from_makefile(place)
        except (Unreadable, RecursionError, ValueError, OSError) as error:
            self.staged.notes.append(f"the Makefile could not be read: {error}")
            return
        folders = sorted({name.rpartition("/")[0] for name in self.staged.objects})
        beside = [name for name in folders if _is_beside(name, self.kernel, place)]
        self._copy_groups([(place / name, "kernel/" + name, SOURCE_SUFFIXES) for name in beside])

    def _take_from_makefile(self, root: Path) -> None:
        """Reads the Makefile in a folder."""
        def included(name: str) -> str | None:
            path = root / name
            if not path.is_file() or root.resolve() not in path.resolve().parents:
                return None
            return _read_text(path) if path.stat().st_size < MAKEFILE_BYTES else None

        path = _makefile(root)
        assert path is not None
        kernel = self.staged.kernel
        files = {"kernel/" + str(p.relative_to(kernel)) for p in kernel.rglob("*") if p.is_file()}
        sources = (p for p in list_files(root) if p.suffix.lower() in SOURCE_SUFFIXES)
        files.update(str(source.relative_to(root)) for source in sources)
        own = str(self.kernel.relative_to(root)) if root in self.kernel.parents else "kernel"
        makefile = Makefile(included(path.name) or "", included, sorted(files), own)
        self.staged.objects, self.staged.defines = makefile.kernel_objects(), makefile.defines()

    def adapt(self) -> None:
        """Learns from the copied sources, and leaves their constants to the build."""
        texts = {
            path: path.read_text(encoding="utf-8", errors="surrogateescape")
            for path in sorted(self.to.rglob("*")) if path.is_file() and not path.is_symlink()
        }
        kernel = {
            path: text for path, text in texts.items()
            if self.staged.kernel in path.parents and path.suffix in (".c", ".h", ".S")
        }
        self.staged.machine = machine_options(kernel)
        self.staged.initcode = initcode_wanted(kernel)
        self.staged.fork_panics_below = least_for_fork(kernel)
        adapted, self.staged.prefix, self.staged.can_shrink = adapt_all(texts)
        for path, text in adapted.items():
            if text != texts[path]:
                path.write_text(text, encoding="utf-8", errors="surrogateescape")

    def _copy_groups(self, groups: Groups) -> None:
        """Copies, of each folder, the files with these suffixes to a folder of this name."""
        for folder, name, suffixes in groups:
            for path in list_files(folder):
                if path.suffix.lower() in suffixes:
                    self._copy(path, self.to / name / path.relative_to(folder))

    def _copy(self, path: Path, to: Path) -> None:
        """Copies a source as plain text, with a newline at its end."""
        name = str(path.relative_to(self.tree))
        data = read_plain(path, name, FILE_BYTES)
        self.files += 1
        self.bytes += len(data)
        if self.files > TREE_FILES or self.bytes > TREE_BYTES:
            raise SubmissionError(
                f"{display_name(name)}: the kernel's sources are too large or too many"
            )
        to.parent.mkdir(parents=True, exist_ok=True)
        to = to.with_suffix(".S") if to.suffix == ".s" else to
        to.write_bytes(plain_text(data) + b"\n")


def _is_folder(path: Path) -> bool:
    """Tells whether it is a folder of the submission's own."""
    return path.is_dir() and not path.is_symlink()


def _is_beside(name: str, kernel: Path, root: Path) -> bool:
    """Tells whether a folder of the kernel's objects, as the Makefile names it, is in the tree but
    not the kernel's own.

    The name decides where its files are copied to: it must not lead out of here, nor to our files.
    """
    parts = name.split("/")
    is_plain = PLAIN_NAME.fullmatch(name) and all(parts) and ".." not in parts
    if not is_plain or parts[0] in ("kernel", "user"):
        return False
    path = (root / name).resolve()
    if kernel.resolve() in (path, *path.parents):
        return False
    return path.is_dir() and path == root.resolve() / name


def _makefile(folder: Path) -> Path | None:
    """The Makefile of a folder."""
    found = (path for path in sorted(folder.iterdir()) if path.name.lower() in MAKEFILES)
    return next((path for path in found if path.is_file()), None)
