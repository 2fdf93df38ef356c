"""What is taken of an xv6 tree: its kernel is found among all that was handed in, and copied, cleaned, to a folder."""
from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from grader.errors import SubmissionError
from grader.submission import plain_text
from grader.xv6_makefile import Makefile, Unreadable
from litter import is_litter

SOURCE_SUFFIXES = (".c", ".s", ".h", ".ld", ".inc")
FILE_BYTES, TREE_FILES, SEARCHED_FILES = 4 << 20, 4000, 200_000
PLAIN_NAME = re.compile(r"[\w.+\-/]+", re.ASCII)
KERNEL_SIGNS = ("vm.c", "trap.c", "proc.c")


@dataclass
class Tree:
    """A submission's kernel as we build it: the staged folder and what was learnt from the Makefile."""

    folder: Path
    objects: List[str] = field(default_factory=list)  # the kernel's, as the Makefile lists them, without extension
    defines: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)

    @property
    def kernel(self) -> Path:
        """The folder of the kernel's sources."""
        return self.folder / "kernel"

    def code(self) -> List[Path]:
        """The kernel's C files and headers, some of which may be in include/ beside it."""
        return [path for folder in (self.kernel, self.folder / "include") for path in sorted(folder.rglob("*.[ch]"))]

    def header_folders(self) -> List[str]:
        """Where headers are: what a Makefile may have in -I options, the kernel's own folder first."""
        folders = {str(path.parent.relative_to(self.folder)): None for path in self.code() if path.suffix == ".h"}
        return list(dict.fromkeys(["kernel", *filter(PLAIN_NAME.fullmatch, folders)]))

    def sources(self) -> Dict[str, Path]:
        """The kernel's C and assembly sources, by their path below kernel/ without extension, in small letters."""
        found: Dict[str, Path] = {}
        for path in sorted(self.kernel.rglob("*"), key=lambda p: (p.suffix == ".c", str(p)), reverse=True):
            if path.suffix.lower() in (".c", ".s") and PLAIN_NAME.fullmatch(str(path.relative_to(self.folder))):
                found.setdefault(str(path.relative_to(self.kernel).with_suffix("")).lower(), path)
        return found


def find_kernel(tree: Path) -> Path:
    """Returns the folder of the kernel's sources: the one that fits best if there are several (collections of labs)."""
    found: Dict[Path, None] = {}
    files = [path for path in _files(tree) if path.suffix.lower() in SOURCE_SUFFIXES]
    for path in files:
        if path.name.lower() == "vm.c":
            folder = path.parent
            while not _is_kernel(folder, files) and folder != tree:
                folder = folder.parent
            if _is_kernel(folder, files):
                found.setdefault(folder)
    if not found:
        raise SubmissionError("no xv6 kernel was found: kernel/ with vm.c, trap.c, proc.c and entry.S is wanted")
    return max(found, key=lambda folder: _fitness(folder, tree))


def _files(tree: Path) -> Iterator[Path]:
    """The regular files of a tree; no litter (.git, ._vm.c, .history), nothing behind links."""
    count = 0
    for folder, names, files in os.walk(tree):
        kept = [name for name in names if not is_litter(name)]
        names[:] = sorted(name for name in kept if not os.path.islink(os.path.join(folder, name)))
        for name in sorted(name for name in files if not is_litter(name)):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                count += 1
                if count > SEARCHED_FILES:
                    raise SubmissionError(f"the submission has more than {SEARCHED_FILES} files")
                yield path


def _is_kernel(folder: Path, files: Sequence[Path]) -> bool:
    """Whether a folder has a whole kernel: all in itself, or one of each file in its subfolders, too."""
    own = [path.name.lower() for path in files if path.parent == folder]
    below = [path.name.lower() for path in files if folder in path.parents]
    return all(sign in own or below.count(sign) == 1 for sign in KERNEL_SIGNS) and "entry.s" in below


def _fitness(folder: Path, tree: Path) -> Tuple[bool, int, bool, bool, int]:
    """How likely this kernel is meant: its path and its sources speak of copy-on-write, it is complete, it is near."""
    place = str(folder.relative_to(tree)).lower()
    named = re.search(r"cow|copy.?on.?write", place) is not None
    sources = (folder / name for name in ("vm.c", "trap.c", "kalloc.c"))
    text = "\n".join(read_text(path) for path in sources if path.is_file())
    signs = len(re.findall(r"\w*cow\w*|ref_?c\w*|scause\w*\(\) *== *15", text, re.IGNORECASE))
    whole = _find(folder.parent, "mkfs.c") is not None
    return (named, min(signs, 3), whole, folder.name.lower() == "kernel", -len(folder.parts))


def read_text(path: Path) -> str:
    """A source's text; what is not UTF-8 in it does not matter."""
    return path.read_bytes().decode("utf-8", "replace")


