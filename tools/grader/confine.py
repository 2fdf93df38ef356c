"""Starts a command that gives up, before it begins, whatever Linux lets a process give up without
bubblewrap: files and network (Landlock), the user, system calls (seccomp), new rights, and time and
memory.

    python3 -I -S confine.py --parent PID --cwd FOLDER [OPTION VALUE]... -- PROGRAM [ARGUMENT]...

It runs as a program of its own, since code of ours between fork and exec would not be safe in the
grader, which has threads. This process stays: it collects the command and what that leaves behind,
and ends them all if the grader ends. Where a protection fails, nothing is started.
"""
from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys

# To import signal itself, or typing, would take as long as all the rest.
import _signal as signal  # type: ignore

FAILED = 125  # the exit status if the command was not started
WORDS_MOST = 5  # of a system call made here

# prctl and seccomp
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 22, 36, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION = 0x20080522

# Landlock
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, on all processors
GET_VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
MAKE_DEVICES = 1 << 6 | 1 << 11
READ = EXECUTE | READ_FILE | READ_DIR
# How many rights over files each version of Landlock knows; the version that knows rights over TCP
# ports, and that which knows of signals and abstract sockets.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
TCP_VERSION, SCOPE_VERSION = 4, 6
TCP_RIGHTS, SCOPES = 1 << 0 | 1 << 1, 1 << 0 | 1 << 1

Options = dict[str, list[str]]


class Refused(Exception):
    """The system refuses a protection; the message begins with its name."""


def call(library: ctypes.CDLL, name: str, *arguments: object) -> int:
    """Calls a function of the C library; OSError if it fails."""
    words = [word if word is None or not isinstance(word, int) else ctypes.c_ulong(word)
             for word in arguments]
    result = int(getattr(library, name)(*words))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def prctl(option: int, *values: object) -> None:
    """Changes something of this process; OSError if that is refused."""
    zeros = [0] * (WORDS_MOST - 1 - len(values))
    call(ctypes.CDLL(None, use_errno=True), "prctl", option, *values, *zeros)


# ---- Landlock ----


def landlock_version() -> int:
    """Returns which version of Landlock this kernel has; 0 if none, or not for us."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        return call(library, "syscall", CREATE_RULESET, None, 0, GET_VERSION)
    except (OSError, AttributeError):
        return 0


def restrict(version: int, read: list[str], write: list[str], network: bool) -> None:
    """Leaves this process only the files that are named, and no TCP ports unless it may use the
    network; from version 6 on it can no longer signal others."""
    library = ctypes.CDLL(None, use_errno=True)
    every = (1 << FILE_RIGHTS[min(version, max(FILE_RIGHTS))]) - 1
    ports = TCP_RIGHTS if version >= TCP_VERSION and not network else 0
    scopes = SCOPES if version >= SCOPE_VERSION else 0
    ruleset = struct.pack("QQQ", every, ports, scopes)  # older kernels want the rest to be 0
    rules = call(library, "syscall", CREATE_RULESET, ruleset, len(ruleset), 0)
    for path in read:
        allow(library, rules, path, every & READ)
    for path in write:
        allow(library, rules, path, every & ~MAKE_DEVICES)
    call(library, "syscall", RESTRICT_SELF, rules, 0)
    os.close(rules)


def allow(library: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    """Adds the rights over a file, or over a folder and what is in it."""
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights &= ~0 if os.path.isdir(path) else OF_FILES
        rule = struct.pack("=Qi", rights, place)
        call(library, "syscall", ADD_RULE, rules, PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


# ---- The rest ----


def become(user: int, group: int, capability: int | None) -> None:
    """Becomes another user, in one group, without rights; at most with one capability."""
    prctl(PR_SET_KEEPCAPS, int(capability is not None))
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    if capability is not None:
        header = struct.pack("Ii", CAPABILITY_VERSION, 0)
        sets = struct.pack("6I", *[1 << capability] * 3, 0, 0, 0)
        call(ctypes.CDLL(None, use_errno=True), "capset", header, sets)
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def load_filter(program: bytes) -> None:
    """Puts a filter on the system calls of this process."""
    buffer = ctypes.create_string_buffer(program, len(program))
    place = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, place)


def set_limits(limits: list[str]) -> None:
    """Sets limits of this process, each as NAME=NUMBER."""
    for limit in limits:
        name, _, number = limit.partition("=")
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        value = int(number) if hard == resource.RLIM_INFINITY else min(int(number), hard)
        resource.setrlimit(kind, (value, value))


def confine(options: Options) -> None:
    """Gives up what the options name; Refused if something cannot be given up."""
    step = "limits"
    try:
        set_limits(options.get("--limit", []))
        step = "user"
        for user in options.get("--user", []):
            uid, gid, capability = user.split(":")
            become(int(uid), int(gid), int(capability) if capability else None)
            os.umask(0o022)
        step = "folder"
        os.chdir(options["--cwd"][0])
        step = "new rights"
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # to become another user would undo it
        step = "landlock"
        for version in options.get("--landlock", []):
            read, write = options.get("--read", []), options.get("--write", [])
            restrict(int(version), read, write, "--network" in options)
        step = "seccomp"
        for program in options.get("--filter", []):
            load_filter(bytes.fromhex(program))
    except (OSError, ValueError, OverflowError) as error:
        raise Refused(f"{step}: {error}") from error


# ---- Starting and ending ----


def start(options: Options, command: list[str]) -> None:
    """Turns this process into the command."""
    try:
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
            signal.signal(number, signal.SIG_DFL)
        confine(options)
        os.execve(command[0], command, os.environ)
    except (Refused, OSError) as error:
        os.write(2, f"confine: {error}\n".encode(errors="surrogateescape"))
    os._exit(FAILED)


def children() -> list[int]:
    """Returns the processes whose parent is this one; none where the system does not tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as listed:
            return [int(word) for word in listed.read().split()]
    except OSError:
        return []


def supervise(command: int) -> int:
    """Waits for the command, ends what it has left behind, and returns the command's status."""
    result: int | None = None
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return FAILED if result is None else result
        if pid == command:
            ended = os.WIFEXITED(status)
            result = os.WEXITSTATUS(status) if ended else 128 + os.WTERMSIG(status)
        if result is not None:
            left = children()
            for child in left:
                os.kill(child, signal.SIGKILL)
            if not left:
                return result


def let_go() -> None:
    """Closes the files that are the command's."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def end_all(*_: object) -> None:
    """Ends this process's group: the command, what it started, and this process."""
    os.killpg(0, signal.SIGKILL)


def parse(words: list[str]) -> tuple[Options, list[str]]:
    """Returns the options, each with its values, and the command."""
    end = words.index("--")
    options: Options = {}
    for name, value in zip(words[:end:2], words[1:end:2]):
        options.setdefault(name, []).append(value)
    return options, words[end + 1:]


def main() -> int:
    """Runs the command; returns its exit status, 128 and more for a signal."""
    options, command = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, end_all)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    # The command may run as the same user, and must not see into this process.
    prctl(PR_SET_DUMPABLE, 0)
    if os.getppid() != int(options["--parent"][0]):
        return FAILED
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        start(options, command)
    let_go()
    return supervise(pid)


if __name__ == "__main__":
    sys.exit(main())
