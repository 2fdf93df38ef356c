"""Finds a cow6 tree in what was handed in, and copies the files that a student may change.

Links and special files are left out (and refused where kernel files belong), and so is what editors
and file managers leave behind (tools/litter.py). Every size has a limit.
"""
from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from re import Pattern

from grader.archives import Sizes
from grader.constants import PREFIX, Bounds, adapt, choose_prefix, join_lines, limiting_macro
from grader.display import display_name
from grader.errors import InfraError, SubmissionError, blame
from grader.plain import plain_text, read_plain
from litter import is_litter

SOURCE_KINDS = (".c", ".h", ".S", ".s", ".ld")
NO_SOURCE = re.compile(r"[^\w./+-]")  # characters that the path of a source cannot have
BARE_LAYERS = ("mem", "vm")  # a folder that has these is kernel/
ROOT_DEPTH = 6  # how deep in a submission the tree may be
WALK_MAX = 200_000  # entries of a submission that are looked at
IGNORED_TOLD = 1000
CONSTANTS: dict[str, Bounds] = {"HARTS_MAX": (3, 64, 8)}  # races need their harts


@dataclass
class Collected:
    """The allowed files, relative to the folder they were copied to, and what was left out.

    Folders among the latter end in /; copies are allowed files that look like copies of others.
    """

    root: Path
    files: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    prefix: str = PREFIX  # of the macros by which the build decides about constants


def find_root(folder: Path, source: str) -> Path:
    """Returns the outermost folder that has kernel/ with sources in it, or is kernel/ itself;
    SubmissionError if there is none, or no single one."""
    level = [folder]
    for _ in range(ROOT_DEPTH):
        found = [place for place in level if has_sources(place / "kernel")]
        found = [place for place in found if (place / "kernel/main.c").is_file()] or found
        found = found or [place for place in level if is_bare_kernel(place)]
        if len(found) > 1:
            places = sorted(place.relative_to(folder) for place in found)
            names = ", ".join(map(display_name, places[:5]))
            raise SubmissionError(
                f"{display_name(source)} holds several trees ({names}): hand in one"
            )
        if found:
            return found[0]
        level = [entry for place in level for entry in subfolders(place)][:1000]
    raise SubmissionError(
        f"{display_name(source)} holds no folder kernel/ with C files in it: "
        "hand in the tree, or its folder kernel/"
    )


def detect(tree: Path) -> str:
    """Returns the kind of kernel that a tree seems to have; building it will show what is wrong."""
    return "cow6" if (tree / "kernel" / "vm").is_dir() or is_bare_kernel(tree) else "xv6"


def is_bare_kernel(folder: Path) -> bool:
    """Tells whether a folder is not a tree, but the kernel/ of one, whatever its name."""
    if has_sources(folder / "kernel"):
        return False
    return all(has_sources(folder / layer) for layer in BARE_LAYERS)


def subfolders(folder: Path) -> list[Path]:
    """Returns the folders in a folder that are worth looking into."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        culprit = blame(error, "the submission cannot be read")
        if isinstance(culprit, InfraError):
            raise culprit from None
        return []
    return [folder / name for name in sorted(names) if not is_litter(name)]


def readable_names(folder: Path) -> list[str]:
    """Returns what is in a folder; nothing if that cannot be read."""
    try:
        return os.listdir(folder)
    except PermissionError:
        return []


def has_sources(folder: Path) -> bool:
    """Tells whether a folder, not reached through a link, has a source at most two levels down."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    places = [folder, *subfolders(folder)]
    names = [name for place in places for name in readable_names(place)]
    return any(name.endswith(SOURCE_KINDS) and not is_litter(name) for name in names)


