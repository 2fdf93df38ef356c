"""bubblewrap's walls: what a command sees of the system. And no walls, only limits."""
from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from command import run
from grader.errors import InfraError
from grader.protections import (
    CALLS, END, FILES, LIMITS, NAMES, NETWORK, PROCESSES, USER, Protections
)
from grader.syscalls import Needs, make_filter, open_filter
from grader.view import OPEN_FILES, Launch, View
from grader.watch import Limits

# A shell sets the limits, in the process that becomes the command: code of ours between fork and
# exec would not be safe, since this process has threads.
SET_LIMITS = (
    'ulimit -c 0 && ulimit -t "$1" && ulimit -f "$2" && ulimit -n "$3" && '
    '{ ulimit -v "$4" 2>/dev/null || :; } && shift 4 && exec "$@"'
)
SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = ("/etc/alternatives", "/etc/ld.so.cache")
NETWORK_FILES = (  # names of hosts, and certificates
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs",
    "/etc/ca-certificates", "/etc/pki", "/etc/ssh/ssh_known_hosts",
)
TMP_BYTES = 256 << 20
NOBODY = "65534"
WATCHED = "rlimits, and a watcher"
NO_FILTER = "libseccomp was not found: run `make setup`"
HOW_TO_GO_ON = (
    "or use --sandbox reduced to grade with the protections that are there, or --unsafe to run "
    "submissions without a sandbox"
)


class Bubblewrap:
    """The walls that bubblewrap puts around a command. InfraError if it cannot do so here."""

    keeps_owner = True

    def __init__(self) -> None:
        self._walls, self.proc = find_walls()
        self.is_root = os.geteuid() == 0
        self._filters = Filters(walls=True)
        means = {name: "bubblewrap" for name in (FILES, NETWORK, PROCESSES, USER, END)}
        self.protections = Protections({**means, LIMITS: WATCHED}, {}).adding(
            CALLS, self._filters.means, NO_FILTER
        )

    @contextmanager
    def prepare(self, view: View) -> Iterator[View]:
        """Yields the view: bubblewrap makes all that is needed."""
        yield view

    def launch(self, view: View) -> Launch:
        """Returns the command line of a shell that sets the limits and becomes bubblewrap."""
        words = limits_words(view.limits)
        words += make_root_walls(self._walls[0]) if view.as_root else self._walls
        words += network_windows() if view.network else []
        for place, path in view.places.items():
            words += ["--ro-bind", str(path), place]
        words += windows(view.read, view.write, view.tmp)
        files = open_filter(self._filters.of(view))
        words += ["--seccomp", str(files[-1])] if files else []
        return Launch([*words, "--chdir", os.path.abspath(view.cwd), "--"], files)

    def share(self, folder: Path) -> None:
        """Does nothing: bubblewrap shows what is in private folders."""


class NoWalls:
    """Limits only."""

    proc = os.path.isdir("/proc/self/fd")
    is_root = False
    keeps_owner = False
    protections = Protections(
        {LIMITS: WATCHED}, {name: "there is no sandbox (--unsafe)" for name in NAMES}
    )

    @contextmanager
    def prepare(self, view: View) -> Iterator[View]:
        """Yields the view."""
        yield view

    def launch(self, view: View) -> Launch:
        """Returns the command line of a shell that sets the limits and becomes the command."""
        setpriv = shutil.which("setpriv")
        dying = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
        return Launch([*limits_words(view.limits), *dying], cwd=view.cwd)

    def share(self, folder: Path) -> None:
        """Does nothing: commands run as the same user."""


class Filters:
    """Filters of system calls, each made when it is needed first; empty without libseccomp."""

    def __init__(self, *, walls: bool, signals: bool = True) -> None:
        self.walls, self.signals = walls, signals
        self._made: dict[Needs, bytes] = {}
        self.means = "seccomp" if self._make(Needs()) else ""

    def of(self, view: View) -> bytes:
        """Returns the filter for a command."""
        limits = view.limits
        return self._make(Needs(
            view.network, limits.starts, self.walls, self.signals
        ))

    def _make(self, needs: Needs) -> bytes:
        if needs not in self._made:
            self._made[needs] = make_filter(needs)
        return self._made[needs]


def limits_words(limits: Limits) -> list[str]:
    """Returns the beginning of a command line: a shell that sets the limits of one process."""
    blocks, kilobytes = limits.file_bytes // 512 + 1, limits.memory_bytes // 1024
    numbers = [limits.cpu_seconds, blocks, OPEN_FILES, kilobytes]
    return ["/bin/sh", "-c", SET_LIMITS, "limits", *map(str, numbers)]


def find_walls() -> tuple[list[str], bool]:
    """Finds out which of bubblewrap's options work here, and whether commands then have a /proc;
    InfraError if too few work."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise InfraError(
            f"bubblewrap (bwrap) was not found: run `make setup`, {HOW_TO_GO_ON}"
        )
    failure = ""
    for proc, disable_userns in ((True, True), (True, False), (False, False)):
        full = make_walls(bwrap, proc=proc, disable_userns=disable_userns)
        words = [*full, "--remount-ro", "/", "--", shutil.which("true") or "/bin/true"]
        done = run(words)
        if done.succeeded:
            return full, proc
        failure = failure or done.output.strip()
    raise InfraError(
        f"bubblewrap cannot make a sandbox here ({failure}): allow unprivileged user namespaces, "
        f"{HOW_TO_GO_ON}"
    )


def make_walls(bwrap: str, *, proc: bool, disable_userns: bool) -> list[str]:
    """Returns bubblewrap's command line up to the paths that a command is given."""
    words = [bwrap, "--unshare-all", "--unshare-user", "--uid", NOBODY, "--gid", NOBODY]
    words += ["--disable-userns"] if disable_userns else []
    return [*words, *common_walls(proc)]


def common_walls(proc: bool) -> list[str]:
    """Returns what all commands see."""
    words = ["--hostname", "sandbox", "--die-with-parent", "--new-session"]
    for folder in SYSTEM_FOLDERS:
        if os.path.islink(folder):
            words += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            words += ["--ro-bind", folder, folder]
    for file in SYSTEM_FILES:
        words += ["--ro-bind-try", file, file]
    words += ["--proc", "/proc"] if proc else []
    return [
        *words, "--dev", "/dev", "--remount-ro", "/dev", "--size", str(TMP_BYTES), "--tmpfs", "/tmp"
    ]


def make_root_walls(bwrap: str) -> list[str]:
    """Returns the same for a command as root, which may read all that it sees, and nothing else."""
    words = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--cap-drop", "ALL", "--cap-add", "CAP_DAC_READ_SEARCH"]
    return [*words, *common_walls(proc=True)]


def network_windows() -> list[str]:
    """Returns bubblewrap's options for a command that needs the network."""
    words = ["--share-net"]
    for file in NETWORK_FILES:
        words += ["--ro-bind-try", file, file]
    return words


def windows(read: Sequence[Path], write: Sequence[Path], tmp: bool) -> list[str]:
    """Returns bubblewrap's options that show the given paths, outer folders first, and say whether
    /tmp may be written to."""
    paths = [(os.path.abspath(path), "--ro-bind") for path in read]
    paths += [(os.path.abspath(path), "--bind") for path in write]
    words = []
    for path, option in sorted(paths):
        words += [option, path, path]
    words += [] if tmp else ["--remount-ro", "/tmp"]
    return [*words, "--remount-ro", "/"]
