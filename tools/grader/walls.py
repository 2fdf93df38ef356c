"""bubblewrap's command line: what a sandboxed command sees of the system."""
from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from command import run
from grader.errors import InfraError

SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = ("/etc/alternatives", "/etc/ld.so.cache")
NETWORK_FILES = (  # names of hosts, and certificates
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs",
    "/etc/ca-certificates", "/etc/pki", "/etc/ssh/ssh_known_hosts",
)
TMP_BYTES = 256 << 20
NOBODY = "65534"


def find_walls() -> tuple[list[str], bool]:
    """Finds out which of bubblewrap's options work here, and whether commands then have a /proc;
    InfraError if too few work."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise InfraError(
            "bubblewrap (bwrap) was not found: run `make setup`, "
            "or use --unsafe to run submissions without a sandbox"
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
        "or use --unsafe to run submissions without a sandbox"
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
