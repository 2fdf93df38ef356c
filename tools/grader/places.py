"""Places in user programs where a machine is to stop."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gdbstub import GdbStub
from grader import sv39
from grader.decode import Registers


@dataclass(frozen=True)
class Place:
    """Where in a program the machine is to stop: at the instruction at `pc`. The hart is then sent
    to `end`.

    If the instruction loads a `word` that nothing else loads, QEMU watches that word. This is far
    quicker: after each stop at a breakpoint QEMU translates all code again. But a kernel may have
    the load fault, and then knows that the process comes to the place.
    """

    pc: int
    end: int
    word: int | None = None

    @property
    def unwatched(self) -> "Place":
        """The same place, as a breakpoint."""
        return Place(self.pc, self.end)

    def has(self, pc: int) -> bool:
        """Tells whether a hart is here. It may have executed the load already: of several harts
        that come at the same time, QEMU stops only one before it."""
        return self.pc <= pc < self.end


class Places:
    """The places of a machine, and QEMU's breakpoints and watches for them."""

    def __init__(self, stub: GdbStub, memory: sv39.Readable, are_watched: bool) -> None:
        self.stub, self.memory = stub, memory
        self.are_watched = are_watched  # those that load a word
        self._places: list[Place] = []

    def add(self, place: Place) -> None:
        """Has the machine stop there, too."""
        self._places.append(place)
        self._insert(place)

    def remove(self, place: Place) -> None:
        """Has the machine no longer stop there."""
        self._places.remove(place)
        self._take_out(place)

    def watch_no_longer(self) -> None:
        """Has the machine stop at breakpoints only."""
        with self.without():
            self.are_watched = False

    def find(self, registers: Registers) -> Place | None:
        """Returns the place at which a hart is in user mode, and where its page table lets it
        execute what is there: at a breakpoint on a page that is not mapped yet it faults first, and
        comes back."""
        pc = registers.pc
        place = next((place for place in self._places if place.has(pc)), None)
        if registers.priv != 0 or place is None:
            return None
        entry = sv39.lookup(self.memory, registers.satp, pc)
        return place if entry is not None and entry.u and entry.x else None

    @contextmanager
    def without(self) -> Iterator[None]:
        """Has the machine pass all places meanwhile."""
        for place in self._places:
            self._take_out(place)
        yield
        for place in self._places:
            self._insert(place)

    def _insert(self, place: Place) -> None:
        if self.are_watched and place.word is not None:
            self.stub.watch(place.word)
        else:
            self.stub.insert(place.pc)

    def _take_out(self, place: Place) -> None:
        if self.are_watched and place.word is not None:
            self.stub.unwatch(place.word)
        else:
            self.stub.remove(place.pc)
