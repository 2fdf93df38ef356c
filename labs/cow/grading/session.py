"""Plays the probe: gives its processes commands and runs the machine until they are done."""
from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from grader.built import Built
from grader.decode import Registers
from grader.machine import Machine
from grader.places import Place
from grader.run import Failure
from labs.cow.grading.checkpoints import RACES, Checkpoints
from labs.cow.grading.probe import Probe
from labs.cow.grading.process import EXEC, FORK, ROOT_BITS
from labs.cow.grading.process import Answer, Command, Death, Process

PATIENCE = 400  # so often others may be told to pause before a process counts as lost
STOPS_MAX = 2000  # on the way to the place in a command
LONG_OPERATIONS = (
    "OP_HOARD", "OP_TOUCH", "OP_FORK_MANY", "OP_REAP", "OP_CYCLE", *RACES
)
Judge = Callable[[Process], None]


@dataclass
class Notes:
    """What was seen of the machine and matters later."""

    touchable: int = 0  # pages that a child can touch, where sbrk never fails
    allocatable: int = 0  # pages that a process can allocate
    frames_shared: set[int] = field(default_factory=set)  # by a parent and its child
    text_was_writable: bool = False  # before any fork, as the kernel's base has it
    saw_fresh_child: bool = False  # a child was inspected before its first system call


