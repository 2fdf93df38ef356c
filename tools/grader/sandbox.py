"""Runs programs that a submission can influence: bubblewrap, resource limits, everything killed at the end.

Inside, a command sees the system's directories read-only, an empty /tmp of limited size, and the paths it was given; no
network, no other processes, no home directories. rlimits hold per process; a watcher outside sums CPU time, memory and
processes over the whole tree, since the limit on processes does not bind root and no rlimit counts a tree. Writable
paths are best single files: their size is limited exactly, a folder's when the watcher looks. Without bubblewrap
(unsafe) the limits hold, the walls do not.
"""
from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, List, Mapping, Optional, Sequence, Union

from grader.errors import InfraError
from grader.processes import Idleness, lives, process_tree, tree_usage

Word = Union[str, Path]
Stream = Union[int, IO[bytes], None]

SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = ("/etc/alternatives", "/etc/ld.so.cache")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
TMP_BYTES = 256 << 20
NOBODY = "65534"
OPEN_FILES = 256
FIRST_LOOK_SECONDS = 0.02
END_SECONDS = 5.0
OVERLOAD = 10  # a command may take so many times its limit of time, if it waits for a processor or a disk
LOOK_SECONDS = 0.2  # between looks at a tree of processes
KILLED_STATUSES = (128 + signal.SIGKILL, 128 + signal.SIGXCPU)
KILLED = re.compile(r"\bKilled\b|CPU time limit exceeded")  # what shells and compilers say of a program they started
FILE_TOO_LARGE = re.compile(r"File size limit exceeded|File too large")
NO_MEMORY = re.compile(r"out of memory|memory exhausted|cannot allocate memory|bad_alloc|MemoryError", re.IGNORECASE)
# The limits are set by a shell, in the process that becomes the command:
# a fork of this one would not be safe in threads.
SET_LIMITS = (
    'ulimit -c 0 && ulimit -t "$1" && ulimit -f "$2" && ulimit -n "$3" && '
    '{ ulimit -v "$4" 2>/dev/null || :; } && shift 4 && exec "$@"'
)


@dataclass(frozen=True)
class Limits:
    """What a sandboxed command may use: CPU, memory, processes and disk count for it and its descendants together.

    `idle_seconds` is how long it may do nothing. All in all it may take as long as both together; OVERLOAD times as
    long where the system tells what it does.
    """

    cpu_seconds: int = 60
    memory_bytes: int = 2 << 30
    file_bytes: int = 256 << 20
    processes: int = 64
    output_bytes: int = 1 << 20
    idle_seconds: float = 30.0
    disk_bytes: int = 1 << 30  # in all writable folders


@dataclass
class Finished:
    """How a command ended;
    `ended_by` is "" if by itself, else cpu, memory, processes, file, disk, output, idle, wall or signal."""

    status: int
    output: str
    ended_by: str
    cpu_seconds: float = 0.0


