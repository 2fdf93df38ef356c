"""Runs programs that a submission can influence: in a sandbox, with limits, and all of them killed
at the end.

Inside, a command sees the system's directories read-only, an empty /tmp of limited size, and the
paths it was given; no network unless that is asked for, no other processes, no home directories.
rlimits hold per process. A watcher outside (watch.py) adds up CPU time, memory and processes, and a
filter refuses system calls that hold memory which no limit counts (syscalls.py). Writable paths are
best single files: their size is limited exactly, that of a folder only when the watcher looks.
bubblewrap makes the walls (walls.py). Where it cannot, a reduced sandbox has those protections that
the kernel gives without it (confinement.py); and with no sandbox there are limits, but no walls.
"""
from __future__ import annotations

import copy
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Union

from grader.budget import BUILD_SECONDS, Budget
from grader.confinement import Confinement
from grader.errors import InfraError
from grader.processes import Process
from grader.view import View, Walls
from grader.walls import SYSTEM_FOLDERS, Bubblewrap, NoWalls
from grader.watch import Finished, Limits, Watch

Word = Union[str, Path]
Stream = Union[int, IO[bytes], None]

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
FULL, REDUCED, NONE = MODES = ("full", "reduced", "none")


def find_program(name: Word) -> Path:
    """Returns where a program is; InfraError if nowhere."""
    found = shutil.which(str(name))
    if found is None:
        raise InfraError(f"{name} was not found: run `make setup`")
    return Path(os.path.abspath(found))


def installation(path: Path) -> list[Path]:
    """Returns the folder to show so that a program outside the system's folders finds its parts."""
    folders = []
    for place in {path, path.resolve()}:
        prefix = place.parent.parent if place.parent.name in ("bin", "sbin") else place.parent
        if (
            not any(place.is_relative_to(folder) for folder in SYSTEM_FOLDERS)
            and prefix not in (Path("/"), Path.home())
        ):
            folders.append(prefix)
    return folders


def python_folders() -> list[Path]:
    """Returns the folders to show so that this Python runs in a sandbox."""
    prefixes = {sys.base_prefix, sys.prefix}
    return [Path(prefix) for prefix in sorted(prefixes) if not prefix.startswith("/usr")]


def find_walls(mode: str) -> Walls:
    """Returns the walls of a mode; InfraError if this machine cannot make them."""
    if mode == FULL:
        return Bubblewrap()
    if mode == NONE or not sys.platform.startswith("linux"):
        return NoWalls()
    try:
        return Bubblewrap()
    except InfraError:
        return Confinement()


class Sandbox:
    """Starts commands that see no network, no other processes, and no files but the system's and
    the given ones.

    Their time is taken from the budget, and no command gets more than is left of it. `full` is
    bubblewrap; `reduced` does without it if it must, with whatever else there is; `none` has limits
    only.
    """

    def __init__(self, mode: str = FULL) -> None:
        self.walls = find_walls(mode)
        self.budget = Budget(BUILD_SECONDS)
        self.proc = self.walls.proc  # whether commands have a /proc
        self.is_root = self.walls.is_root

    def with_budget(self, seconds: float) -> Sandbox:
        """Returns a sandbox like this one whose commands together have so much time."""
        other = copy.copy(self)
        other.budget = Budget(seconds)
        return other

    def run(
        self, command: Sequence[Word], *, cwd: Path, read: Sequence[Path] = (),
        write: Sequence[Path] = (), limits: Limits = Limits(),
        env: Mapping[str, str] | None = None, network: bool = False,
        places: Mapping[str, Path] | None = None, tmp: bool = True, as_root: bool = False,
    ) -> Finished:
        """Runs a command to its end; its output is stdout and stderr together, cut at the limit.

        `read` and `write` are files or folders, which it sees at their own paths; `places` are seen
        at other paths. `cwd` is one of these, in one of these, or /tmp. /tmp is writable only with
        `tmp`, since the memory of files in it is not counted. With `as_root`, if this is root, the
        command may read all that it sees, whoever owns it.
        """
        left = 1 + math.ceil(self.budget.left)
        limits = replace(limits, cpu_seconds=min(limits.cpu_seconds, left))
        wanted = View(cwd, read, write, limits, places or {}, network, tmp, as_root)
        with self.walls.prepare(wanted) as view:
            process = self._start(command, view, env, subprocess.PIPE, subprocess.STDOUT, ())
            folders = [path for path in view.write if path.is_dir()]
            try:
                done = Watch(process, limits, folders).finish()
            finally:
                process.end()
                assert process.stdout is not None
                process.stdout.close()
        self.budget.spend(done.cpu_seconds + (0 if network else done.slept_seconds))
        return done

    def popen(
        self, command: Sequence[Word], *, cwd: Path, read: Sequence[Path] = (),
        write: Sequence[Path] = (), limits: Limits = Limits(), stdout: Stream,
        stderr: Stream = subprocess.STDOUT, pass_fds: Sequence[int] = (),
    ) -> Process:
        """Starts a command. Its limits per process hold; wall time, output and sums over the tree
        are the caller's to watch."""
        view = View(cwd, read, write, limits, {}, tmp=False)
        return self._start(command, view, None, stdout, stderr, pass_fds)

    def _start(
        self, command: Sequence[Word], view: View, env: Mapping[str, str] | None, stdout: Stream,
        stderr: Stream, pass_fds: Sequence[int],
    ) -> Process:
        """Starts a command that sees this."""
        program = find_program(command[0])
        view = replace(view, read=[*view.read, *installation(program)])
        launch = self.walls.launch(view)
        variables = {
            "PATH": SYSTEM_PATH, "HOME": "/tmp", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8",
            **launch.env, **(env or {}),
        }
        try:
            return Process(
                [*launch.words, str(program), *map(str, command[1:])], cwd=launch.cwd,
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=variables,
                pass_fds=(*pass_fds, *launch.files), start_new_session=True,
            )
        except OSError as error:
            raise InfraError(f"{program.name} cannot be started: {error}") from None
        finally:
            for file in launch.files:
                os.close(file)

    def share(self, folder: Path) -> None:
        """Lets commands come to what they are given in this folder, which may be private to us."""
        self.walls.share(folder)