class Session(Checkpoints):
    """A machine with the probe on it, and what tests have its processes do."""

    def __init__(
        self, machine: Machine, built: Built, probe: Probe, chance: random.Random
    ) -> None:
        super().__init__(machine, built, probe, chance)
        self.notes = Notes()
        # Called before every fork with the parent and the command; what it returns is called with
        # the child once that has arrived.
        self.watch_fork: Callable[[Process, Command], Judge] | None = None

    @property
    def slots(self) -> int:
        """How many processes the kernel has room for."""
        return self.built.traits.processes

    def new_process(self, name: str, pid: int, satp: int) -> Process:
        return Process(self, name, pid, satp)

    # ---- Running ----

    def begin(self) -> Process:
        """Starts the machine; returns process 1 at its first checkpoint."""
        self.newcomers.expect("init")
        self.advance("the start")
        assert self.parked is not None
        self.notes.text_was_writable = self.parked.entry(self.probe.text.address).w
        return self.parked

    def finish(self, process: Process, command: Command) -> Answer:
        """Runs until the command that the process was given is done."""
        patience, is_long = PATIENCE, command.name in LONG_OPERATIONS
        while command.answer is None:
            arrived = self.next(f"{process.name}: {command.text}", 20 if is_long else 1)
            patience -= arrived is not process and not is_long
            if patience == 0:
                expected = f"{process.name} to come back from {command.text}"
                seen = "it did not: it was killed, or is stuck in the kernel"
                raise lost(process, expected, seen, command.text)
        return command.answer

    def fork(self, parent: Process, name: str, operation: str, *words: int) -> Process:
        """Has the parent fork and waits for both."""
        child = self.try_fork(parent, name, operation, *words)
        if child is None:
            raise Failure("result", "fork to succeed", "it failed", process=parent.name)
        return child

    def try_fork(
        self, parent: Process, name: str, operation: str = "OP_CALL", *words: int
    ) -> Process | None:
        """Has the parent fork, as fork() does; returns None if that fails."""
        self.newcomers.expect(name)
        known = len(self.processes)
        command = parent.start(operation, *(words or (FORK,)))
        judge = self.watch_fork(parent, command) if self.watch_fork else None
        pid = self.finish(parent, command).value
        if pid < 0:
            self.newcomers.forget_expected()
            return None
        patience = PATIENCE
        while len(self.processes) == known:
            self.next(f"{parent.name}: fork", 1)
            patience -= 1
            if patience == 0:
                expected, seen = f"{name} to start", "it never ran in user mode"
                raise Failure("alive", expected, seen, process=name, kind="lost", doing="fork")
        child = self.processes[-1]
        if child.pid != pid:
            expected = f"the child's pid to be what fork returned, {pid}"
            raise Failure("result", expected, f"it is {child.pid}", process=name)
        child.data = set(parent.data)
        child.heap_start, child.heap_end = parent.heap_start, parent.heap_end
        if judge:
            judge(child)
        return child

    def next_newcomer(self) -> Process:
        """Runs until a new process appears."""
        known = len(self.processes)
        doing = "read of a pipe"
        for _ in range(PATIENCE):
            process = self.next(f"a child: {doing}", 1)
            if len(self.processes) > known:
                return process
        expected = "a child to return from read()"
        raise Failure("alive", expected, "none did", kind="lost", doing=doing)

    def exec(self, process: Process) -> None:
        """Has the process execute the probe once more."""
        symbols = self.probe.symbols
        program, arguments = symbols["path_program"], symbols["program_arguments"]
        command = process.start("OP_CALL", EXEC, program, arguments)
        self.changing = process
        self.finish(process, command)
        process.data, process.heap_start, process.heap_end = set(), None, None
        if self.changing is not None:
            assert command.answer is not None
            seen = f"it returned {command.answer.value}"
            raise Failure("result", "exec to succeed", seen, process=process.name)

    def send(self, process: Process, command: Command) -> None:
        """Runs until the process has been given its command, and not further."""
        patience = PATIENCE
        while command is process.queued and self.parked is not process:
            self.next(f"{process.name}: {command.text}", 1)
            patience -= 1
            if patience == 0:
                raise lost(process, f"{process.name} to come back", "it did not", "pause")
        self.answer(process, 1)

    def send_last(self, process: Process, command: Command) -> None:
        """Gives the process a command from which it does not come back."""
        self.send(process, command)
        self.forget(process)

    def forget(self, process: Process) -> None:
        """Removes a process that is dead or dying."""
        if process in self.processes:
            self.processes.remove(process)
        if self.parked is process:
            self.parked = None

    def attempt(
        self, process: Process, parent: Process, operation: str, *words: int
    ) -> Answer | Death:
        """Has a command done that the process may not survive; its parent waits for it meanwhile.

        After an Answer the parent still waits: end() must follow, or another attempt.
        """
        waiting = self._waiting(parent)
        command = process.start(operation, *words)
        patience = PATIENCE
        while command.answer is None and waiting.answer is None:
            self.next(f"{process.name}: {command.text}", 1)
            if waiting.answer is not None and self._is_orphan(waiting.answer.value):
                waiting = self._waiting(parent)
            patience -= 1
            if patience == 0:
                expected = f"{process.name} to come back from {command.text} or to die"
                raise lost(process, expected, "it does neither", command.text)
        if command.answer is not None:
            return command.answer
        assert waiting.answer is not None
        self.lines.append(f"{process.name} died, status {waiting.answer.more}")
        self.forget(process)
        if waiting.answer.value != process.pid:
            expected, seen = f"wait to return pid {process.pid}", f"{waiting.answer.value}"
            raise Failure("result", expected, seen, process=parent.name)
        return Death(waiting.answer.more)

    def end(self, process: Process, parent: Process, status: int = 0) -> None:
        """Has the process exit, and its parent, which may be waiting already, wait for it."""
        waiting = self._waiting(parent)
        process.exit(status)
        answer = self.finish(parent, waiting)
        if answer != Answer(process.pid, status):
            expected = f"wait to return {process.name} (pid {process.pid}), status {status}"
            seen = f"pid {answer.value}, status {answer.more}"
            raise Failure("result", expected, seen, process=parent.name)

    def _is_orphan(self, pid: int) -> bool:
        """Tells whether a pid is that of an orphan which exited before and was adopted."""
        return pid > 0 and all(process.pid != pid for process in self.processes)

    def _waiting(self, parent: Process) -> Command:
        """Returns the parent's wait for a child, which may be under way already."""
        waiting = parent.sent or parent.queued
        if waiting is None or waiting.name != "OP_WAIT":
            waiting = parent.start("OP_WAIT")
        return waiting

    def stop_inside(
        self, process: Process, command: Command, place: Place, passes: int
    ) -> Registers | None:
        """Stops the process when it reaches an instruction for the n-th time within a command.

        The kernel does not notice, and the process will continue where it is. Returns None if the
        command was done before, or the process was not seen there.
        """
        self.send(process, command)
        self.machine.places.add(place)
        try:
            for _ in range(STOPS_MAX):
                registers = self.run_to_stop(f"{process.name}: {command.text}")
                if registers.pc != place.pc:
                    arrived = self.arrive(registers, command.text)
                    if arrived is process:
                        return None
                    self.answer(arrived, 1)
                elif registers.satp & ROOT_BITS == process.satp & ROOT_BITS:
                    passes -= 1
                    if passes == 0:
                        return registers
            return None
        finally:
            self.machine.places.remove(place)

    def settle(self, process: Process) -> None:
        """Lets the process sleep until the others have done what they were told."""
        process.do("OP_PAUSE", 3)


def lost(process: Process, expected: str, seen: str, doing: str) -> Failure:
    """Returns the failure of a process that does not come back to the checkpoint."""
    doing = f"{process.name}: {doing}"
    return Failure("alive", expected, seen, process=process.name, doing=doing, kind="lost")