def folder_bytes(paths: Sequence[Path]) -> int:
    """Returns the size of all files below the folders."""
    total, unseen = 0, [str(path) for path in paths if path.is_dir()]
    while unseen:
        try:
            with os.scandir(unseen.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        unseen.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total


def find_program(name: Word) -> Path:
    """Returns where a program is; InfraError if nowhere."""
    found = shutil.which(str(name))
    if found is None:
        raise InfraError(f"{name} was not found: run `make setup`")
    return Path(os.path.abspath(found))


def installation(path: Path) -> List[Path]:
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


class Process(subprocess.Popen):
    """A command started by a sandbox; kill() ends it and its descendants, end() returns when they are gone."""

    def kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            super().kill()

    def end(self) -> None:
        """Kills and waits; behind walls the descendants die just after the command itself."""
        tree = process_tree(self.pid)[1:] if self.returncode is None else []
        self.kill()
        self.wait()
        deadline = time.monotonic() + END_SECONDS
        while any(lives(pid) for pid in tree) and time.monotonic() < deadline:
            time.sleep(0.001)


class Sandbox:
    """Starts commands that see no network, no other processes and no files but the system's and the ones given."""

    def __init__(self, unsafe: bool = False) -> None:
        self.unsafe = unsafe
        self.proc = os.path.isdir("/proc/self/fd")  # whether commands have a /proc
        self._walls: List[str] = []
        if not unsafe:
            self._find_walls()

    def run(
        self, command: Sequence[Word], *, cwd: Path, read: Sequence[Path] = (), write: Sequence[Path] = (),
        limits: Limits = Limits(), env: Optional[Mapping[str, str]] = None,
    ) -> Finished:
        """Runs a command to its end; its output is stdout and stderr together, cut at the limit.

        `read` and `write` are files or folders, which it sees at their own paths;
        `cwd` is one of them, in one of them, or /tmp.
        """
        process = self.popen(command, cwd=cwd, read=read, write=write, limits=limits, stdout=subprocess.PIPE, env=env)
        try:
            return _Watch(process, limits, [path for path in write if path.is_dir()]).finish()
        finally:
            process.end()
            assert process.stdout is not None
            process.stdout.close()

    def popen(
        self, command: Sequence[Word], *, cwd: Path, read: Sequence[Path] = (), write: Sequence[Path] = (),
        limits: Limits = Limits(), stdout: Stream, stderr: Stream = subprocess.STDOUT,
        pass_fds: Sequence[int] = (), env: Optional[Mapping[str, str]] = None,
    ) -> Process:
        """Starts a command. Its limits per process hold;
        wall time, output and sums over the tree are the caller's to watch."""
        program = find_program(command[0])
        variables = {"PATH": SYSTEM_PATH, "HOME": "/tmp", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8", **(env or {})}
        numbers = [limits.cpu_seconds, limits.file_bytes // 512 + 1, OPEN_FILES, limits.memory_bytes // 1024]
        words = ["/bin/sh", "-c", SET_LIMITS, "limits", *map(str, numbers)]
        if self.unsafe:
            setpriv = shutil.which("setpriv")
            words += [setpriv, "--pdeathsig", "KILL"] if setpriv else []
            folder: Optional[Path] = cwd
        else:
            words += [
                *self._walls, *self._windows([*read, *installation(program)], write),
                "--chdir", os.path.abspath(cwd), "--",
            ]
            folder = None
        words += [str(program), *map(str, command[1:])]
        return Process(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=variables,
            pass_fds=tuple(pass_fds), start_new_session=True,
        )

    def _find_walls(self) -> None:
        """Finds out which of bubblewrap's options work here; InfraError if too few."""
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise InfraError(
                "bubblewrap (bwrap) was not found: run `make setup`, or use --unsafe to run submissions without walls"
            )
        full = walls(bwrap, proc=True, disable_userns=True)
        failure = ""
        for self.proc, disable_userns in ((True, True), (True, False), (False, False)):
            full = walls(bwrap, proc=self.proc, disable_userns=disable_userns)
            words = [*full, "--remount-ro", "/", "--", shutil.which("true") or "/bin/true"]
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
            )
            if done.returncode == 0:
                self._walls = full
                return
            failure = failure or done.stderr.strip()
        raise InfraError(
            f"bubblewrap cannot make a sandbox here ({failure}): allow unprivileged user namespaces, "
            "or use --unsafe to run submissions without walls"
        )

    def _windows(self, read: Sequence[Path], write: Sequence[Path]) -> List[str]:
        """Returns bubblewrap's options that show the given paths, outer folders first."""
        paths = [(os.path.abspath(path), "--ro-bind") for path in read]
        paths += [(os.path.abspath(path), "--bind") for path in write]
        words = []
        for path, option in sorted(paths):
            words += [option, path, path]
        return [*words, "--remount-ro", "/"]


def walls(bwrap: str, *, proc: bool, disable_userns: bool) -> List[str]:
    """Returns bubblewrap's command line up to the paths that a command is given."""
    words = [bwrap, "--unshare-all", "--unshare-user", "--uid", NOBODY, "--gid", NOBODY, "--hostname", "sandbox"]
    words += ["--die-with-parent", "--new-session"]
    words += ["--disable-userns"] if disable_userns else []
    for folder in SYSTEM_FOLDERS:
        if os.path.islink(folder):
            words += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            words += ["--ro-bind", folder, folder]
    for file in SYSTEM_FILES:
        words += ["--ro-bind-try", file, file]
    words += ["--proc", "/proc"] if proc else []
    return [*words, "--dev", "/dev", "--remount-ro", "/dev", "--size", str(TMP_BYTES), "--tmpfs", "/tmp"]


class _Watch:
    """Reads a process's output and looks at its use of resources until it ends or has to be ended."""

    def __init__(self, process: Process, limits: Limits, folders: Sequence[Path]) -> None:
        assert process.stdout is not None
        self.process, self.limits, self.folders = process, limits, folders
        self.stdout = process.stdout.fileno()
        self.output = bytearray()
        self.ended_by = ""
        self.cpu_seconds = 0.0
        self.idleness = Idleness()
        os.set_blocking(self.stdout, False)

    def finish(self) -> Finished:
        """Waits for the end, or brings it about."""
        started = time.monotonic()
        look, next_look = FIRST_LOOK_SECONDS, started + FIRST_LOOK_SECONDS
        selector = selectors.DefaultSelector()
        selector.register(self.stdout, selectors.EVENT_READ)
        open_output = True
        while not self._has_ended() and not self.ended_by:
            if open_output:
                if selector.select(max(0.0, next_look - time.monotonic())) and not self._read():
                    selector.unregister(self.stdout)
                    open_output = False
            else:
                time.sleep(min(0.005, look))
            now = time.monotonic()
            if now >= next_look:
                look = min(LOOK_SECONDS, look * 1.5)
                next_look = now + look
                self._look(now, now - started)
        selector.close()
        self.process.end()
        while self._read():
            pass
        return self._finished()

    def _read(self) -> bool:
        """Takes in what was printed; False if there is nothing more now."""
        try:
            data = os.read(self.stdout, 1 << 16)
        except BlockingIOError:
            return False
        room = self.limits.output_bytes - len(self.output)
        self.output += data[:max(0, room)]
        if len(data) > room:
            self.ended_by = self.ended_by or "output"
        return bool(data) and room > 0

    def _look(self, now: float, seconds: float) -> None:
        """Decides whether a limit is reached that only the watcher knows of."""
        usage = tree_usage(self.process.pid)
        is_told = usage.processes > 0
        most = (self.limits.cpu_seconds + self.limits.idle_seconds) * (OVERLOAD if is_told else 1)
        self.cpu_seconds = max(self.cpu_seconds, usage.cpu_seconds)
        over = {
            "cpu": usage.cpu_seconds > self.limits.cpu_seconds,
            "memory": usage.memory_bytes > self.limits.memory_bytes,
            "processes": usage.processes > self.limits.processes,
            "idle": is_told and self.idleness.lasts(now, usage, self.limits.idle_seconds),
            "wall": seconds > most,
            "disk": bool(self.folders) and folder_bytes(self.folders) > self.limits.disk_bytes,
        }
        self.ended_by = self.ended_by or next((name for name, reached in over.items() if reached), "")

    def _has_ended(self) -> bool:
        """Collects the process if it has ended, with the CPU time of all that it waited for."""
        if self.process.returncode is not None:
            return True
        try:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        except ChildProcessError:
            self.process.returncode = -signal.SIGKILL
            return True
        if pid == 0:
            return False
        self.process.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        self.cpu_seconds = max(self.cpu_seconds, usage.ru_utime + usage.ru_stime)
        return True

    def _finished(self) -> Finished:
        """Says how it ended."""
        returned = self.process.returncode
        status = returned if returned >= 0 else 128 - returned
        text = self.output.decode(errors="replace")
        ended_by = self.ended_by
        if not ended_by and status != 0:
            if self.cpu_seconds >= self.limits.cpu_seconds / 2 and (status in KILLED_STATUSES or KILLED.search(text)):
                ended_by = "cpu"
            elif FILE_TOO_LARGE.search(text) or status == 128 + signal.SIGXFSZ:
                ended_by = "file"
            elif NO_MEMORY.search(text):
                ended_by = "memory"
            elif status > 128:
                ended_by = "signal"
        return Finished(status, text, ended_by, self.cpu_seconds)
