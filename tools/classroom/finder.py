"""Finds what was handed in, in a folder as a course platform writes it.

Names may be anything, and so may the contents of a student's folder: no link is followed, nothing
is read, and all walks are bounded.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from classroom.names import (
    Label, archive_stem, is_archive, read_label, read_labels, repository_logins,
    without_common_words
)
from grader.display import display_name
from litter import is_litter

SOURCES = (".c", ".h", ".S", ".s")
ENTRIES_MAX, DEPTH_MAX = 20_000, 8  # of a student's folder
SECTIONS_DEPTH = 3
TOLD = 5  # names in a message


@dataclass(frozen=True)
class HandedIn:
    """One attempt of a student. `source` is what is graded: a path, a git URL, path@revision; ""
    with a `problem` if there is nothing to grade. `original` is the name that the platform gave.
    """

    login: str
    name: str = ""
    section: str = ""
    source: str = ""
    original: str = ""
    submitted: datetime | None = None
    is_late: bool = False
    number: int = 0
    problem: str = ""
    seed: int | None = None


@dataclass
class Found:
    """All attempts, and the names of what is nobody's."""

    attempts: list[HandedIn] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def find_submissions(folder: Path) -> Found:
    """Finds what is in a folder of submissions; OSError if it cannot be read."""
    found = Found()
    _add_level(_unwrap(folder), "", SECTIONS_DEPTH, found)
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Returns what is in a folder, without links, special files and litter."""
    with os.scandir(folder) as entries:
        kept = [
            entry for entry in entries
            if not is_nobodys(entry.name)
            and (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False))
        ]
    return sorted(kept, key=lambda entry: entry.name)


def is_nobodys(name: str) -> bool:
    """Tells whether an entry is litter. Students' names may begin with a dot, too, but with ._ the
    files of macOS do."""
    return is_litter(name) and (name.startswith("._") or read_label(name) is None)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _unwrap(folder: Path) -> Path:
    """Returns the folder, or the only one that it holds, where the submissions are."""
    for _ in range(DEPTH_MAX):
        entries = _entries(folder)
        only = entries[0] if len(entries) == 1 else None
        if only is None or not _is_folder(only) or read_label(only.name):
            break
        if not _is_section(Contents(Path(only.path))):
            break
        folder = Path(only.path)
    return folder


class Contents:
    """What a folder holds, at any depth: archives, sources, other files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archives: list[Path] = []
        self.others: list[str] = []
        self.has_sources = False
        self.is_tree = False  # the folder itself is a tree, or its folder kernel/
        self.problem = ""
        try:
            for number, (depth, entry) in enumerate(_walk(folder, 0)):
                if number == ENTRIES_MAX:
                    break
                self._add(depth, entry)
            kernel = folder / "kernel"
            self.is_tree |= self.has_sources and kernel.is_dir() and not kernel.is_symlink()
        except OSError as error:
            self.problem = f"the folder cannot be read: {error.strerror}"

    def _add(self, depth: int, entry: os.DirEntry[str]) -> None:
        if entry.name.endswith(SOURCES):
            self.has_sources = True
            self.is_tree |= depth == 0
        elif is_archive(entry.name):
            self.archives.append(Path(entry.path))
        else:
            self.others.append(entry.name)

    def choose(self) -> tuple[str, str]:
        """Returns what is to be graded, or "" and why nothing is."""
        if self.has_sources:
            return str(self.folder), ""
        if len(self.archives) == 1:
            return str(self.archives[0]), ""
        if self.problem:
            return "", self.problem
        if self.archives:
            return "", f"several archives were handed in ({names_of(self.archives)}): hand in one"
        if self.others:
            return "", f"no archive and no sources were handed in, only {names_of(self.others)}"
        return "", "the folder is empty: nothing was handed in"


def _walk(folder: Path, depth: int) -> Iterator[tuple[int, os.DirEntry[str]]]:
    """Yields the files below a folder with the depth at which they are."""
    for entry in _entries(folder):
        if not _is_folder(entry):
            yield depth, entry
        elif depth < DEPTH_MAX:
            yield from _walk(Path(entry.path), depth + 1)


