"""Limits that do not depend on how busy the host is: processor time, and real idleness."""
from __future__ import annotations

import re
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from command import Done, run
from usage import tree_usage

WALL_SECONDS = 4 * 3600.0  # ends a process that sleeps forever
IDLE_SHARE = 0.05  # of a processor: less is idle
STEP_SECONDS = 2.0  # at most this counts between two looks, in case this process did not run
SET_LIMIT = 'ulimit -t "$1" && shift && exec "$@"'


def run_limited(
    command: Sequence[str], cwd: Path, cpu_seconds: int, env: Mapping[str, str] | None = None
) -> Done:
    """Runs a command in which no process may use more processor time than this, or than this one
    may."""
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    cpu_seconds = cpu_seconds if most == resource.RLIM_INFINITY else min(cpu_seconds, most)
    words = ["/bin/sh", "-c", SET_LIMIT, "limit", str(cpu_seconds), *command]
    return run(words, cwd=cwd, env=env, seconds=WALL_SECONDS)


class Activity:
    """How much processor time a process has used, and how long it has been idle.

    It is not idle while a thread waits for a processor or for a disk. Where the system does not
    report that, idle times count a tenth.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.idle_seconds = 0.0
        self.cpu_seconds = 0.0
        self._looked = time.monotonic()
        self._active = 0.0  # seconds, of all threads

    def look(self) -> None:
        """Updates the numbers; must be called every second or so."""
        now = time.monotonic()
        if now - self._looked < STEP_SECONDS / 4:
            return
        span, self._looked = min(now - self._looked, STEP_SECONDS), now
        usage = tree_usage(self.pid)
        used = usage.cpu_seconds if usage.processes else seconds_of_ps(self.pid)
        self.cpu_seconds = max(self.cpu_seconds, used)
        before, self._active = self._active, self.cpu_seconds + usage.waiting_seconds
        if self._active - before >= IDLE_SHARE * span or usage.is_blocked:
            self.idle_seconds = 0.0
        else:
            self.idle_seconds += span if usage.tells_waits else span / 10


def seconds_of_ps(pid: int) -> float:
    """Asks ps how much processor time a process has used; returns 0 if it does not say."""
    said = run(["ps", "-o", "time=", "-p", str(pid)]).output.strip()
    if not re.fullmatch(r"(\d+-)?[\d:.]+", said):
        return 0.0
    days, _, rest = said.rpartition("-")
    parts = [float(part) for part in rest.split(":")]
    return int(days or 0) * 86400 + sum(part * 60**i for i, part in enumerate(reversed(parts)))
