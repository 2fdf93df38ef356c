"""Fetches a submission from a git repository: in one of its own without hooks, filters, submodules, helpers and
questions."""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Optional

from grader.archives import Sizes, printable, unpack
from grader.errors import InfraError, SubmissionError

GIT_OPTIONS = {
    "core.hooksPath": os.devnull, "core.fsmonitor": "false", "credential.helper": "", "submodule.recurse": "false",
    "safe.directory": "*", "protocol.ext.allow": "never", "fetch.recurseSubmodules": "false", "gc.auto": "0",
    "maintenance.auto": "false",
}
GIT_PROTOCOLS = "https:http:ssh:git:file"
OWN_FAULT = re.compile(r"couldn't find remote ref|signal 25|[Ff]ile too large|[Ff]ile size limit")


def unpack_git(place: str, revision: Optional[str], work: Path, folder: Path, sizes: Sizes) -> None:
    """Unpacks a revision (the default branch's newest if None) of a repository, a URL or an absolute path,
    into an empty folder."""
    if revision is not None and (revision.startswith("-") or not re.fullmatch(r"[\w./~^@{}+-]+", revision)):
        raise SubmissionError(f"{printable(revision)} cannot be a revision")
    wanted = revision or "HEAD"
    with tempfile.TemporaryDirectory(prefix="git-", dir=work) as temporary:
        git = _Git(Path(temporary), sizes)
        git.run("init", "--quiet", "--bare", "--template=", "repository")
        fetched = git.run("-C", "repository", "fetch", "--quiet", "--depth=1", "--no-tags", place, wanted, refuse=False)
        name = "FETCH_HEAD"
        if fetched:
            everything = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            if revision is not None:
                fetched = git.run("-C", "repository", "fetch", "--quiet", place, "HEAD", *everything, refuse=False)
            if fetched:
                raise _not_fetched(place, fetched)
            plain = not git.run(
                "-C", "repository", "rev-parse", "--quiet", "--verify", f"{wanted}^{{commit}}", refuse=False
            )
            name = (
                wanted if plain and wanted != "HEAD" and not wanted.startswith("HEAD")
                else wanted.replace("HEAD", "FETCH_HEAD", 1)
            )
        git.run("-C", "repository", "archive", "--format=tar", f"--output={temporary}/tree.tar", f"{name}^{{commit}}")
        unpack(Path(temporary, "tree.tar"), folder, sizes)


def _not_fetched(place: str, complaint: str) -> Exception:
    """Returns the error for a repository that was not to be had: from elsewhere that may be the network's fault, unless
    it is empty or too large."""
    if place.startswith(("/", "file:")) or OWN_FAULT.search(complaint):
        return SubmissionError(f"git cannot fetch {place}: {complaint}")
    return InfraError(f"git cannot fetch {place}; if the address is right try again later: {complaint}")


class _Git:
    """Runs git in a folder of its own, without any configuration but ours."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder, self.sizes = folder, sizes
        settings = folder / "gitconfig"
        sections = [key.rpartition(".") + (value,) for key, value in GIT_OPTIONS.items()]
        settings.write_text("".join(
            f'[{section_header(section)}]\n\t{key} = "{value}"\n' for section, _, key, value in sections
        ))
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": str(settings), "GIT_ALLOW_PROTOCOL": GIT_PROTOCOLS,
            "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new", "GIT_ATTR_NOSYSTEM": "1",
        }

    def run(self, *arguments: str, refuse: bool = True) -> str:
        """Runs git; returns "" or its complaint, which is raised as SubmissionError if `refuse`."""
        git = shutil.which("git")
        if git is None:
            raise InfraError("git was not found: run `make setup`")
        blocks = self.sizes.archive_bytes // 512 + 1
        command = ["/bin/sh", "-c", 'ulimit -f "$1" && shift && exec "$@"', "git", str(blocks), git, *arguments]
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
        )
        errors, complaint = b"", ""
        try:
            _, errors = process.communicate(timeout=self.sizes.seconds)
        except subprocess.TimeoutExpired:
            complaint = f"no end after {self.sizes.seconds:g} s"
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            process.wait()
        if process.returncode == 0:
            return ""
        lines = errors.decode(errors="replace").strip().splitlines()
        complaint = complaint or printable(" / ".join(lines[-3:])) or f"exit status {process.returncode}"
        if refuse:
            raise SubmissionError(f"git cannot fetch the submission: {complaint}")
        return complaint


def section_header(section: str) -> str:
    """Returns a section of git's configuration as its file has it: protocol.ext is `protocol "ext"`."""
    name, _, subsection = section.partition(".")
    return f'{name} "{subsection}"' if subsection else name
