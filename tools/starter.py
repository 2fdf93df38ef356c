"""The student's tree: what is in it, and how it is written.

It has the files that git tracks here, except those that the manifest leaves out
(labs/cow/starter/manifest.ini). The pieces of labs/cow/starter/depth_1.ini to depth_DEPTH.ini turn
the kernel into one without the solution, HANDOUT.md moves to the top, and README.md is another one.
Of the grader there are the public tests (tools/public_grading.py), and an archive of the files that
submissions are laid over, as they are handed out. leaks() finds lines of the solution, and names of
hidden tests, that would be given away.
"""
from __future__ import annotations

import configparser
import fnmatch
import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from command import run
from grader.cow6 import NEEDED
from grader.home import ORIGINALS
from pieces import Piece, changed_files, read_pieces
from products import ROOT, product
from public_grading import (
    LAB, SETTINGS, hidden_points, is_module, named_tests, public_files
)

STARTER = ROOT / LAB / "starter"
MANIFEST = STARTER / "manifest.ini"
README = STARTER / "README.md"  # replaces this tree's
HANDOUT = ROOT / LAB / "HANDOUT.md"
OUT = product("build/handout")
NAME = "cow"
DEPTHS = (1, 2, 3)
FIXED_TIME = 946684800  # the date of every file in the archive: the first second of 2000
LISTED = f"{LAB}/handed-out.txt"
NEEDS = "tools/needs"
MOVED = {f"{LAB}/HANDOUT.md": "HANDOUT.md"}  # to where students look first


class Wrong(Exception):
    """Why no handout can be made."""


@dataclass(frozen=True)
class Entry:
    """A file of the student's tree."""

    data: bytes
    mode: int


Tree = dict[str, Entry]


# ---- What goes into the tree ----


def read_manifest() -> configparser.ConfigParser:
    """Reads the manifest."""
    manifest = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",))
    manifest.optionxform = str  # type: ignore[assignment]
    manifest.read_string(MANIFEST.read_text())
    return manifest


def tracked() -> dict[str, int]:
    """Returns the files that git tracks here and that exist, with their modes."""
    listing = run(["git", "ls-files", "--stage", "-z"], cwd=ROOT)
    if not listing.succeeded:
        raise Wrong(f"git cannot list the files that it tracks: {listing.output.strip()}")
    found = {}
    for part in filter(None, listing.output.split("\0")):
        line = part.rpartition("\n")[2]  # what comes before it are warnings of git's
        information, path = line.split("\t", 1)
        if (ROOT / path).is_file():
            found[path] = int(information[:6], 8) & 0o777
    return found


def is_left_out(path: str, patterns: Sequence[str]) -> bool:
    """Tells whether one of the patterns names the file or a folder above it."""
    return any(
        path.startswith(pattern) if pattern.endswith("/") else fnmatch.fnmatchcase(path, pattern)
        for pattern in patterns
    )


def starter_pieces(depth: int) -> list[Piece]:
    """Returns the pieces that turn this tree's kernel into the student's of that depth."""
    files = [STARTER / f"depth_{level}.ini" for level in DEPTHS[:depth]]
    return [piece for file in files for piece in read_pieces(file)]


def for_depth(text: str, depth: int) -> str:
    """Keeps what the text says for that depth.

    A line `<!-- depth 2 3 -->` begins a part for depths 2 and 3 only, `<!-- depth all -->` ends it.
    The marks that say how transcripts are made (tools/transcripts.py) are dropped.
    """
    kept, wanted = [], True
    for line in text.splitlines(keepends=True):
        mark = re.fullmatch(r"<!-- depth ([\d ]+|all) -->\n", line)
        if mark:
            wanted = mark.group(1) == "all" or str(depth) in mark.group(1).split()
        elif wanted and not re.match(r"<!-- run ", line):
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "".join(kept))


def holds(paths: Iterable[str], target: str) -> bool:
    """Tells whether the target is one of the paths, or a folder above one."""
    return any(path == target or path.startswith(f"{target}/") for path in paths)


def with_links_there(text: str, path: str, tree: Tree, ours: Iterable[str]) -> str:
    """Makes the links of a text point to where the files are in the student's tree.

    `path` is where the text is in this tree. A link to a file of ours that students do not get
    becomes plain text, and a table row about such a file is dropped.
    """

    def is_kept_here(name: str) -> bool:
        target = os.path.normpath(name)
        return not holds(tree, target) and holds(ours, target)

    def link(match: re.Match[str]) -> str:
        words, name, anchor = match.groups()
        target = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if is_kept_here(target):
            return str(words)
        folder = os.path.dirname(MOVED.get(path, path))
        return f"[{words}]({os.path.relpath(MOVED.get(target, target), folder or '.')}{anchor})"

    def is_dead(row: str) -> bool:
        names = re.findall(r"`([\w.-]+/[\w./-]+)`", row)
        return row.startswith("|") and any(map(is_kept_here, names))

    lines = [line for line in text.splitlines(keepends=True) if not is_dead(line)]
    return re.sub(r"\[([^\]]*)\]\(([^)#:]+)((?:#[^)]*)?)\)", link, "".join(lines))


