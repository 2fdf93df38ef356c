"""Inspects the processes of a race in passing, where no system call announces it.

In a race's meetings processes come to the checkpoint, so a kernel that wants to deceive could share
pages, or run processes on other harts, only then. Here some processes are stopped after a fork,
when they are about to write, and between their writes: the pages that they have yet to write to
must be shared, and now and then another hart must run a process, too.
"""
from __future__ import annotations

from grader.decode import Registers
from labs.cow.grading.evidence import fail
from labs.cow.grading.process import page_of
from labs.cow.grading.session import Session

LOOKS = 4  # in a race
FIRST_LOOK = 8  # at most so many stops before it
STOPS_MAX = 40  # between two looks


class Passing:
    """Visits to a race; they begin at once."""

    def __init__(self, session: Session, vas: range) -> None:
        self.session, self.vas = session, vas
        self.harts: set[int] = set()  # on which processes were seen before the first meeting
        self.has_met = False
        self.run_together = False  # two harts were in user mode at the same stop
        self.looks_left = LOOKS
        self.writing = session.probe.place("writing_begins")
        self.word = session.probe.place("race_write")
        self.stops = session.chance.randrange(1, FIRST_LOOK)
        session.visit(self.writing, self._before_writing)

    def end(self) -> None:
        """Ends the visits. Only harts that were seen in passing count as having run processes, and
        none of them if the harts took turns."""
        self.session.leave(self.writing)
        self.session.leave(self.word)
        seen = self.harts if self.run_together else set()
        self.session.machine.harts_seen.intersection_update(seen)

    def _before_writing(self, registers: Registers) -> None:
        """A process is about to write to all pages, in their order."""
        if not self.session.surprises.is_one(registers):
            return
        if not self.has_met:
            self.harts.add(registers.hart)
        self._note_others()
        self.stops -= 1
        if self.stops > 0:
            return
        self._look(registers, self.vas.start)
        self.session.leave(self.writing)
        self.stops = self.session.chance.randrange(1, len(self.vas))
        self.session.visit(self.word, self._between_writes)

    def _between_writes(self, registers: Registers) -> None:
        """A process is about to write to a page; it has yet to write to the ones after it."""
        if not self.session.surprises.is_one(registers):
            return
        self._note_others()
        self.stops -= 1
        if self.stops > 0:
            return
        self._look(registers, page_of(registers.argument(0)))
        self.session.leave(self.word)
        self.looks_left -= 1
        if self.looks_left > 0:
            self.stops = self.session.chance.randrange(FIRST_LOOK, STOPS_MAX)
            self.session.visit(self.writing, self._before_writing)

    def _note_others(self) -> None:
        """Notes whether another hart runs a process at this moment."""
        if not self.run_together:
            self.run_together = self.session.machine.run_together()

    def _look(self, registers: Registers, start: int) -> None:
        """Checks that the pages from `start` on are still as after the fork: not writable."""
        process = self.session.process_at(registers, "a process of the race")
        for va in range(start, self.vas.stop, self.vas.step):
            if process.entry(va).w:
                expected = "the page to be shared until a process writes to it"
                raise fail("read_only", expected, "it is writable before any write", process, va)
