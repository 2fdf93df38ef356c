"""A command with its descendants: how to end them, what they keep in open files, and whether they
still do anything."""
from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from typing import Deque

from usage import Usage, lives, process_tree

END_SECONDS = 5.0
STEP_SECONDS = 2.0  # at most so much sleep counts between two looks: the host may have stalled
IDLE_SHARE = 0.1  # of a processor: less is idle


class Process(subprocess.Popen):
    """A command started by a sandbox; kill() ends it and its descendants, end() returns when they
    are gone."""

    def kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            super().kill()

    def end(self) -> None:
        """Kills and waits; in a sandbox the descendants die just after the command itself."""
        tree = process_tree(self.pid)[1:] if self.returncode is None else []
        self.kill()
        self.wait()
        deadline = time.monotonic() + END_SECONDS
        while any(lives(pid) for pid in tree) and time.monotonic() < deadline:
            time.sleep(0.001)


@dataclass
class Held:
    """Bytes in open files that have no name: in memory, on disk."""

    memory: int = 0
    disk: int = 0


def held_bytes(pid: int) -> Held:
    """Adds up what a process and its descendants keep in open files without a name, which neither
    the limit on memory nor a look at folders counts."""
    files: dict[tuple[int, int], tuple[bool, int]] = {}
    for process in process_tree(pid):
        try:
            names = os.listdir(f"/proc/{process}/fd")
        except OSError:
            continue
        for name in names:
            try:
                state = os.stat(f"/proc/{process}/fd/{name}")
                if state.st_nlink == 0 and stat.S_ISREG(state.st_mode):
                    in_memory = os.readlink(f"/proc/{process}/fd/{name}").startswith("/memfd:")
                    files[state.st_dev, state.st_ino] = in_memory, state.st_blocks * 512
            except OSError:
                continue
    memory = sum(size for in_memory, size in files.values() if in_memory)
    return Held(memory, sum(size for _, size in files.values()) - memory)


class Idleness:
    """Finds out, from looks at a tree of processes, whether it does nothing any more.

    Waiting for a processor or a disk is not idleness, so a busy host makes nothing idle.
    """

    def __init__(self) -> None:
        self.slept = 0.0  # seconds in all in which nothing was done
        self._last = Usage()
        self._active = 0.0  # seconds, of all processes
        self._samples: Deque[tuple[float, float]] = deque()  # time, and the activity until then

    def forget(self) -> None:
        """Starts over."""
        self._samples.clear()

    def lasts(self, now: float, usage: Usage, seconds: float) -> bool:
        """Adds what the tree uses now, and says whether it has been idle for so many seconds."""
        # What a process or thread has used is no longer counted once it has ended.
        self._active += max(0.0, usage.cpu_seconds - self._last.cpu_seconds)
        self._active += max(0.0, usage.waiting_seconds - self._last.waiting_seconds)
        self._last = usage
        if usage.is_blocked:
            self.forget()
        if self._samples:
            last, active = self._samples[-1]
            slept = min(now - last, STEP_SECONDS) - (self._active - active)
            self.slept += max(0.0, slept)
        self._samples.append((now, self._active))
        while len(self._samples) > 2 and now - self._samples[1][0] >= seconds:
            self._samples.popleft()
        since, active = self._samples[0]
        return now - since >= seconds and self._active - active < IDLE_SHARE * (now - since)
