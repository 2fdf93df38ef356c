"""Reads from the name of a file or folder whose it is, as course platforms write these names."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

# NAME_PARTICIPANT_assignsubmission_file_FILE; a folder ends after `file_`.
MOODLE = re.compile(
    r"(?P<name>.+)_(?P<login>\d+)_assignsubmission_(?P<plugin>file|onlinetext)_(?P<rest>.*)",
    re.DOTALL,
)
# lastfirst[_LATE]_USERID_FILEID_FILE; of the files of a student the last has the highest FILEID.
CANVAS = re.compile(
    r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<login>\d+)_(?P<number>\d+)_(?P<rest>.+)", re.DOTALL
)
# ASSIGNMENT_LOGIN_attempt_TIME[_FILE]; without FILE it is the platform's own note in a .txt file.
BLACKBOARD = re.compile(
    r".+_(?P<login>[^_]+)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<rest>.+)|\.txt)?", re.DOTALL
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


def read_label(name: str) -> Label | None:
    """Returns what a platform's name says; None if it is not one."""
    moodle = MOODLE.fullmatch(name)
    if moodle:
        is_note = moodle["plugin"] != "file"
        return Label(moodle["login"], moodle["name"], rest=moodle["rest"], is_note=is_note)
    blackboard = BLACKBOARD.fullmatch(name)
    if blackboard:
        submitted = read_time(blackboard["time"])
        rest = blackboard["rest"] or ""
        return Label(blackboard["login"], submitted=submitted, rest=rest, is_note=not rest)
    canvas = CANVAS.fullmatch(name)
    if canvas:
        late, number = canvas["late"] is not None, int(canvas["number"][:30])
        return Label(canvas["login"], canvas["name"], None, late, number, canvas["rest"])
    return None


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
