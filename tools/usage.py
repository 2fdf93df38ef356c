"""What a process and its descendants use of the host.

Where the system does not tell (without /proc), all numbers are 0.
"""
from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass
class Usage:
    """What a tree of processes uses.

    `waiting_seconds` is the time in which it could have run if a processor had been free, and
    `tells_waits` whether the system says so; `is_blocked` says that a thread waits for a disk.
    """

    processes: int = 0
    cpu_seconds: float = 0.0
    waiting_seconds: float = 0.0
    memory_bytes: int = 0
    is_blocked: bool = False
    threads: int = 0
    tells_waits: bool = False


def read_proc(name: str) -> str:
    """Returns the contents of a file in /proc."""
    with open(f"/proc/{name}", "rb", buffering=0) as file:
        return file.read().decode("ascii", "replace")


def stat_fields(task: str) -> list[str]:
    """Returns the fields of a process's line in /proc, or a thread's, from its state on, number 2
    there; the task is `PID` or `PID/task/TID`."""
    return read_proc(f"{task}/stat").rpartition(")")[2].split()


def lives(pid: int) -> bool:
    """Tells whether a process still runs."""
    try:
        return stat_fields(str(pid))[0] not in "ZX"
    except (OSError, IndexError):
        return False


def process_tree(pid: int) -> list[int]:
    """Returns a process and its descendants; only itself where the system does not tell."""
    found, unseen = [], [pid]
    while unseen:
        current = unseen.pop()
        found.append(current)
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                children = read_proc(f"{current}/task/{task}/children")
                unseen += [int(child) for child in children.split()]
        except (OSError, ValueError):
            continue
    return found


def add_thread(usage: Usage, task: str) -> None:
    """Adds what a thread waits for; nothing if it has ended meanwhile."""
    try:
        usage.is_blocked |= stat_fields(task)[0] == "D"
        usage.waiting_seconds += int(read_proc(f"{task}/schedstat").split()[1]) / 1e9
        usage.tells_waits = True
    except (OSError, ValueError, IndexError):
        return


def tree_usage(pid: int) -> Usage:
    """Adds up what a process and its descendants use, including descendants that have ended and
    were waited for."""
    usage = Usage()
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for process in process_tree(pid):
        try:
            fields = stat_fields(str(process))
            usage.cpu_seconds += sum(int(field) for field in fields[11:15]) / ticks
            usage.memory_bytes += int(fields[21]) * page
            usage.processes += 1
            tasks = os.listdir(f"/proc/{process}/task")
            usage.threads += len(tasks)
            for task in tasks:
                add_thread(usage, f"{process}/task/{task}")
        except (OSError, ValueError, IndexError):
            continue
    return usage


def running_seconds(pid: int) -> float:
    """Returns how long the threads that a process has now have run, to some milliseconds."""
    seconds = 0.0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            seconds += int(read_proc(f"{pid}/task/{task}/schedstat").split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        pass  # it has ended, or the system does not tell
    return seconds
