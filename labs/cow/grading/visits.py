"""Inspects memory at moments that a kernel cannot foresee.

At the checkpoint a process has just made a system call, so a kernel that wants to deceive can show
page tables there that it replaces at the next trap. Here a process is stopped between two
instructions of a loop that makes no system call: the page tables of all processes must be those of
the checkpoint. Then a word of its memory is changed from outside: processes that have that frame
must load the new word, and no others.
"""
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from grader.guest_memory import Memory
from grader.run import Failure
from labs.cow.grading.process import PAGE, WORD, Command, Process, page_of, sum_of_words

PAGES_MAX = 6  # that a process sums up
WORDS_AHEAD = 64  # of the page that is being summed up: the loop has not reached them
SET_BY_HARDWARE = 3 << 6  # A and D
Shown = dict[Process, dict[int, int]]  # entries: bits by address


@dataclass(frozen=True)
class Change:
    """A word that was changed from outside."""

    memory: Memory
    pa: int
    old: bytes

    def undo(self) -> None:
        """Puts the old word back."""
        self.memory.write(self.pa, self.old)


def prove(processes: Sequence[Process], vas: Collection[int], changes: bool = True) -> None:
    """Proves that the processes' page tables stay as they are, and, if it `changes` a word, that
    loads go to the frames that these map.

    Some pages are inspected, of those that are present for all the processes. Afterwards memory is
    as it was. If others have the same frames and run meanwhile, nothing must be changed.
    """
    session = processes[0].session
    chance = session.chance
    pages = _some_pages(processes, vas)
    if not pages:
        return
    shown = _entries(session.processes, pages)
    change: Change | None = None
    for process in chance.sample(list(processes), len(processes)):
        passes = chance.randrange(len(pages)) + 1
        command = _stop_in_sum(process, pages, passes)
        session.check_program(process)
        _check_steady(shown, "between two instructions")
        if changes:
            change = change or _change_a_word(process, pages[passes - 1:])
        answer = session.finish(process, command)
        _check_steady(shown, "after it")
        _check_sum(process, pages, answer.value % WORD)
    if change:
        change.undo()


def _stop_in_sum(process: Process, pages: Sequence[int], passes: int) -> Command:
    """Has the process sum up the pages, and stops it where it begins with one of them. Returns the
    command, which is not done yet."""
    session = process.session
    while True:
        command = process.start("OP_SUM", pages[0], len(pages))
        registers = session.stop_inside(
            process, command, session.probe.place("page_begins"), passes
        )
        if registers is None:
            seen = "it finished the loop, but was never seen in it"
            raise Failure("user", "the process to run the probe's loop", seen, process=process.name)
        if session.surprises.is_one(registers):
            return command
        session.finish(process, command)


def _some_pages(processes: Sequence[Process], vas: Collection[int]) -> list[int]:
    """Returns a random run of neighbours among the pages, without those of the running program."""
    chance, text = processes[0].session.chance, processes[0].session.probe.text
    program = range(text.address, text.address + text.size)
    present = {
        va for va in vas if va not in program and all(process.find(va) for process in processes)
    }
    if not present:
        return []
    pages = [chance.choice(sorted(present))]
    most = chance.randrange(PAGES_MAX) + 1
    while len(pages) < most and pages[-1] + PAGE in present:
        pages.append(pages[-1] + PAGE)
    return pages


def _entries(processes: Sequence[Process], pages: Sequence[int]) -> Shown:
    """Returns the entries of the pages in all processes, 0 where there is none."""
    shown: Shown = {}
    for process in processes:
        found = {va: process.find(va) for va in pages}
        shown[process] = {
            va: entry.bits & ~SET_BY_HARDWARE if entry else 0 for va, entry in found.items()
        }
    return shown


def _check_steady(shown: Shown, when: str) -> None:
    """Checks that all entries are what they were."""
    for process, before in shown.items():
        pages = list(before)
        for va, bits in _entries([process], pages)[process].items():
            if bits != before[va]:
                expected = f"the entry as it was at the checkpoint, {before[va]:#x}"
                seen = f"{bits:#x} {when} of a loop that makes no system call"
                raise Failure("steady", expected, seen, page=va, process=process.name)


def _change_a_word(process: Process, pages: Sequence[int]) -> Change:
    """Changes a word that the process has yet to load, in its frame."""
    session = process.session
    va = session.chance.choice(pages) + 8 * session.chance.randrange(WORDS_AHEAD, PAGE // 8)
    pa, memory = process.frame(va) + va % PAGE, session.machine.memory
    change = Change(memory, pa, memory.read(pa, 8))
    new = int.from_bytes(change.old, "little") ^ session.chance.randrange(1, WORD)
    memory.write(pa, new.to_bytes(8, "little"))
    session.lines.append(f"{process.name}: the grader changes the word at {va:#x}")
    return change


def _check_sum(process: Process, pages: Sequence[int], total: int) -> None:
    """Checks that the process has loaded what is in its frames now."""
    expected = sum_of_words(process.read(pages[0], PAGE * len(pages)))
    if total != expected:
        wanted = f"{process.name} to load what its frames contain: words with the sum {expected:#x}"
        seen = f"the sum {total:#x}"
        raise Failure("used", wanted, seen, page=page_of(pages[0]), process=process.name)
