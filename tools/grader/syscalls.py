"""The system calls that a sandboxed command may not make: a filter for bubblewrap, by libseccomp.

Refused are calls that hold memory which no limit counts (shared memory, sockets, queues), and calls
that neither compilers nor QEMU need. Without libseccomp there is no filter; memory in files without
a name is counted all the same (processes.py).
"""
from __future__ import annotations

import ctypes
import errno
import os
import tempfile

LIBRARY = "libseccomp.so.2"
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.ENOSYS
HIDDEN_MEMORY = (
    "memfd_create", "memfd_secret", "shmget", "shmat", "msgget", "semget", "mq_open",
    "io_uring_setup", "userfaultfd", "add_key", "request_key", "keyctl", "bpf",
    "perf_event_open",
)
SOCKETS = ("socket", "socketpair")
FORKS = ("fork", "vfork", "clone", "clone3")
WAYS_OUT = ("mount", "umount2", "unshare", "setns", "ptrace", "open_by_handle_at")


def make_filter(*, network: bool = False, forks: bool = True) -> bytes:
    """Returns the program of a filter for commands that may use the network or start others;
    nothing if there is no libseccomp."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return b""
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    try:
        names = [
            *HIDDEN_MEMORY, *WAYS_OUT, *(() if network else SOCKETS), *(() if forks else FORKS)
        ]
        for name in names:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:  # older libraries and other processors do not know all
                library.seccomp_rule_add_array(rules, ctypes.c_uint32(REFUSE), number, 0, None)
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
