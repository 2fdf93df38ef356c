"""The tests of the copy-on-write lab: what each is worth and what it shows.

The test `id` is the function of that name in one of the modules tests_*.py. Ids are stable: solutions and course
records name them. The parts are the handout's steps. The points add up to 100.
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


def counting(name: str, part: str, points: int, shows: str) -> Test:
    """Returns a test that takes all memory, some times."""
    return Test(name, part, points, shows, cpu_seconds=30.0)


def race(name: str, points: int, shows: str) -> Test:
    """Returns a test that runs freely on three harts, twice."""
    return Test(name, "G", points, shows, cpus=3, trials=2, more_trials=3, cpu_seconds=30.0)


TESTS: list[Test] = [
    Test(
        "fork_shares_pages", "A", 4,
        "parent and child have the same frames, none writable, contents intact"
    ),
    counting("fork_takes_few_frames", "A", 4, "fork of a process of 2 MiB takes at most 64 frames"),
    Test("reading_copies_nothing", "A", 2, "loads and write() from shared pages leave them shared"),
    Test(
        "text_stays_shared", "A", 2, "program text is one frame for all and is never made writable"
    ),
    Test(
        "mark_in_software_bits", "A", 2,
        "fork changes in an entry only W, A, D and the bits left to software"
    ),
    Test("kernel_memory_hidden", "A", 2, "no user entry leads to page tables or to the kernel"),
    Test(
        "three_generations", "A", 3,
        "three generations share; a write of the middle one concerns it alone"
    ),
    Test(
        "child_write_copies_one_page", "B", 4,
        "the child's write gives it one new frame; the rest stays"
    ),
    Test("parent_write_copies_one_page", "B", 4, "the same when the parent writes first"),
    Test(
        "parent_write_right_after_fork", "B", 2,
        "a write right after fork breaks, too (stale TLB entries)"
    ),
    Test("last_owner_keeps_frame", "B", 2, "when the others are gone a write needs no copy"),
    Test("execute_permission_kept", "B", 2, "a copied page can be executed if the original could"),
    Test(
        "many_sharers", "B", 2,
        "as many processes as there can be share one page, each breaks it, none is hurt"
    ),
    Test(
        "odd_stores", "B", 2,
        "last byte, misaligned, across two pages, atomic: each store breaks what it touches"
    ),
    Test("stack_is_private", "B", 1, "parent and child do not see each other's stacks"),
    Test(
        "random_history", "B", 3,
        "random forks, writes and exits agree with a model after every step"
    ),
    Test(
        "pipe_read_breaks", "C", 2,
        "read() from a pipe into a shared page writes the caller's copy only"
    ),
    Test(
        "file_read_across_pages", "C", 2,
        "read() of a file across shared pages un-shares each of them"
    ),
    Test("wait_status_breaks", "C", 2, "wait() stores the status in the caller's copy only"),
    Test(
        "pipe_descriptors_break", "C", 2, "pipe() stores the descriptors in the caller's copy only"
    ),
    Test("fstat_breaks", "C", 2, "fstat() stores its result in the caller's copy only"),
    Test(
        "untouched_data_breaks", "C", 2,
        "read() into program data that nobody has touched leaves the file as it is"
    ),
    Test(
        "bad_destinations_refused", "C", 2,
        "system calls refuse to write to the guard page, the kernel and beyond"
    ),
    Test(
        "text_not_written_by_kernel", "C", 2,
        "read() into program text does not change anybody's text"
    ),
    counting(
        "store_without_memory", "D", 3,
        "a store that finds no frame kills its process and nobody else"
    ),
    counting(
        "read_without_memory", "D", 3,
        "read() of a pipe without a frame fails or kills; the parent's bytes stay"
    ),
    counting("file_read_without_memory", "D", 2, "the same for read() of a file and for wait()"),
    counting(
        "failed_fork_is_harmless", "D", 2,
        "after forks that failed the parent's memory is intact and writable"
    ),
    counting(
        "failed_fork_leaks_nothing", "D", 3,
        "after forks that failed there are as many free pages as before"
    ),
    Test(
        "last_owner_without_memory", "D", 2,
        "the last owner's write succeeds although no frame is free"
    ),
    counting(
        "exit_returns_pages", "E", 4, "fork, writes and exits in every order give all pages back"
    ),
    counting("exec_and_kill_return_pages", "E", 3, "so do exec, kill and a death by a fault"),
    counting(
        "grandchild_outlives", "E", 3, "pages live as long as their last owner, and no longer"
    ),
    Test(
        "bad_stores", "F", 2,
        "stores to addresses that are nobody's kill the process, not the kernel"
    ),
    Test("bad_loads", "F", 1, "loads from such addresses, too"),
    Test("bad_jumps", "F", 1, "jumps to such addresses, too"),
    Test("text_store", "F", 2, "a store to program text does not make it writable"),
    race("race_writers", 3, "processes that break the same pages at the same time lose nothing"),
    race(
        "race_last_owners", 3,
        "two last owners that write or exit at the same time leave counts right"
    ),
    race("race_churn", 2, "forks, writes and exits on all harts at once give all pages back"),
    Test("pipes_and_files", "H", 1, "data goes through pipes and files unchanged"),
    Test(
        "exec_starts_afresh", "H", 1,
        "exec in a child gives it a new memory and leaves the parent's alone"
    ),
    Test(
        "sbrk_shrinks_and_grows", "H", 1, "shared heap can be given back and comes back as zeroes"
    ),
    Test(
        "pages_not_there_yet", "H", 1,
        "heap that comes at the first touch does so for fork and system calls, too"
    ),
]