def names_of(paths: list[Path] | list[str]) -> str:
    """Returns the first of the names, as they can stand in a sentence."""
    names = [display_name(os.path.basename(path)) for path in paths[:TOLD]]
    more = f" and {len(paths) - TOLD} more" if len(paths) > TOLD else ""
    return ", ".join(names) + more


def _add_level(folder: Path, section: str, depth: int, found: Found) -> None:
    """Adds what is in a folder in which each entry is a student's, or a section of the class."""
    plain, entries = [], _entries(folder)
    labels = read_labels([(entry.name, _is_folder(entry)) for entry in entries])
    for entry, label in zip(entries, labels):
        if label is None:
            plain.append(entry)
        elif not label.is_note:
            found.attempts.append(_labelled(entry, label, section))
        elif all(attempt.login != label.login for attempt in found.attempts):
            problem = "no file was handed in"
            found.attempts.append(
                HandedIn(label.login, label.name, section, problem=problem, number=-1)
            )
    _add_plain(plain, section, depth, found)


def _labelled(entry: os.DirEntry[str], label: Label, section: str) -> HandedIn:
    """Returns the attempt that a platform's name describes."""
    source, problem = entry.path, ""
    if _is_folder(entry):
        source, problem = Contents(Path(entry.path)).choose()
    elif not is_archive(label.rest):
        shown = display_name(label.rest)
        source, problem = "", f"{shown} is no archive: hand in a .zip or .tar.gz of your tree"
    # An archive counts before a lone file that was handed in with it.
    number = label.number if not problem else -1
    return HandedIn(
        label.login, label.name, section, source, entry.name, label.submitted, label.is_late,
        number, problem,
    )


def _add_plain(
    entries: list[os.DirEntry[str]], section: str, depth: int, found: Found
) -> None:
    """Adds folders and archives that are named as the students are, and looks into folders that
    are sections of the class."""
    folders = {entry.name: Contents(Path(entry.path)) for entry in entries if _is_folder(entry)}
    sections = [name for name, contents in folders.items() if _is_section(contents)]
    if depth == 0 or 2 * len(sections) <= len(folders):
        sections = []
    kept = [entry for entry in entries if entry.name in folders or is_archive(entry.name)]
    found.left_out += [entry.name for entry in entries if entry not in kept]
    for name in sections:
        place = f"{section}/{name}" if section else name
        _add_level(folders[name].folder, place, depth - 1, found)
    kept = [entry for entry in kept if entry.name not in sections]
    for entry, login in zip(kept, _logins(kept)):
        contents = folders.get(entry.name)
        source, problem = contents.choose() if contents else (entry.path, "")
        found.attempts.append(
            HandedIn(login, "", section, source, entry.name, problem=problem)
        )


def _is_section(contents: Contents) -> bool:
    """Tells whether a folder holds several students' submissions, not one student's."""
    if contents.is_tree or contents.problem:
        return False
    below = _entries(contents.folder)
    if any(read_label(entry.name) for entry in below):
        return True
    return sum(is_archive(entry.name) or _holds_submission(entry) for entry in below) > 1


def _holds_submission(entry: os.DirEntry[str]) -> bool:
    """Tells whether an entry is a folder with sources or archives in it."""
    contents = Contents(Path(entry.path)) if _is_folder(entry) else None
    return contents is not None and (contents.has_sources or bool(contents.archives))


def _logins(entries: list[os.DirEntry[str]]) -> list[str]:
    """Returns whose each of the entries is."""
    stems = [entry.name if _is_folder(entry) else archive_stem(entry.name) for entry in entries]
    logins = repository_logins(stems)
    clones = sum(os.path.isdir(os.path.join(entry.path, ".git")) for entry in entries)
    return without_common_words(logins) if 2 * clones > len(entries) else logins
