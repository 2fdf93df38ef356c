"""What was handed in: fetched, unpacked, recognised, and reduced to what is graded.

Nothing of a submission is executed here, no link of it is followed, and it is read only in limited
children.
"""
from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from grader.archives import Sizes
from grader.display import display_name
from grader.errors import SubmissionError
from grader.folders import make_empty
from grader.reading import read_limited
from grader.repositories import fetch_repository
from grader.sandbox import Sandbox

URL = re.compile(
    r"(?P<url>(?:https?|ssh|git|file)://[^/]*/[^@]*|[\w.-]+@[\w.-]+:[^@]+)(?:@(?P<revision>.+))?",
    re.DOTALL
)
PATH_MAX = 4096  # letters of a path


@dataclass
class Collected:
    """The allowed files, relative to the folder they were copied to, and copies that were left out.

    In the files, macros with the prefix leave constants to the build.
    """

    root: Path
    files: list[str]
    copies: list[str]
    prefix: str


def bring(source: str, work: Path, kind: str | None, sandbox: Sandbox) -> tuple[Path, str]:
    """Brings a submission into the folder `work`; returns its tree and kind, which is recognised
    unless it is given.

    A directory is used where it is. SubmissionError names what is wrong with the submission.
    """
    folder, name = Path(os.path.abspath(source)), source
    if os.path.isdir(folder):
        if kind == "xv6":
            return folder, kind
    else:
        name = folder.name if os.path.isfile(folder) else source
        folder = fetch(source, work, sandbox)
    found = read_limited(
        "survey", {"folder": folder, "source": name, "kind": kind}, sandbox, read=[folder]
    )
    return Path(found["tree"]), found["kind"]


def fetch(source: str, work: Path, sandbox: Sandbox, sizes: Sizes = Sizes()) -> Path:
    """Unpacks an archive, a git URL or path@revision in the folder `work`; returns the folder with
    what was in it."""
    unpacked = make_empty(work / "unpacked")
    path = Path(os.path.abspath(source))
    if os.path.isfile(path):
        unpack(path, path.name, unpacked, sandbox, sizes)
        return unpacked
    match, split = URL.fullmatch(source), split_revision(source)
    if match:
        place, revision = match.group("url"), match.group("revision")
    elif split:
        place, revision = os.path.abspath(split[0]), split[1]
    else:
        name = display_name(source)
        raise SubmissionError(
            f"{name} is no directory, archive, git URL or git repository with @revision"
        )
    with fetch_repository(place, revision, work, sandbox, sizes) as archive:
        unpack(archive, place, unpacked, sandbox, sizes)
    return unpacked


def split_revision(source: str) -> tuple[str, str] | None:
    """Returns the folder and the revision in path@revision; None if there is no such folder. Both
    may have an @ themselves: of two folders, the one with the longer path is meant."""
    for found in reversed(list(re.finditer("@", source[:PATH_MAX]))):
        if os.path.isdir(source[:found.start()]):
            return source[:found.start()], source[found.end():]
    return None


def unpack(archive: Path, name: str, folder: Path, sandbox: Sandbox, sizes: Sizes) -> None:
    """Unpacks an archive into an empty folder; messages call it by the name."""
    arguments = {"archive": archive, "name": name, "folder": folder, "sizes": asdict(sizes)}
    read_limited("unpack", arguments, sandbox, read=[archive], write=[folder])


def collect(
    tree: Path, to: Path, allowed: Sequence[str], required: Sequence[str], sandbox: Sandbox,
    sizes: Sizes = Sizes(),
) -> Collected:
    """Copies the files of a cow6 tree that may be changed to the folder `to` (see cow6_tree.py)."""
    arguments = {
        "tree": tree, "to": make_empty(to), "allowed": list(allowed),
        "required": list(required), "sizes": asdict(sizes),
    }
    found = read_limited("collect", arguments, sandbox, read=[tree], write=[to])
    return Collected(to, found["files"], found["copies"], found["prefix"])
