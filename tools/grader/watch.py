"""The limits of a sandboxed command, and the watcher that enforces them for all its processes
together.

rlimits hold for each process alone, and the limit on processes does not apply to root.
"""
from __future__ import annotations

import os
import re
import selectors
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.processes import Idleness, Process, held_bytes
from grader.syscalls import PROGRAMS
from usage import tree_usage

FIRST_LOOK_SECONDS = 0.02
FOLDER_FILES = 100_000  # in all folders that a command may write
LOOK_SECONDS = 0.2  # between looks at a tree of processes
OVERLOAD = 10  # times its limit of time a command may take if it waits for a processor or a disk
KILLED_STATUSES = (128 + signal.SIGKILL, 128 + signal.SIGXCPU)
# What shells and compilers print about a program that they started.
KILLED = re.compile(r"\bKilled\b|CPU time limit exceeded")
FILE_TOO_LARGE = re.compile(r"File size limit exceeded|File too large")
NO_MEMORY = re.compile(
    r"out of memory|memory exhausted|cannot allocate memory|bad_alloc|MemoryError", re.IGNORECASE
)


@dataclass(frozen=True)
class Limits:
    """What a sandboxed command may use: CPU, memory, processes and disk count for it and its
    descendants together.

    `idle_seconds` is how long it may do nothing. In all it may take as long as both together, and
    OVERLOAD times as long if the system tells that it waits. /tmp has a limit of its own.
    """

    cpu_seconds: int = 60
    memory_bytes: int = 2 << 30
    file_bytes: int = 256 << 20
    processes: int = 64
    threads: int = 512  # of all processes
    # What it may start, programs, threads or nothing: a fork bomb is faster than the watcher.
    starts: str = PROGRAMS
    output_bytes: int = 1 << 20
    idle_seconds: float = 30.0
    disk_bytes: int = 1 << 30  # in all writable folders


@dataclass
class Finished:
    """How a command ended; `ended_by` is "" if it ended by itself, else cpu, memory, processes,
    file, disk, output, idle, wall or signal."""

    status: int
    output: str
    ended_by: str
    cpu_seconds: float = 0.0
    slept_seconds: float = 0.0


def folder_size(folders: Sequence[Path], most_bytes: int) -> tuple[int, int]:
    """Returns the bytes and the number of all files below the folders, or as much as is too
    much."""
    total, files = 0, 0
    unseen = [str(folder) for folder in folders if folder.is_dir()]
    while unseen and total <= most_bytes and files <= FOLDER_FILES:
        try:
            with os.scandir(unseen.pop()) as entries:
                for entry in entries:
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        unseen.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total, files


class Watch:
    """Reads a process's output, and watches what it uses until it ends or must be killed."""

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
        """Waits for the process to end, or kills it at a limit."""
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
        """Reads what was printed; returns False if there is nothing more now."""
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
        """Decides whether a limit is reached that only the watcher enforces."""
        usage = tree_usage(self.process.pid)
        is_told = usage.processes > 0
        limits = self.limits
        most = (limits.cpu_seconds + limits.idle_seconds) * (OVERLOAD if is_told else 1)
        self.cpu_seconds = max(self.cpu_seconds, usage.cpu_seconds)
        held = held_bytes(self.process.pid)
        over = {
            "cpu": usage.cpu_seconds > limits.cpu_seconds,
            "memory": usage.memory_bytes + held.memory > limits.memory_bytes,
            "processes": usage.processes > limits.processes or usage.threads > limits.threads,
            "idle": is_told and self.idleness.lasts(now, usage, limits.idle_seconds),
            "wall": seconds > most,
            "disk": self._fills_disk(held.disk),
        }
        self.ended_by = self.ended_by or next(
            (name for name, reached in over.items() if reached), ""
        )

    def _fills_disk(self, held: int) -> bool:
        """Tells whether there is too much in the folders, or in files without a name."""
        if not self.folders:
            return False
        size, files = folder_size(self.folders, self.limits.disk_bytes)
        return size + held > self.limits.disk_bytes or files > FOLDER_FILES

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
        ended = os.WIFEXITED(status)
        self.process.returncode = os.WEXITSTATUS(status) if ended else -os.WTERMSIG(status)
        self.cpu_seconds = max(self.cpu_seconds, usage.ru_utime + usage.ru_stime)
        return True

    def _finished(self) -> Finished:
        """Says how it ended."""
        returned = self.process.returncode
        status = returned if returned >= 0 else 128 - returned
        text = self.output.decode(errors="replace")
        ended_by = self.ended_by
        if not ended_by and status != 0:
            if self.cpu_seconds >= self.limits.cpu_seconds / 2 and (
                status in KILLED_STATUSES or KILLED.search(text)
            ):
                ended_by = "cpu"
            elif FILE_TOO_LARGE.search(text) or status == 128 + signal.SIGXFSZ:
                ended_by = "file"
            elif NO_MEMORY.search(text):
                ended_by = "memory"
            elif status > 128:
                ended_by = "signal"
        return Finished(status, text, ended_by, self.cpu_seconds, self.idleness.slept)
