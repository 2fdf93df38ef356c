"""A sandbox without bubblewrap, for containers in which it cannot work: another user, Landlock, a
filter of system calls and limits, as far as the kernel gives them.

Each command is started by confine.py. A command sees the files that it may read or write at their
own paths, and a folder of its own stands for /tmp. If this is root, commands run as a user of their
own, to whom the files that they write are handed over meanwhile.
"""
from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from command import run
from grader import confine
from grader.errors import InfraError
from grader.folders import remove
from grader.ownership import DAC_READ_SEARCH, User
from grader.protections import (
    CALLS, END, FILES, LIMITS, NETWORK, PROCESSES, USER, Protections
)
from grader.view import OPEN_FILES, TMP, Launch, View
from grader.walls import NETWORK_FILES, NO_FILTER, SYSTEM_FILES, SYSTEM_FOLDERS, WATCHED, Filters
from grader.watch import Limits

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
STEPS = ("user", "landlock", "seccomp")  # which may be left out if the system refuses them
NO_LANDLOCK = "the kernel has no Landlock"
SAME_USER = "the grader is not root, so commands run as the same user"


class Confinement:
    """What a kernel gives without bubblewrap. InfraError if commands cannot be started so."""

    keeps_owner = False

    def __init__(self) -> None:
        self.user = User.find()
        self.landlock = confine.landlock_version()
        self._filters = self._make_filters()
        self.proc = os.path.isdir("/proc/self/fd")
        self.refused: dict[str, str] = {}
        self._try()
        # Only Landlock holds back a command that may read all files by a right to write them, too.
        can_read = self.user is not None and (self.landlock or self.user.reader == DAC_READ_SEARCH)
        self.is_root = bool(can_read)
        self.protections = self._protections()
        if self.user is None:
            hide_from_own_user()

    def _try(self) -> None:
        """Starts a command; leaves out what the system refuses."""
        while True:
            view = View(Path("/"), [], [], Limits(), {})
            done = run([*self.launch(view).words, "/bin/sh", "-c", ":"], cwd=Path("/"))
            step, _, reason = done.output.strip().rpartition("confine: ")[2].partition(": ")
            if done.succeeded:
                return
            if step not in STEPS or step in self.refused:
                raise InfraError(f"no sandbox can be made here: {done.output.strip()}")
            self.refused[step] = f"the system refuses it ({reason})"
            self.user = None if step == "user" else self.user
            self.landlock = 0 if step == "landlock" else self.landlock
            self._filters = self._make_filters()

    def _make_filters(self) -> Filters:
        """Returns filters of system calls. They refuse signals where these would reach whatever has
        the same user."""
        holds_back = self.user is not None or self.landlock >= confine.SCOPE_VERSION
        return Filters(walls=False, signals=holds_back)

    def _protections(self) -> Protections:
        """Returns what is in force here."""
        has_filter = bool(self._filters.means) and "seccomp" not in self.refused
        landlock = f"Landlock {self.landlock}" if self.landlock else ""
        user = "a user of its own" if self.user else ""
        no_landlock = self.refused.get("landlock", NO_LANDLOCK)
        no_filter = self.refused.get("seccomp", NO_FILTER)
        calls = "seccomp" if has_filter else ""
        known = Protections({LIMITS: WATCHED}, {})
        known = known.adding(FILES, landlock, no_landlock)
        known = known.adding(NETWORK, calls, no_filter)
        known = known.adding(
            PROCESSES, landlock if user or calls else "", no_filter if landlock else no_landlock
        )
        known = known.adding(USER, user, self.refused.get("user", SAME_USER))
        known = known.adding(CALLS, calls, no_filter)
        return known.adding(END, calls and "a process group that none can leave", no_filter)

    @contextmanager
    def prepare(self, view: View) -> Iterator[View]:
        """Makes a folder that stands for /tmp; takes back afterwards what was handed over."""
        write = list(view.write)
        folder = Path(tempfile.mkdtemp(prefix="grade-tmp-")) if view.tmp else None
        try:
            yield replace(view, write=[*write, folder], own_tmp=folder) if folder else view
        finally:
            if folder is not None:
                remove_tmp(folder)
            if self.user is not None:
                self.user.take_back(*write)

    def launch(self, view: View) -> Launch:
        """Returns the command line of a program that gives up what the command does not need."""
        words = [sys.executable, "-I", "-S", "-B", confine.__file__, "--parent", str(os.getpid())]
        if self.user is not None:
            capability = self.user.reader if view.as_root else None
            self.user.give(*view.write)
            if not view.as_root:
                self.user.show(*view.read)
                self.user.need(*view.read, *view.write)
            numbers = (self.user.number, self.user.number, "" if capability is None else capability)
            words += ["--user", ":".join(map(str, numbers))]
        own_tmp = [str(view.own_tmp)] if view.own_tmp else []
        cwd = own_tmp[0] if own_tmp and view.cwd == TMP else os.path.abspath(view.cwd)
        words += ["--cwd", cwd, *self._limits(view.limits)]
        words += self._landlock(view) if self.landlock else []
        program = b"" if "seccomp" in self.refused else self._filters.of(view)
        words += ["--filter", program.hex()] if program else []
        folders = dict.fromkeys(("HOME", "TMPDIR"), own_tmp[0]) if own_tmp else {}
        return Launch([*words, "--"], env=folders)

    def _limits(self, limits: Limits) -> list[str]:
        """Returns the options that limit one process."""
        numbers = {
            "CORE": 0, "CPU": limits.cpu_seconds, "FSIZE": limits.file_bytes, "NOFILE": OPEN_FILES,
            "AS": limits.memory_bytes,
        }
        if self.user is not None:  # for another user it would count all processes
            numbers["NPROC"] = 2 * (limits.processes + limits.threads)
        return [word for name in numbers for word in ("--limit", f"{name}={numbers[name]}")]

    def _landlock(self, view: View) -> list[str]:
        """Returns the options that leave a command only certain files."""
        system = [*SYSTEM_FOLDERS, *SYSTEM_FILES, *(NETWORK_FILES if view.network else ())]
        words = ["--landlock", str(self.landlock), *(["--network", ""] if view.network else [])]
        read = [*existing([*system, *view.places]), *(os.path.abspath(path) for path in view.read)]
        write = [*existing(DEVICES), *(os.path.abspath(path) for path in view.write)]
        words += [word for path in read for word in ("--read", path)]
        return words + [word for path in write for word in ("--write", path)]

    def share(self, folder: Path) -> None:
        """Lets commands come to what they are given in a folder that is private to us."""
        if self.user is not None:
            self.user.share(folder)


def remove_tmp(folder: Path) -> None:
    """Removes a folder; most are empty."""
    try:
        folder.rmdir()
    except OSError:
        remove(folder)


def existing(paths: Sequence[str]) -> list[str]:
    """Returns those of the paths that exist."""
    return [path for path in paths if os.path.exists(path)]


def hide_from_own_user() -> None:
    """Keeps processes of the same user from looking into this one, as far as the system can."""
    try:
        confine.prctl(confine.PR_SET_DUMPABLE, 0)
    except (OSError, AttributeError):
        return
