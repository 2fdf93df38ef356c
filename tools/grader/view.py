"""What a command in a sandbox is to see and to use, and the command line that makes it so."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from grader.protections import Protections
from grader.watch import Limits

OPEN_FILES = 256
TMP = Path("/tmp")  # where a command sees a folder of its own


@dataclass(frozen=True)
class View:
    """The files and folders that a command may read and write, and what else it may do.

    `places` are paths of files that are seen at others; with `tmp`, /tmp is writable. `own_tmp` is
    the folder that stands for /tmp where that cannot be given a content of its own.
    """

    cwd: Path
    read: Sequence[Path]
    write: Sequence[Path]
    limits: Limits
    places: Mapping[str, Path]
    network: bool = False
    tmp: bool = True
    as_root: bool = False
    own_tmp: Path | None = None


@dataclass
class Launch:
    """How to start a command: the words before it, the files that these words expect to be open,
    the folder to start in, and variables."""

    words: list[str]
    files: list[int] = field(default_factory=list)
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)


class Walls(Protocol):
    """What is put around commands."""

    protections: Protections
    proc: bool  # whether commands have a /proc
    is_root: bool  # whether commands can be let read the files of all users
    keeps_owner: bool  # whether files seem to be the command's if they are ours

    def prepare(self, view: View) -> AbstractContextManager[View]:
        """Makes what a command needs, for as long as it runs; yields what it is to see then."""

    def launch(self, view: View) -> Launch:
        """Returns how to start a command."""

    def share(self, folder: Path) -> None:
        """Lets commands come to what they are given in a folder that is private to us."""