def collect(
    tree: Path, to: Path, allowed: Sequence[str], required: Sequence[str] = (),
    sizes: Sizes = Sizes()
) -> Collected:
    """Copies the files of the tree that one of the allowed globs matches to the folder `to`.

    In a glob, * and ? match within a name and **/ any number of folders. If the tree is kernel/
    alone, its files get their names below kernel/. SubmissionError if an allowed file is a link or
    too large, or a required one is missing.
    """
    patterns = [glob_pattern(glob) for glob in allowed]
    prefix = "kernel/" if is_bare_kernel(tree) else ""
    collected = Collected(to)
    total = 0
    for name, kept_out in walk(tree, patterns, prefix):
        path = tree / name[len(prefix):]
        if kept_out:
            if len(collected.ignored) < IGNORED_TOLD:
                collected.ignored.append(display_name(name))
            continue
        if is_copy(path):
            collected.copies.append(display_name(name))
            continue
        data = read_plain(path, name, sizes.file_bytes)
        total += len(data)
        if total > sizes.total_bytes or len(collected.files) >= sizes.files:
            raise SubmissionError(
                f"the submission is too large: at most {sizes.files} files with "
                f"{sizes.total_bytes >> 10} KiB in all are allowed"
            )
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes(plain_text(data))
        collected.files.append(name)
    for name in required:
        if not (to / name).is_file():
            raise SubmissionError(f"the submission has no {name}")
    leave_constants(collected)
    return collected


def leave_constants(collected: Collected) -> None:
    """Leaves constants in the collected files to the build."""
    texts: dict[Path, str] = {}
    for name in collected.files:
        path = collected.root / name
        texts[path] = join_lines(path.read_text(encoding="utf-8", errors="surrogateescape"))
    collected.prefix = choose_prefix(texts)
    for path, text in texts.items():
        adapted = adapt(text, collected.prefix, CONSTANTS)
        if adapted != text:
            path.write_text(adapted, encoding="utf-8", errors="surrogateescape")


def limiting_macros(prefix: str) -> list[str]:
    """Returns the compiler's options that give a meaning to the macros in collected files."""
    return [limiting_macro(prefix, name, bounds) for name, bounds in CONSTANTS.items()]


def is_copy(path: Path) -> bool:
    """Recognises a copy made by a file manager: cow (1).c, cow - Copy.c or Copy of cow.c beside
    cow.c. No source can have such a name.
    """
    if not NO_SOURCE.search(path.name):
        return False
    words = NO_SOURCE.split(path.stem)
    return any(word and path.with_name(word + path.suffix).is_file() for word in words)


def glob_pattern(glob: str) -> Pattern[str]:
    """Returns a pattern for the paths that a glob matches."""
    pieces = {"**/": r"(?:[^/]+/)*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile(
        "".join(pieces.get(part) or re.escape(part) for part in re.split(r"(\*\*/|\*|\?)", glob))
    )


def walk(
    tree: Path, patterns: Sequence[Pattern[str]], prefix: str = ""
) -> Iterator[tuple[str, bool]]:
    """Yields each file or link, in order, its path after the prefix, with whether it is left out. A
    folder of which all is left out comes once, with a /."""
    names = [0]

    def look(folder: str) -> tuple[list[tuple[str, bool]], bool]:
        found: list[tuple[str, bool]] = []
        any_taken = False
        for entry in sorted(os.scandir(tree / folder[len(prefix):]), key=lambda entry: entry.name):
            name = f"{folder}{entry.name}"
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_litter(entry.name):
                found.append((name + "/" * is_folder, True))
                continue
            names[0] += 1
            if names[0] > WALK_MAX:
                raise SubmissionError(f"the submission has more than {WALK_MAX} files")
            if is_folder:
                below, taken = look(name + "/") if name.count("/") <= 50 else ([], False)
                found += below if taken else [(name + "/", True)]
            else:
                taken = any(pattern.fullmatch(name) for pattern in patterns)
                found.append((name, not taken))
            any_taken = any_taken or taken
        return found, any_taken

    try:
        yield from look(prefix)[0]
    except OSError as error:
        raise blame(error, "the submission cannot be read") from None