def _find(folder: Path, name: str) -> Optional[Path]:
    """The file of this name in a folder or in one of its subfolders, whatever the case of its letters."""
    below = [p for p in folder.iterdir() if not is_litter(p.name)]
    places = [folder, *sorted(p for p in below if p.is_dir() and not p.is_symlink())]
    found = (path for place in places for path in sorted(place.iterdir()) if path.name.lower() == name)
    return next((path for path in found if path.is_file() and not path.is_symlink()), None)


def stage(kernel: Path, tree: Path, to: Path) -> Tree:
    """Copies what is needed to build the kernel to the folder `to`, cleaned; reads the Makefile."""
    shutil.rmtree(to, ignore_errors=True)
    staged = Tree(folder=to)
    above = [kernel, *kernel.parents]
    roots = above[1 : 1 + min(2, above.index(tree))] or [tree]  # where the Makefile and mkfs may be
    root = roots[0]
    staged.notes.append(f"the kernel is in {kernel.relative_to(tree)}")
    groups: List[Tuple[Path, str, Tuple[str, ...]]] = [(kernel, "kernel", SOURCE_SUFFIXES)]
    if root != kernel:
        groups += [(root / name, name, (".h",)) for name in ("user", "include") if _is_folder(root / name)]
    _copy_groups(groups, tree, to)
    (to / "names").mkdir()
    if root != kernel and PLAIN_NAME.fullmatch(kernel.name):
        (to / "names" / kernel.name).symlink_to("../kernel")  # sources may call it by its own name
    mkfs = next(filter(None, (_find(place, "mkfs.c") for place in roots)), None)
    if mkfs is not None and mkfs.stat().st_size <= FILE_BYTES:
        _copy(mkfs, to / "mkfs" / "mkfs.c")
    makefile = next((place for place in roots if _makefile(place)), None)
    if makefile is None:
        staged.notes.append("there is no Makefile")
    else:
        _read_makefile(makefile, kernel, staged)
        folders = sorted({name.rpartition("/")[0] for name in staged.objects})
        beside = [name for name in folders if _is_beside(name, kernel, makefile)]
        _copy_groups([(makefile / name, "kernel/" + name, SOURCE_SUFFIXES) for name in beside], tree, to)
    return staged


def _is_folder(path: Path) -> bool:
    """Whether it is a folder of the submission's own."""
    return path.is_dir() and not path.is_symlink()


def _is_beside(name: str, kernel: Path, root: Path) -> bool:
    """Whether a folder of the kernel's objects, as the Makefile names it, is in the tree but not the kernel's own.

    The name decides where its files are copied to, outside the sandbox: it must not lead out of here, nor to our files.
    """
    parts = name.split("/")
    if not PLAIN_NAME.fullmatch(name) or not all(parts) or ".." in parts or parts[0] in ("kernel", "user"):
        return False
    path = (root / name).resolve()
    return path.is_dir() and path == root.resolve() / name and kernel.resolve() not in (path, *path.parents)


def _copy_groups(groups: Sequence[Tuple[Path, str, Tuple[str, ...]]], tree: Path, to: Path) -> None:
    """Copies, of each folder, the files with these suffixes to a folder of this name."""
    count = 0
    for folder, name, suffixes in groups:
        for path in _files(folder):
            if path.suffix.lower() not in suffixes:
                continue
            count += 1
            if path.stat().st_size > FILE_BYTES or count > TREE_FILES:
                raise SubmissionError(f"{path.relative_to(tree)}: the kernel's sources are too large or too many")
            _copy(path, to / name / path.relative_to(folder))


def _makefile(folder: Path) -> Optional[Path]:
    """The Makefile of a folder."""
    found = (path for path in sorted(folder.iterdir()) if path.name.lower() in ("makefile", "gnumakefile"))
    return next((path for path in found if path.is_file()), None)


def _copy(path: Path, to: Path) -> None:
    """Copies a source as plain text, with a newline at its end."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if to.suffix == ".s":
        to = to.with_suffix(".S")
    to.write_bytes(plain_text(path.read_bytes()) + b"\n")


def _read_makefile(root: Path, kernel: Path, staged: Tree) -> None:
    """Learns the kernel's objects and macros from the Makefile, if there is one that can be read."""
    def included(name: str) -> Optional[str]:
        path = root / name
        inside = root.resolve() in path.resolve().parents
        return read_text(path) if inside and path.is_file() and path.stat().st_size < FILE_BYTES else None

    path = _makefile(root)
    assert path is not None
    try:
        files = {"kernel/" + str(p.relative_to(staged.kernel)) for p in staged.kernel.rglob("*") if p.is_file()}
        files.update(str(p.relative_to(root)) for p in _files(root) if p.suffix.lower() in SOURCE_SUFFIXES)
        own = str(kernel.relative_to(root)) if root in kernel.parents else "kernel"
        makefile = Makefile(included(path.name) or "", included, sorted(files), own)
        staged.objects, staged.defines = makefile.kernel_objects(), makefile.defines()
    except (Unreadable, RecursionError) as error:
        staged.notes.append(f"the Makefile could not be read: {error}")
