"""Fetches a submission from a git repository.

git runs in the sandbox, in a repository of its own, without hooks, filters, submodules, helpers or
questions. It sees nothing but the repository from which it fetches, and the network only if that is
on another machine.
"""
from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from grader.archives import Sizes
from grader.display import display, display_name
from grader.errors import InfraError, SubmissionError
from grader.folders import remove
from grader.plain import read_plain
from grader.sandbox import Sandbox, find_program
from grader.walls import NOBODY
from grader.watch import Finished, Limits

GIT_OPTIONS = {
    "core.hooksPath": os.devnull, "core.fsmonitor": "false", "credential.helper": "",
    "submodule.recurse": "false", "protocol.ext.allow": "never", "fetch.recurseSubmodules": "false",
    "gc.auto": "0", "maintenance.auto": "false",
}
GIT_PROTOCOLS = "https:http:ssh:git:file"
REVISION = re.compile(r"(?!-)[\w./~^@{}+-]{1,1000}")
EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
# What git says if the network or this machine is to blame, not the repository.
NETWORK = re.compile(
    r"resolve host|[Ff]ailed to connect|[Cc]onnection |timed? ?out|unreachable|SSL|certificate"
    r"|error: (?:401|403|429|5\d\d)|Permission denied|Authentication|could not read (?:User|Pass)"
    r"|Host key|No user exists|cannot run ssh|no end"
)
MACHINE = re.compile(
    r"No space left|[Qq]uota|Too many open files|Input/output error|Read-only file system"
)
OTHER_HASH = "mismatched algorithms"
TOO_MUCH = ("cpu", "memory", "file", "disk", "output", "processes")
LINK_BYTES = 4096
SSH_FOLDER = Path.home() / ".ssh"


@contextmanager
def fetch_repository(
    place: str, revision: str | None, work: Path, sandbox: Sandbox, sizes: Sizes
) -> Iterator[Path]:
    """Yields a tar archive of a revision (by default the newest of the default branch) of a
    repository, a URL or an absolute path."""
    with _fetched(place, revision, False, work, sandbox, sizes) as (git, name):
        archive = git.folder / "tree.tar"
        git.must(
            "-C", "repository", "archive", "--format=tar", f"--output={archive}",
            f"{name}^{{commit}}"
        )
        yield archive


@dataclass(frozen=True)
class Revision:
    """A commit, and when it was made: in seconds since 1970, as its author's machine had it."""

    commit: str
    seconds: int


def find_revision(
    place: str, revision: str | None, before: float | None, work: Path, sandbox: Sandbox,
    sizes: Sizes = Sizes(),
) -> Revision:
    """Returns the commit that a revision of a repository is (by default the newest of the default
    branch); with `before`, the newest one that leads to it from before that moment, if there is
    one. Errors as from fetch_repository."""
    has_history = before is not None
    with _fetched(place, revision, has_history, work, sandbox, sizes) as (git, name):
        newest = git.newest(name)
        if newest is None:
            raise SubmissionError(f"{git.shown} has no such commit")
        if before is not None and newest.seconds > before:
            return git.newest(f"--min-age={int(before)}", name) or newest
        return newest


@contextmanager
def _fetched(
    place: str, revision: str | None, history: bool, work: Path, sandbox: Sandbox, sizes: Sizes
) -> Iterator[tuple[_Git, str]]:
    """Fetches a revision; yields git in a repository that has it, and the revision's name there."""
    if revision is not None and not REVISION.fullmatch(revision):
        raise SubmissionError(f"{display_name(revision) or 'nothing'} cannot be a revision")
    folder = Path(tempfile.mkdtemp(prefix="git-", dir=work))
    sandbox.share(folder)
    try:
        git = _Git(place, folder.absolute(), sandbox, sizes)
        git.create()
        yield git, git.fetch(revision, history)
    finally:
        remove(folder)


