"""The tests of the copy-on-write lab: what each is worth and what it shows.

The test `id` is the function of that name in one of the modules tests_*.py. Ids are stable, because
solutions and course records name them. The parts are the handout's steps. The points, with those of
HIDDEN, add up to 100.
"""
from __future__ import annotations

from grader.run import Test

PARTS: dict[str, str] = {
    "A": "fork shares memory",
    "B": "a write breaks the sharing",
    "C": "the kernel's own writes",
    "D": "out of memory",
    "E": "every page comes back",
    "F": "bad addresses",
    "G": "several harts",
    "H": "the rest still works",
}

# The points, by part, of tests that are not in this tree: in a student's, of the hidden ones.
HIDDEN: dict[str, int] = {}


def counting(name: str, part: str, points: int, shows: str) -> Test:
    """Returns a test that takes all memory, several times."""
    return Test(name, part, points, shows, cpu_seconds=30.0)


def race(name: str, points: int, shows: str) -> Test:
    """Returns a test on three harts: in several schedules on the simulator; in QEMU freely, and
    twice."""
    return Test(name, "G", points, shows, cpus=3, trials=2, more_trials=3, cpu_seconds=30.0)


TESTS: list[Test] = [
    Test(
        "fork_shares_pages", "A", 4,
        "parent and child have the same frames, none writable, with their contents intact",
    ),
    counting("fork_takes_few_frames", "A", 4, "fork of a process of 2 MiB takes at most 64 frames"),
    Test("reading_copies_nothing", "A", 2, "loads and write() from shared pages leave them shared"),
    Test(
        "text_stays_shared", "A", 2,
        "all processes share one frame of program text, which never becomes writable",
    ),
    Test(
        "mark_in_software_bits", "A", 2,
        "fork changes only W, A, D and the software bits of an entry",
    ),
    Test("kernel_memory_hidden", "A", 2, "no user entry points to page tables or kernel memory"),
    Test(
        "three_generations", "A", 3,
        "three generations share; a write by the middle one changes only its own page",
    ),
    Test(
        "child_write_copies_one_page", "B", 4,
        "the child's write gives it one new frame; its other pages stay shared",
    ),
    Test(
        "parent_write_copies_one_page", "B", 4,
        "the parent's write gives it one new frame; its other pages stay shared",
    ),
    Test(
        "parent_write_right_after_fork", "B", 2,
        "a write right after fork breaks the sharing, too (stale TLB entries)",
    ),
    Test("last_owner_keeps_frame", "B", 2, "once the other owners are gone, a write needs no copy"),
    Test("execute_permission_kept", "B", 2, "the copy of an executable page is executable"),
    Test(
        "many_sharers", "B", 2,
        "as many processes as possible share a page; a write by one changes no other",
    ),
    Test(
        "odd_stores", "B", 2,
        "stores to a page's last byte, misaligned, across two pages and atomic copy just the pages "
        "they touch",
    ),
    Test("stack_is_private", "B", 1, "parent and child do not see each other's stacks"),
    Test(
        "random_history", "B", 3,
        "after every step of random forks, writes and exits, memory agrees with a model",
    ),
    Test(
        "pipe_read_breaks", "C", 2,
        "read() from a pipe into a shared page writes only the caller's copy",
    ),
    Test(
        "file_read_across_pages", "C", 2,
        "read() of a file into several shared pages breaks the sharing of each",
    ),
    Test("wait_status_breaks", "C", 2, "wait() stores the status only in the caller's copy"),
    Test(
        "pipe_descriptors_break", "C", 2,
        "pipe() stores the descriptors only in the caller's copy",
    ),
    Test("fstat_breaks", "C", 2, "fstat() stores its result only in the caller's copy"),
    Test(
        "untouched_data_breaks", "C", 2,
        "read() into program data not touched before leaves the file unchanged",
    ),
    Test(
        "bad_destinations_refused", "C", 2,
        "system calls refuse to write to the guard page, to the kernel and beyond",
    ),
    Test(
        "text_not_written_by_kernel", "C", 2,
        "read() into program text changes no process's text",
    ),
    counting(
        "store_without_memory", "D", 3,
        "a store that finds no free frame kills its process and no other",
    ),
    counting(
        "read_without_memory", "D", 3,
        "a read() of a pipe that finds no free frame fails or kills; the parent's bytes stay",
    ),
    counting(
        "file_read_without_memory", "D", 2,
        "a read() of a file or a wait() that finds no free frame fails or kills; the parent's "
        "bytes stay",
    ),
    counting(
        "failed_fork_is_harmless", "D", 2,
        "after failed forks the parent's memory is intact and writable",
    ),
    counting(
        "failed_fork_leaks_nothing", "D", 3,
        "after failed forks there are as many free pages as before",
    ),
    Test(
        "last_owner_without_memory", "D", 2,
        "the last owner's write succeeds although no frame is free",
    ),
    counting(
        "exit_returns_pages", "E", 4,
        "fork, writes and exits in every order free all pages again",
    ),
    counting(
        "exec_and_kill_return_pages", "E", 3,
        "exec, kill and death by a fault free all pages again",
    ),
    counting(
        "grandchild_outlives", "E", 3,
        "pages live as long as their last owner, and no longer",
    ),
    Test(
        "bad_stores", "F", 2,
        "stores to addresses outside the process kill it, and do not crash the kernel",
    ),
    Test(
        "bad_loads", "F", 1,
        "loads from addresses outside the process kill it, and do not crash the kernel",
    ),
    Test(
        "bad_jumps", "F", 1,
        "jumps to addresses outside the process kill it, and do not crash the kernel",
    ),
    Test("text_store", "F", 2, "a store to program text does not make it writable"),
    race("race_writers", 3, "processes that break the same pages at the same time lose no write"),
    race(
        "race_last_owners", 3,
        "two last owners that write or exit at the same time leave the counts right",
    ),
    race("race_churn", 2, "forks, writes and exits on all harts at once free all pages again"),
    Test("pipes_and_files", "H", 1, "data passes through pipes and files unchanged"),
    Test(
        "exec_starts_afresh", "H", 1,
        "exec in a child gives it new memory and leaves the parent's alone",
    ),
    Test(
        "sbrk_shrinks_and_grows", "H", 1,
        "shared heap can be given back, and is zero when it grows again",
    ),
    Test(
        "pages_not_there_yet", "H", 1,
        "heap that is allocated at the first touch also works in fork and system calls",
    ),
]
