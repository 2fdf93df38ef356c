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
    """Where in a program the machine is to stop: at the instruction at `pc`.

    If it loads a `word` that nothing else loads, QEMU watches that word, and the harts are then
    sent to `end`. This is far quicker: after each stop at a breakpoint QEMU translates all code
    again.
    """

    pc: int
    end: int = 0
    word: int | None = None

    def has(self, pc: int) -> bool:
        """Tells whether a hart is here. It may have executed the load already: of several harts
        that come at the same time, QEMU stops only one before it."""
        return self.pc <= pc < max(self.end, self.pc + 1)


class Places:
    """The places of a machine, and QEMU's breakpoints and watches for them."""

    def __init__(self, stub: GdbStub, memory: sv39.Readable) -> None:
        self.stub, self.memory = stub, memory
        self._places: list[Place] = []

    def add(self, place: Place) -> None:
        """Has the machine stop there, too."""
        self._places.append(place)
        self._insert(place)

    def remove(self, place: Place) -> None:
        """Has the machine no longer stop there."""
        self._places.remove(place)
        self._take_out(place)

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
        if place.word is None:
            self.stub.insert(place.pc)
        else:
            self.stub.watch(place.word)

    def _take_out(self, place: Place) -> None:
        if place.word is None:
            self.stub.remove(place.pc)
        else:
            self.stub.unwatch(place.word)
