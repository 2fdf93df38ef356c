"""Runs programs that a submission can influence: in bubblewrap, with limits, and all of them killed
at the end.

Inside, a command sees the system's directories read-only, an empty /tmp of limited size, and the
paths it was given; no network unless that is asked for, no other processes, no home directories.
rlimits hold per process. A watcher outside (watch.py) adds up CPU time, memory and processes, and a
filter refuses system calls that hold memory which no limit counts (syscalls.py). Writable paths are
best single files: their size is limited exactly, that of a folder only when the watcher looks.
Without bubblewrap (unsafe) there are limits, but no walls.
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
from grader.errors import InfraError
from grader.processes import Process
from grader.syscalls import make_filter, open_filter
from grader.walls import (
    SYSTEM_FOLDERS, find_walls, make_root_walls, network_windows, windows
)
from grader.watch import Finished, Limits, Watch

Word = Union[str, Path]
Stream = Union[int, IO[bytes], None]

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
OPEN_FILES = 256
# A shell sets the limits, in the process that becomes the command: code of ours between fork and
# exec would not be safe, since this process has threads.
SET_LIMITS = (
    'ulimit -c 0 && ulimit -t "$1" && ulimit -f "$2" && ulimit -n "$3" && '
    '{ ulimit -v "$4" 2>/dev/null || :; } && shift 4 && exec "$@"'
)


def find_program(name: Word) -> Path:
    """Returns where a program is; InfraError if nowhere."""
    found = shutil.which(str(name))
    if found is None:
        raise InfraError(f"{name} was not found: run `make setup`")
    return Path(os.path.abspath(found))


def set_limits(limits: Limits) -> list[str]:
    """Returns the beginning of a command line: a shell that sets the limits of one process."""
    blocks, kilobytes = limits.file_bytes // 512 + 1, limits.memory_bytes // 1024
    numbers = [limits.cpu_seconds, blocks, OPEN_FILES, kilobytes]
    return ["/bin/sh", "-c", SET_LIMITS, "limits", *map(str, numbers)]


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


class Sandbox:
    """Starts commands that see no network, no other processes, and no files but the system's and
    the given ones.

    Their time is taken from the budget, and no command gets more than is left of it.
    """

    def __init__(self, unsafe: bool = False) -> None:
        self.unsafe = unsafe
        self.budget = Budget(BUILD_SECONDS)
        self.proc = os.path.isdir("/proc/self/fd")  # whether commands have a /proc
        self.is_root = not unsafe and os.geteuid() == 0
        self._walls: list[str] = []
        self._filters = {
            network: b"" if unsafe else make_filter(network=network) for network in (False, True)
        }
        self._single = b"" if unsafe else make_filter(forks=False)
        if not unsafe:
            self._walls, self.proc = find_walls()

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
        process = self.popen(
            command, cwd=cwd, read=read, write=write, limits=limits, stdout=subprocess.PIPE,
            env=env, network=network, places=places, tmp=tmp, as_root=as_root,
        )
        try:
            done = Watch(process, limits, [path for path in write if path.is_dir()]).finish()
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
        env: Mapping[str, str] | None = None, network: bool = False,
        places: Mapping[str, Path] | None = None, tmp: bool = True, as_root: bool = False,
    ) -> Process:
        """Starts a command. Its limits per process hold; wall time, output and sums over the tree
        are the caller's to watch."""
        program = find_program(command[0])
        variables = {
            "PATH": SYSTEM_PATH, "HOME": "/tmp", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8",
            **(env or {}),
        }
        words, files = set_limits(limits), list(pass_fds)
        if self.unsafe:
            setpriv = shutil.which("setpriv")
            words += [setpriv, "--pdeathsig", "KILL"] if setpriv else []
        else:
            words += make_root_walls(self._walls[0]) if as_root else self._walls
            words += network_windows() if network else []
            for place, path in (places or {}).items():
                words += ["--ro-bind", str(path), place]
            words += windows([*read, *installation(program)], write, tmp)
            files += open_filter(self._filters[network] if limits.forks else self._single)
            words += ["--seccomp", str(files[-1])] if len(files) > len(pass_fds) else []
            words += ["--chdir", os.path.abspath(cwd), "--"]
        words += [str(program), *map(str, command[1:])]
        try:
            return Process(
                words, cwd=cwd if self.unsafe else None, stdin=subprocess.DEVNULL, stdout=stdout,
                stderr=stderr, env=variables, pass_fds=tuple(files), start_new_session=True,
            )
        except OSError as error:
            raise InfraError(f"{program.name} cannot be started: {error}") from None
        finally:
            for file in files[len(pass_fds):]:
                os.close(file)
