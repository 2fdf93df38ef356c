"""The system calls that a sandboxed command may not make: filters made by libseccomp.

Refused are calls that hold memory which no limit counts (shared memory, sockets, queues), and calls
that neither compilers nor QEMU need. Without bubblewrap, calls are refused as well that reach other
processes, or the files of the same user in ways that Landlock does not know. Without libseccomp
there is no filter; memory in files without a name is counted all the same (processes.py).
"""
from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

LIBRARY = "libseccomp.so.2"
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.ENOSYS
NOT_EQUAL, MASKED_EQUAL = 1, 7
INT_BITS = (1 << 32) - 1  # the kernel does not look at the others
HIDDEN_MEMORY = (
    "memfd_create", "memfd_secret", "shmget", "shmat", "msgget", "semget", "mq_open",
    "io_uring_setup", "userfaultfd", "add_key", "request_key", "keyctl", "bpf",
    "perf_event_open",
)
SOCKETS = ("socket", "socketpair")
FORKS = ("fork", "vfork", "clone3")
WAYS_OUT = ("mount", "umount2", "unshare", "setns", "ptrace", "open_by_handle_at")
CLONE_THREAD = 0x10000
NOTHING, THREADS, PROGRAMS = "nothing", "threads", "programs"  # that a command may start

# Without bubblewrap: what leads to other processes, out of the process group by which all are
# killed at the end, or to files.
OTHER_PROCESSES = (
    "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "setsid",
    "setpgid", "setpriority", "ioprio_set", "sched_setaffinity", "sched_setattr",
    "sched_setparam", "sched_setscheduler", "migrate_pages", "move_pages", "truncate", "openat2",
)
SIGNALS = (
    "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"
)
ATTRIBUTES = (  # of files, which the owner may change wherever they are
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime",
    "utimes", "futimesat", "utimensat", "setxattr", "lsetxattr", "fsetxattr", "removexattr",
    "lremovexattr", "fremovexattr",
)
PR_SET_PDEATHSIG = 1
F_SETSIG, F_SETOWN, F_SETOWN_EX = 10, 8, 15


class Comparison(ctypes.Structure):
    """A condition on an argument of a call, as libseccomp wants it."""

    _fields_ = [
        ("argument", ctypes.c_uint), ("kind", ctypes.c_int), ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


def equal(argument: int, value: int, mask: int = INT_BITS) -> Comparison:
    """Says that an argument, an int, has this value in the bits of the mask."""
    return Comparison(argument, MASKED_EQUAL, mask, value)


# Calls that are refused with certain arguments only.
ONLY_THREADS = (("clone", equal(0, 0, CLONE_THREAD)),)
WITH_ARGUMENTS = (
    ("prctl", equal(0, PR_SET_PDEATHSIG)),  # lets the command outlive the grader
    ("prlimit64", Comparison(0, NOT_EQUAL, 0, 0)),
    *(("fcntl", equal(1, command)) for command in (F_SETSIG, F_SETOWN, F_SETOWN_EX)),
    # Truncates a file without being opened for writing.
    ("open", equal(1, os.O_RDONLY | os.O_TRUNC, os.O_ACCMODE | os.O_TRUNC)),
    ("openat", equal(2, os.O_RDONLY | os.O_TRUNC, os.O_ACCMODE | os.O_TRUNC)),
)


@dataclass(frozen=True)
class Needs:
    """What a command needs to do: what it starts (PROGRAMS, THREADS or NOTHING), whether it signals
    other processes; `walls` says that bubblewrap keeps it from those that are not its own."""

    network: bool = False
    starts: str = PROGRAMS
    walls: bool = True
    signals: bool = True


def refused(needs: Needs) -> Iterator[tuple[str, Comparison | None]]:
    """Yields the names of calls to refuse, some with a condition."""
    names = [*HIDDEN_MEMORY, *WAYS_OUT, *(() if needs.network else SOCKETS)]
    if needs.starts != PROGRAMS:
        names += [*FORKS, *(("clone",) if needs.starts == NOTHING else ())]
        yield from ONLY_THREADS
    if not needs.walls:
        names += [*OTHER_PROCESSES, *(() if needs.signals else SIGNALS)]
        names += ATTRIBUTES if needs.starts != PROGRAMS else ()
        yield from WITH_ARGUMENTS
    yield from ((name, None) for name in names)


def make_filter(needs: Needs) -> bytes:
    """Returns the program of a filter for commands with these needs; nothing if there is no
    libseccomp."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return b""
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    try:
        for name, condition in refused(needs):
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:  # older libraries and other processors do not know all
                conditions = (Comparison * 1)(condition) if condition else None
                library.seccomp_rule_add_array(
                    rules, ctypes.c_uint32(REFUSE), number, int(condition is not None), conditions
                )
        with tempfile.TemporaryFile() as file:
            if library.seccomp_export_bpf(rules, file.fileno()) != 0:
                return b""
            file.seek(0)
            return file.read()
    finally:
        library.seccomp_release(rules)


def open_filter(program: bytes) -> list[int]:
    """Returns a new descriptor from which bubblewrap reads the filter; none without a filter."""
    if not program:
        return []
    reading, writing = os.pipe()
    os.write(writing, program)
    os.close(writing)
    return [reading]