class _Git:
    """Runs git in a folder of its own, without any configuration but ours."""

    def __init__(self, place: str, folder: Path, sandbox: Sandbox, sizes: Sizes) -> None:
        self.place, self.folder, self.sandbox = place, folder, sandbox
        self.shown = display_name(place)
        self.program = find_program("git")
        self.local = local_path(place)
        self.limits = Limits(
            cpu_seconds=30, memory_bytes=1 << 30, file_bytes=sizes.archive_bytes,
            idle_seconds=sizes.seconds, output_bytes=1 << 16,
        )
        shown = [self.local, *main_repository(self.local)] if self.local else [SSH_FOLDER]
        self.read = [path for path in shown if path.exists()]
        # ssh wants to know who it is.
        user = f"nobody:x:{NOBODY}:{NOBODY}::{Path.home()}:/bin/sh\n"
        (folder / "passwd").write_text(user, encoding="utf-8", errors="surrogateescape")
        settings = folder / "gitconfig"
        # A linked work tree belongs to a repository elsewhere, which must be trusted as well.
        trusted = {} if sandbox.walls.keeps_owner else {"safe.directory": "*"}
        options = {**GIT_OPTIONS, **trusted}
        text = "".join(setting(key, value) for key, value in options.items())
        settings.write_text(text, encoding="utf-8", errors="surrogateescape")
        self.environment: dict[str, str] = {
            "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": str(settings),
            "GIT_ALLOW_PROTOCOL": GIT_PROTOCOLS, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true",
            "SSH_ASKPASS": "true", "GIT_ATTR_NOSYSTEM": "1",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new",
        }

    def create(self, *options: str) -> None:
        """Makes the repository to fetch into, anew if there is one."""
        remove(self.folder / "repository")
        self.must("init", "--quiet", "--bare", "--template=", *options, "repository")

    def fetch(self, revision: str | None, history: bool = False) -> str:
        """Fetches a revision, without history if none is wanted and the other side allows that;
        returns its name here."""
        wanted = revision or "HEAD"
        depth = [] if history else ["--depth=1"]
        complaint = self._fetch(*depth, "--no-tags", self.place, wanted)
        if not complaint:
            return "FETCH_HEAD"
        if revision is not None:
            complaint = self._fetch(self.place, "HEAD", *EVERYTHING)
        if complaint:
            raise self.failure(complaint)
        known = not self.run("rev-parse", "--quiet", "--verify", f"{wanted}^{{commit}}")
        if known and not wanted.startswith("HEAD"):
            return wanted
        return wanted.replace("HEAD", "FETCH_HEAD", 1)

    def _fetch(self, *arguments: str) -> str:
        """Fetches, whatever hashes the other side uses; returns "" or git's complaint."""
        complaint = self.run("fetch", "--quiet", *arguments)
        if OTHER_HASH not in complaint:
            return complaint
        self.create("--object-format=sha256")
        return self.run("fetch", "--quiet", *arguments)

    def must(self, *arguments: str) -> None:
        """Runs git; SubmissionError or InfraError with its complaint if that fails."""
        complaint = self.run(*arguments, inside=False)
        if complaint:
            raise self.failure(complaint)

    def newest(self, *arguments: str) -> Revision | None:
        """Returns the newest commit that these arguments of git rev-list choose."""
        done = self._start("-C", "repository", "rev-list", "-1", "--timestamp", *arguments, "--")
        found = re.fullmatch(r"(\d{1,15}) ([0-9a-f]{40,64})\n", done.output)
        return Revision(found[2], int(found[1])) if found and done.status == 0 else None

    def _start(self, *command: str) -> Finished:
        """Runs git to its end."""
        return self.sandbox.run(
            [str(self.program), *command], cwd=self.folder, read=self.read, write=[self.folder],
            limits=self.limits, env=self.environment, network=self.local is None,
            places={"/etc/passwd": self.folder / "passwd"},
        )

    def run(self, *arguments: str, inside: bool = True) -> str:
        """Runs git, `inside` the repository; returns "" or its complaint."""
        done = self._start(*(["-C", "repository"] if inside else []), *arguments)
        if done.ended_by in TOO_MUCH:
            raise SubmissionError(
                f"git cannot fetch {self.shown}: that takes too much {done.ended_by}"
            )
        if done.ended_by in ("idle", "wall"):
            return "no end"
        lines = [display(line, lines=1) for line in done.output.splitlines() if line.strip()]
        return "" if done.status == 0 else " / ".join(lines[-5:]) or f"exit status {done.status}"

    def failure(self, complaint: str) -> Exception:
        """Returns the error for a repository that could not be fetched."""
        if MACHINE.search(complaint) or (self.local and "Permission denied" in complaint):
            return InfraError(f"git cannot fetch {self.shown}: {complaint}")
        if self.local is None and NETWORK.search(complaint):
            return InfraError(
                f"git cannot fetch {self.shown}; if the address is right try again later: "
                f"{complaint}"
            )
        return SubmissionError(f"git cannot fetch {self.shown}: {complaint}")


def local_path(place: str) -> Path | None:
    """Returns where a repository is, if it is on this machine."""
    if place.startswith("file://"):
        return Path(os.path.abspath(unquote(place[len("file://"):])))
    return Path(place) if place.startswith("/") else None


def main_repository(place: Path) -> list[Path]:
    """Returns the repository to which a linked work tree belongs, if the repository confirms it."""
    link = place / ".git"
    try:
        if not link.is_file():
            return []
        own = Path(beginning(link).partition("gitdir: ")[2].strip())
        if os.path.realpath(own) != str(own):  # through links it could lead to what is not its own
            return []
        main = own.parent.parent
        is_main = own.parent.name == "worktrees" and (main / "objects").is_dir()
        return [main] if is_main and beginning(own / "gitdir").strip() == str(link) else []
    except (SubmissionError, InfraError, OSError, ValueError):
        return []


def beginning(path: Path) -> str:
    """Returns the text of a small file, which a stranger made."""
    return read_plain(path, path.name, LINK_BYTES).decode("utf-8")


def setting(key: str, value: str) -> str:
    """Returns a setting as git's configuration file has it: protocol.ext.x is in `protocol
    "ext"`."""
    section, _, name = key.rpartition(".")
    first, _, second = section.partition(".")
    header = f'{first} "{second}"' if second else first
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'[{header}]\n\t{name} = "{quoted}"\n'
