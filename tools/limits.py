"""Limits that do not depend on how busy the host is: processor time, and real idleness."""
from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from command import Done, run

WALL_SECONDS = 4 * 3600.0  # ends a process that sleeps forever
IDLE_SHARE = 0.05  # of a processor: less is idle
STEP_SECONDS = 2.0  # at most this counts between two looks, in case this process did not run
SET_LIMIT = 'ulimit -t "$1" && shift && exec "$@"'


def run_limited(
    command: Sequence[str], cwd: Path, cpu_seconds: int, env: Mapping[str, str] | None = None
) -> Done:
    """Runs a command in which no process may use more processor time than this."""
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
        self.cpu_seconds = max(self.cpu_seconds, self._used())
        waited = self._waited()
        before, self._active = self._active, self.cpu_seconds + max(waited, 0.0)
        if self._active - before >= IDLE_SHARE * span or self._blocked():
            self.idle_seconds = 0.0
        else:
            self.idle_seconds += span if waited >= 0 else span / 10

    def _used(self) -> float:
        """Returns the processor time used so far."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError):
            command = ["ps", "-o", "time=", "-p", str(self.pid)]
            said = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, check=False
            ).stdout.strip()
        if not re.fullmatch(r"(\d+-)?[\d:.]+", said):
            return 0.0
        days, _, rest = said.rpartition("-")
        parts = [float(part) for part in rest.split(":")]
        return int(days or 0) * 86400 + sum(part * 60**i for i, part in enumerate(reversed(parts)))

    def _waited(self) -> float:
        """Returns how long threads have waited for a processor; -1 if the system does not say."""
        waited = -1.0
        for file in Path(f"/proc/{self.pid}/task").glob("*/schedstat"):
            try:
                waited = max(waited, 0.0) + int(file.read_text().split()[1]) / 1e9
            except (OSError, IndexError, ValueError):  # the thread has ended
                continue
        return waited

    def _blocked(self) -> bool:
        """Tells whether a thread waits for a disk."""
        for file in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            try:
                if file.read_text().rpartition(")")[2].split()[0] == "D":
                    return True
            except (OSError, IndexError):
                continue
        return False
