"""What a command in a reduced sandbox tries: each deed must be refused. Runs inside the sandbox,
alone: it imports nothing of ours."""
from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

PTRACE_ATTACH, CLONE_NEWUSER, PR_SET_PDEATHSIG = 16, 0x10000000, 1
Deed = Callable[[], Any]


def must(result: int) -> None:
    """OSError if a function of the C library failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def inherited() -> None:
    """OSError if no file is open but the usual three."""
    for number in range(3, 256):
        try:
            os.fstat(number)
            return
        except OSError:
            continue
    raise OSError("none")


def make_and_remove(folder: str) -> None:
    """Makes a folder, if only for a moment."""
    os.mkdir(folder)
    os.rmdir(folder)


def file_deeds(folder: str) -> dict[str, Deed]:
    """Returns deeds against files of the grader and of another submission."""
    results = f"{folder}/results.json"
    return {
        "read the secret": lambda: open(f"{folder}/secret"),
        "read the results": lambda: open(results),
        "read another submission": lambda: open(f"{folder}/other/kernel.c"),
        "list the folder": lambda: os.listdir(folder),
        "make a file": lambda: open(f"{folder}/new", "w"),
        "make a file in /tmp": lambda: make_and_remove(f"/tmp/made-{os.getpid()}"),
        "write the results": lambda: open(results, "r+"),
        "truncate the results": lambda: os.truncate(results, 0),
        "truncate by opening": lambda: os.open(results, os.O_RDONLY | os.O_TRUNC),
        "remove another submission": lambda: os.unlink(f"{folder}/other/kernel.c"),
        "move the results": lambda: os.rename(results, "moved"),
        "link the secret": lambda: os.link(f"{folder}/secret", "linked"),
        "open the secret to all": lambda: os.chmod(f"{folder}/secret", 0o777),
        "date the secret": lambda: os.utime(f"{folder}/secret", (0, 0)),
    }


def process_deeds(grader: int) -> dict[str, Deed]:
    """Returns deeds against the grader and the process that supervises the command."""
    library = ctypes.CDLL(None, use_errno=True)
    return {
        "kill the grader": lambda: os.kill(grader, signal.SIGKILL),
        "kill the supervisor": lambda: os.kill(os.getppid(), signal.SIGKILL),
        "own a file for the grader": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, grader),
        "limit the grader": lambda: resource.prlimit(grader, resource.RLIMIT_CPU, (1, 1)),
        "delay the grader": lambda: os.sched_setaffinity(grader, {0}),
        "trace the grader": lambda: must(library.ptrace(PTRACE_ATTACH, grader, 0, 0)),
        "read the command line": lambda: open(f"/proc/{grader}/cmdline"),
        "read the environment": lambda: open(f"/proc/{grader}/environ").read(),
        "read the memory": lambda: open(f"/proc/{grader}/mem", "rb"),
        "read the supervisor": lambda: open(f"/proc/{os.getppid()}/mem", "rb"),
        "list its files": lambda: os.listdir(f"/proc/{grader}/fd"),
        "forget who it dies with": lambda: must(library.prctl(PR_SET_PDEATHSIG, 0)),
        "leave the group": lambda: os.setpgid(0, 0),
    }


def other_deeds(port: int) -> dict[str, Deed]:
    """Returns deeds against the rest of the machine."""
    library = ctypes.CDLL(None, use_errno=True)
    datagrams = (socket.AF_INET, socket.SOCK_DGRAM)
    return {
        "connect": lambda: socket.create_connection(("127.0.0.1", port), 5).close(),
        "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
        "send a datagram": lambda: socket.socket(*datagrams).sendto(b"x", ("127.0.0.1", port)),
        "become root": lambda: os.setuid(0),
        "make a namespace": lambda: must(library.unshare(CLONE_NEWUSER)),
        "use inherited files": inherited,
        "start a process": lambda: os.fork() or os._exit(0),
    }


def main() -> None:
    """Tries all; prints which deeds were done."""
    grader, folder, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    done = []
    for name, deed in {
        **file_deeds(folder), **other_deeds(port), **process_deeds(grader)
    }.items():
        try:
            deed()
            done.append(name)
        except OSError:
            continue
    print(json.dumps(done))


if __name__ == "__main__":
    main()