def student_tree(depth: int) -> Tree:
    """Returns the files of the student's tree, sorted."""
    patterns = read_manifest()["handout"]["leave_out"].split()
    ours = tracked()
    modes = {path: mode for path, mode in ours.items() if not is_left_out(path, patterns)}
    tree = {path: Entry((ROOT / path).read_bytes(), mode) for path, mode in modes.items()}
    changed = {**changed_files(starter_pieces(depth)), "README.md": README.read_text()}
    changed.update(student_grader(tree))
    changed[NEEDS] = needs(tree[NEEDS].data.decode())
    tree = {path: entry for path, entry in tree.items() if path in changed or not is_module(path)}
    tree.update({path: Entry(text.encode(), tree[path].mode) for path, text in changed.items()})
    for path in [path for path in tree if path.endswith(".md")]:
        text = for_depth(tree[path].data.decode(), depth)
        tree[path] = Entry(with_links_there(text, path, tree, ours).encode(), tree[path].mode)
    tree = {MOVED.get(path, path): entry for path, entry in tree.items()}
    lines = [f"{hashlib.sha256(tree[path].data).hexdigest()}  {path}\n" for path in sorted(tree)]
    tree[LISTED] = Entry("".join(lines).encode(), 0o644)
    tree[f"{LAB}/{ORIGINALS}"] = Entry(archive(original_files(tree), ""), 0o644)
    return dict(sorted(tree.items()))


def needs(text: str) -> str:
    """Returns the list of what tools/setup installs without what students need not have."""
    needless = read_manifest()["handout"]["needless"].split()
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.split("|")[0] not in needless)


def student_grader(tree: Tree) -> dict[str, str]:
    """Returns the files of the grader that are not the same in a student's tree."""
    paths = [path for path in tree if is_module(path) or path == SETTINGS]
    texts = {path: tree[path].data.decode() for path in paths}
    return public_files(texts, hidden_points())


def original_files(tree: Tree) -> Tree:
    """Returns the files that submissions are laid over."""
    return {path: entry for path, entry in tree.items() if path.startswith(NEEDED)}


# ---- Lines of the solution ----


def normalised(text: str) -> Iterator[str]:
    """Yields the lines that are long enough to be recognized, without comments and extra spaces."""
    for line in text.splitlines():
        bare = " ".join(re.sub(r"//.*", "", line).split())
        if (
            len(bare) >= 16
            and len(re.findall(r"\w+", bare)) >= 3
            and not bare.startswith("#include")
        ):
            yield bare


def solution_lines(depth: int) -> dict[str, str]:
    """Returns the lines that the pieces take out of the kernel, each with its file.

    A line that also occurs elsewhere in the kernel gives nothing away, and is not among them.
    """
    changed = changed_files(starter_pieces(depth))
    removed: dict[str, str] = {}
    kept: set[str] = set()
    for path in tracked():
        if path.startswith("kernel/") and path.endswith((".c", ".h", ".S")):
            lines = set(normalised((ROOT / path).read_text()))
            stays = lines & set(normalised(changed[path])) if path in changed else lines
            kept |= stays
            removed.update({line: path for line in lines - stays})
    return {line: path for line, path in removed.items() if line not in kept}


def written_already(source: str) -> list[str]:
    """Returns the functions of a C file that are not marked as the student's to write."""
    functions = re.findall(r"^\w.*\{\n(?:(?!\}).*\n)*\}", source, re.MULTILINE)
    return [function for function in functions if "// Your code here." not in function]


def leaks(tree: Tree, depth: int) -> list[str]:
    """Returns a message for whatever of the solution is in the tree.

    That is a line which the pieces take out, any function in a file in which students write every
    function (`to_write` in the manifest), or the name of a hidden test.
    """
    solution = solution_lines(depth)
    found = []
    for path, entry in tree.items():
        for number, line in enumerate(entry.data.decode(errors="replace").splitlines(), 1):
            found += [
                f"{path}:{number}: a line of the solution ({solution[bare]}): {bare}"
                for bare in normalised(line) if bare in solution
            ]
    for path in read_manifest()["handout"]["to_write"].split():
        for function in written_already(tree[path].data.decode()):
            found.append(f"{path}: a function that students are to write: {function}")
    texts = {path: entry.data.decode(errors="replace") for path, entry in tree.items()}
    hidden = [name for tests in hidden_points().values() for name in tests]
    return found + named_tests(texts, hidden)


# ---- Writing ----


def write_folder(tree: Tree, folder: Path) -> None:
    """Writes the tree into a folder, and removes whatever was there."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, entry in tree.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.data)
        file.chmod(entry.mode)


def archive(tree: Tree, folder: str = f"{NAME}/") -> bytes:
    """Returns the tree, in that folder, as a tar.gz that says nothing about this machine: two runs
    are identical."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, entry in tree.items():
            member = tarfile.TarInfo(f"{folder}{path}")
            member.size, member.mode, member.mtime = len(entry.data), entry.mode, FIXED_TIME
            tar.addfile(member, io.BytesIO(entry.data))
    return gzip.compress(packed.getvalue(), mtime=0)


def make_handout(depth: int, out: Path = OUT) -> Path:
    """Writes folder and archive; returns the folder. Raises Wrong if the solution leaks."""
    tree = student_tree(depth)
    problems = leaks(tree, depth)
    if problems:
        raise Wrong("\n".join(problems))
    write_folder(tree, out / NAME)
    (out / f"{NAME}.tar.gz").write_bytes(archive(tree))
    return out / NAME
