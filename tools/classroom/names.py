"""Reads from the name of a file or folder whose it is, as course platforms write these names."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Optional

# A student chooses the end of a file's name, and could put there what means another student. So the
# first place that says whose a file is counts. A folder's name ends with what the platform wrote.
# NAME_PARTICIPANT_assignsubmission_file_FILE; a folder ends after `file_`.
_MOODLE = r"_(?P<login>\d+)_assignsubmission_(?P<plugin>file|onlinetext)_"
MOODLE_FILE = re.compile(f"(?P<name>.+?){_MOODLE}(?P<rest>.*)", re.DOTALL)
MOODLE_FOLDER = re.compile(f"(?P<name>.+){_MOODLE}(?P<rest>)", re.DOTALL)
# lastfirst[_LATE]_USERID_FILEID_FILE; of the files of a student the last has the highest FILEID.
CANVAS = re.compile(
    r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<login>\d+)_(?P<number>\d+)_(?P<rest>.+)", re.DOTALL
)
# ASSIGNMENT_LOGIN_attempt_TIME[_FILE]; without FILE it is the platform's own note in a .txt file.
BLACKBOARD = re.compile(
    r"(?P<head>.+?_(?P<login>[^_]+))_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<rest>.+)|\.txt)?",
    re.DOTALL,
)
# What GitHub adds to the name of a repository when it makes an archive.
GITHUB = re.compile(r"(?P<rest>.+)-(?:main|master|[0-9a-f]{7}|[0-9a-f]{40})", re.DOTALL)
ARCHIVE = re.compile(
    r"(?P<stem>.+?)\.(?:zip|tar(?:\.(?:gz|bz2|xz))?|tgz|tbz2?|txz|gz|bz2|xz|rar|7z)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Label:
    """What a name says: whose the file is, when it was handed in (in local time), whether the
    platform calls it late, its place among the student's files, and the name of the file itself."""

    login: str
    name: str = ""
    submitted: datetime | None = None
    is_late: bool = False
    number: int = 0
    rest: str = ""  # "" for a folder of a student's
    is_note: bool = False  # the platform's own, not the student's
    head: str = field(default="", compare=False)  # what ends with the login, if a login may have _


def read_labels(names: Sequence[tuple[str, bool]]) -> list[Label | None]:
    """Returns what the names in a folder say, each given with whether it is a folder's; None where
    it is no platform's. What most of them look like, all are that can be."""
    def number(reader: Reader) -> int:
        return sum(reader(*name) is not None for name in names)

    readers = sorted(READERS, key=number, reverse=True)
    labels = [read_label(*name, readers) for name in names]
    heads: dict[str, set[str]] = {}
    for label in filter(None, labels):
        heads.setdefault(label.login, set()).add(label.head)
    return [
        replace(label, login=label.head) if label and label.head and len(heads[label.login]) > 1
        else label for label in labels
    ]


def read_label(
    name: str, is_folder: bool = False, readers: Sequence[Reader] | None = None
) -> Label | None:
    """Returns what a platform's name says; None if it is not one."""
    labels = (reader(name, is_folder) for reader in readers or READERS)
    return next((label for label in labels if label is not None), None)


def _read_moodle(name: str, is_folder: bool) -> Label | None:
    found = MOODLE_FOLDER.fullmatch(name) if is_folder else None
    found = found or MOODLE_FILE.fullmatch(name)
    if found is None:
        return None
    is_note = found["plugin"] != "file"
    return Label(found["login"], found["name"], rest=found["rest"], is_note=is_note)


def _read_blackboard(name: str, _: bool) -> Label | None:
    found = BLACKBOARD.fullmatch(name)
    if found is None:
        return None
    rest = found["rest"] or ""
    time = read_time(found["time"])
    return Label(
        found["login"], submitted=time, rest=rest, is_note=not rest, head=found["head"]
    )


def _read_canvas(name: str, _: bool) -> Label | None:
    found = CANVAS.fullmatch(name)
    if found is None:
        return None
    late, number = found["late"] is not None, int(found["number"][:30])
    return Label(found["login"], found["name"], None, late, number, found["rest"])


Reader = Callable[[str, bool], Optional[Label]]
READERS: tuple[Reader, ...] = (_read_moodle, _read_blackboard, _read_canvas)


def read_time(text: str) -> datetime | None:
    """Returns the time in a name of Blackboard's; None if there is no such time."""
    try:
        return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S")
    except ValueError:
        return None


def is_archive(name: str) -> bool:
    """Tells whether a file is meant as an archive, readable or not."""
    return ARCHIVE.fullmatch(name) is not None


def archive_stem(name: str) -> str:
    """Returns the name without the suffix of an archive."""
    match = ARCHIVE.fullmatch(name)
    return match["stem"] if match else name


def repository_logins(names: Sequence[str]) -> list[str]:
    """Returns whose each of the repositories or their archives is.

    GitHub names them cow-LOGIN, cow-LOGIN-main or OWNER-cow-1a2b3c4: what all have in common says
    nothing, if most of them look like that.
    """
    matches = [GITHUB.fullmatch(name) for name in names]
    if 2 * sum(match is not None for match in matches) <= len(names):
        return list(names)
    return without_common_words([m["rest"] if m else name for m, name in zip(matches, names)])


def without_common_words(names: Sequence[str]) -> list[str]:
    """Returns the names without the words, between hyphens, that all of them begin or end with."""
    words = [name.split("-") for name in names]
    for end in (0, -1):
        while len(words) > 1 and all(len(each) > 1 for each in words) and (
            len({each[end] for each in words}) == 1
        ):
            for each in words:
                del each[end]
    return ["-".join(each) for each in words]
