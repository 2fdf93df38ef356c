"""Runs the machine from one checkpoint to the next, and knows which process is there.

At most one process at a time is at the checkpoint, and then the machine is stopped. Processes that
have nothing to do are told to sleep for a tick. Nothing here believes what the kernel says: a
process is known by its page table, and its memory is read through that.
"""
from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable

from grader.built import Built
from grader.decode import Registers
from grader.machine import Machine
from grader.places import Place
from grader.run import Failure, failure_of_stop
from labs.cow.grading.newcomers import Newcomers
from labs.cow.grading.probe import OPERATIONS, Probe
from labs.cow.grading.process import MEETING, PAGE, ROOT_BITS
from labs.cow.grading.process import Answer, Command, Process, signed
from labs.cow.grading.surprises import Surprises

STARVING = 20  # so many pauses in a row, and the processes without a command sleep for longer
RACES = ("OP_RACE_WRITERS", "OP_RACE_OWNERS", "OP_RACE_CHURN")
Visit = Callable[[Registers], None]


class Checkpoints(ABC):
    """The probe's processes as they come to the checkpoint, one after the other."""

    def __init__(
        self, machine: Machine, built: Built, probe: Probe, chance: random.Random
    ) -> None:
        self.machine = machine
        self.built = built
        self.probe = probe
        self.chance = chance
        self.is_cow6 = built.dialect == "cow6"
        self.processes: list[Process] = []
        self.parked: Process | None = None  # the process that is at the checkpoint
        self.hart = 0  # its hart
        self.lines: list[str] = []
        self.newcomers = Newcomers()
        self.waits = 0  # since a command was given
        self.changing: Process | None = None  # it may appear with a new page table
        # What is called when a process stops at a place (the key), and then continues at once.
        self.visits: dict[int, Visit] = {}
        self.surprises = Surprises(machine, probe)

    @abstractmethod
    def new_process(self, name: str, pid: int, satp: int) -> Process:
        """Returns a new process."""

    def next(self, doing: str, ticks: int) -> Process:
        """Answers the process at the checkpoint, and runs until one is there again."""
        if self.parked is not None:
            self.answer(self.parked, ticks)
        return self.advance(doing)

    def answer(self, process: Process, ticks: int) -> None:
        """Gives the process at the checkpoint its command, or has it sleep for so many ticks."""
        command, process.queued = process.queued, None
        self.waits = self.waits + 1 if command is None else 0
        if self.waits > STARVING:  # else a scheduler that prefers the eldest never runs the others
            ticks = max(ticks, 2 * len(self.processes))
        if command is None:
            command = Command("", "OP_PAUSE", [OPERATIONS["OP_PAUSE"], ticks])
        else:
            self.lines.append(f"{process.name}: {command.text}")
        process.sent = command
        if command.name == "OP_GO":
            process.sent, process.race, process.meets = process.race, None, False
        self.parked = None
        for number, word in enumerate((command.words + [0] * 5)[:5]):
            self.machine.set_register(self.hart, 10 + number, word)

    def advance(self, doing: str) -> Process:
        """Runs until a process is at the checkpoint."""
        return self.arrive(self.run_to_stop(doing), doing)

    def run_to_stop(self, doing: str) -> Registers:
        """Runs to a stop that is not a visit."""
        while True:
            stop = self.machine.resume()
            if stop.kind != "breakpoint" or stop.registers is None:
                raise failure_of_stop(stop, doing)
            visit = self.visits.get(stop.registers.pc)
            if visit is None:
                return stop.registers
            visit(stop.registers)

    def visit(self, place: Place, visit: Visit) -> None:
        """Has `visit` called whenever a process comes to the place."""
        self.visits[place.pc] = visit
        self.machine.places.add(place)

    def leave(self, place: Place) -> None:
        """Lets processes pass the place again, if they are stopped there."""
        if self.visits.pop(place.pc, None) is not None:
            self.machine.places.remove(place)

    def process_at(self, registers: Registers, name: str) -> Process:
        """Returns the process that has come to the place of a visit; a new one gets the name."""
        root = registers.satp & ROOT_BITS
        for process in self.processes:
            if process.satp & ROOT_BITS == root:
                return process
        process = self.new_process(name, 0, registers.satp)
        process.stack_pointer = registers.x[2]
        return process

    def arrive(self, registers: Registers, doing: str) -> Process:
        """Takes in what the process that has come to the checkpoint brings."""
        self.hart = registers.hart
        process = self._identify(registers, doing)
        process.stack_pointer = registers.x[2]
        command, process.sent = process.sent, None
        process.meets = registers.argument(3) == MEETING
        if process.meets and command is not None and command.name in RACES:
            process.race, command = command, None
        if command is not None:
            result, more = signed(registers.argument(0)), signed(registers.argument(1))
            command.answer = Answer(result, more)
            if command.text:
                self.lines.append(f"{process.name}: {command.text} -> {result}, {more}")
        self.parked = process
        return process

    def _identify(self, registers: Registers, doing: str) -> Process:
        if registers.priv != 0:
            seen = f"it runs with privilege {registers.priv}"
            raise Failure("user", "the probe to run in user mode", seen)
        root, pid = registers.satp & ROOT_BITS, signed(registers.argument(2))
        tables = (known for known in self.processes if known.satp & ROOT_BITS == root)
        process = next(tables, None)
        if process is None and self.changing is not None and self.changing.pid == pid:
            process, self.changing = self.changing, None
            process.satp = registers.satp
        if process is None:
            process = self._admit(pid, registers.satp)
        if process is None:
            seen = f"pid {pid} with another one"
            raise Failure("identity", "a process with a known page table", seen, doing=doing)
        self.check_program(process)
        return process

    def _admit(self, pid: int, satp: int) -> Process | None:
        """Returns a process that may be new; None if none may appear."""
        name = self.newcomers.admit(len(self.processes))
        if not name:
            return None
        process = self.new_process(name, pid, satp)
        self.processes.append(process)
        table = (satp & ROOT_BITS) << 12
        self.lines.append(f"{name} appears: pid {pid}, page table at {table:#x}")
        return process

    def check_program(self, process: Process) -> None:
        """Checks that the running program is ours, byte for byte, and can be executed without a
        fault."""
        text = self.probe.text
        for va in range(text.address, self.probe.symbols["code_limit"], PAGE):
            seen = "" if process.entry(va).x else "a page that cannot be executed"
            if process.read(va, PAGE) != text.content[va - text.address:][:PAGE]:
                seen = "other bytes"
            if seen:
                expected = "the program's text as it is in the file"
                raise Failure("text", expected, seen, page=va, process=process.name)

    def frame_bytes(self, pa: int) -> bytes:
        """Returns the contents of a frame."""
        try:
            return self.machine.memory.read(pa, PAGE)
        except ValueError:
            seen = f"one that points to {pa:#x}"
            raise Failure("hidden", "entries that point to RAM", seen) from None

    def random_seed(self) -> int:
        """Returns the seed of a pattern."""
        return self.chance.getrandbits(64)
