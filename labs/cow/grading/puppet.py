"""Plays the probe: gives its processes commands, runs the machine until they are done, and looks at their memory.

At most one process at a time stands at the checkpoint, and the machine stands still with it. Processes that have
nothing to do are told to sleep for a tick. Nothing here believes what the kernel says: a process is known by its page
table, and its memory is read through that.
"""
from __future__ import annotations

import random
from dataclasses import dataclass
from typing import List, Optional, Tuple, Union

from grader import sv39
from grader.machine import Built, Machine, Registers
from grader.run import Failure, failure_of_stop
from labs.cow.grading.probe import OPERATIONS, STACK_PAGES, Probe

PAGE = 4096
WORD = 1 << 64
PATTERN_STEP = 0x9E3779B97F4A7C15
ROOT_BITS = (1 << 44) - 1  # of satp: the root table's frame number
USER_END = 1 << 38
SCRATCH_BELOW_STACK = 1024  # bytes below the puppet's stack pointer that it does not use
PATIENCE = 400  # how often others may be told to wait before a process counts as lost
STARVING = 20  # waits in a row after which all but the one that is waited for sleep at the same time
LONG_OPERATIONS = (
    "OP_COUNT", "OP_HOARD", "OP_TOUCH", "OP_FORK_MANY", "OP_REAP", "OP_RACE_WRITERS", "OP_RACE_OWNERS", "OP_RACE_CHURN"
)

FORK, EXIT, WAIT, PIPE, READ, KILL, EXEC, FSTAT = 1, 2, 3, 4, 5, 6, 7, 8
SBRK, OPEN, WRITE, UNLINK, CLOSE = 12, 15, 16, 18, 21
MEMSTAT = 25
NAMES = {
    FORK: "fork", EXIT: "exit", WAIT: "wait", PIPE: "pipe", READ: "read", KILL: "kill", EXEC: "exec", FSTAT: "fstat",
    SBRK: "sbrk", OPEN: "open", WRITE: "write", UNLINK: "unlink", CLOSE: "close", MEMSTAT: "memstat",
}
EAGERLY = 1
STACK_PAGES_MOST = 64


def signed(value: int) -> int:
    """Returns the 64-bit word as a signed number."""
    return value - WORD if value >> 63 else value


def page_of(va: int) -> int:
    """Returns the start of the page."""
    return va & -PAGE


def pattern(seed: int, va: int, size: int) -> bytes:
    """Returns the bytes that the probe's fill stores."""
    words = ((seed + address * PATTERN_STEP) % WORD for address in range(va, va + size, 8))
    return b"".join(word.to_bytes(8, "little") for word in words)


@dataclass(frozen=True)
class Answer:
    """What a command returned."""

    value: int
    more: int


@dataclass(frozen=True)
class Death:
    """A process that ended instead of returning from a command, with the status that its parent got."""

    status: int


@dataclass
class Command:
    """A command on its way."""

    text: str
    name: str
    words: List[int]
    answer: Optional[Answer] = None


class Process:
    """A process of the probe."""

    def __init__(self, session: "Session", name: str, pid: int, satp: int) -> None:
        self.session = session
        self.name = name
        self.pid = pid
        self.satp = satp
        self.stack_pointer = 0
        self.queued: Optional[Command] = None
        self.sent: Optional[Command] = None

    # ---- Commands ----

    def start(self, operation: str, *words: int) -> Command:
        """Queues a command and does not wait for it."""
        shown = ", ".join(hex(word % WORD) if abs(word) > 4095 else str(word) for word in words)
        text = f"{operation[3:].lower()}({shown})"
        if operation == "OP_CALL" and words[0] in NAMES:
            text = f"call {NAMES[words[0]]}({shown.partition(', ')[2]})"
        command = Command(text, operation, [OPERATIONS[operation], *(word % WORD for word in words)])
        self.queued = command
        return command

    def do(self, operation: str, *words: int) -> Answer:
        """Has a command done."""
        return self.session.finish(self, self.start(operation, *words))

    def call(self, number: int, *words: int) -> int:
        """Makes a system call and returns its result."""
        return self.do("OP_CALL", number, *words).value

    def must(self, what: str, number: int, *words: int) -> int:
        """Makes a system call that has to succeed."""
        result = self.call(number, *words)
        if result < 0:
            raise Failure("result", f"{what} to succeed", f"it returned {result}", process=self.name)
        return result

    def grow(self, pages: int) -> int:
        """Grows (or shrinks) the heap and returns its old end."""
        return self.must(f"sbrk of {pages} pages", SBRK, pages * PAGE, EAGERLY)

    def fill(self, va: int, size: int, seed: int) -> None:
        """Stores the seed's pattern."""
        self.do("OP_FILL", va, size // 8, seed)

    def store(self, va: int, value: int, size: int = 8) -> None:
        """Stores a value of 1, 2, 4 or 8 bytes."""
        self.do("OP_STORE", va, value, size)

    def load(self, va: int, size: int = 8) -> int:
        """Loads a value, unsigned."""
        return self.do("OP_LOAD", va, size).value % WORD

    def check(self, va: int, size: int, seed: int) -> None:
        """Has the process itself look whether it sees the pattern."""
        answer = self.do("OP_CHECK", va, size // 8, seed)
        if answer.value:
            raise Failure(
                "contents", f"{self.name} to read what was written before", f"{answer.value} words differ",
                page=answer.more, process=self.name,
            )

    def fork(self, name: str) -> "Process":
        """Forks; returns the child once it has arrived."""
        return self.session.fork(self, name, "OP_CALL", FORK)

    def exit(self, status: int = 0) -> None:
        """Has the process end; its parent is not told to wait."""
        self.session.send_last(self, self.start("OP_CALL", EXIT, status))

    def wait(self) -> Answer:
        """Waits for a child: pid and status."""
        return self.do("OP_WAIT")

    def reap(self, child: "Process", status: int = 0) -> None:
        """Waits for a child that has been told to exit."""
        answer = self.wait()
        if answer != Answer(child.pid, status):
            expected = f"wait to return {child.name} (pid {child.pid}), status {status}"
            raise Failure("result", expected, f"pid {answer.value}, status {answer.more}", process=self.name)

    def pipe(self) -> Tuple[int, int]:
        """Makes a pipe; returns the descriptors of its reading and writing end."""
        self.must("pipe()", PIPE, self.scratch)
        data = self.read(self.scratch, 8)
        return int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")

    # ---- Memory, from outside ----

    @property
    def scratch(self) -> int:
        """The address of some bytes of its stack that it does not need."""
        return self.stack_pointer - SCRATCH_BELOW_STACK

    @property
    def below_stack(self) -> int:
        """Returns an address in the hole below the stack, which may have more than one page."""
        if self.session.is_cow6:
            return page_of(self.stack_pointer) - (STACK_PAGES - 1) * PAGE - 64
        page = page_of(self.stack_pointer)
        for _ in range(STACK_PAGES_MOST):
            if self.find(page - PAGE) is None:
                return page - 64
            page -= PAGE
        seen = f"{STACK_PAGES_MOST} pages that are mapped"
        raise Failure("killed", "a hole below the stack, to catch what overflows", seen, process=self.name)

    def find(self, va: int) -> Optional[sv39.Entry]:
        """Returns the entry that user mode has for va, if there is one."""
        entry = sv39.lookup(self.session.machine.memory, self.satp, va)
        return entry if entry is not None and entry.u else None

    def entry(self, va: int) -> sv39.Entry:
        """Returns the entry that user mode has for va."""
        entry = self.find(va)
        if entry is None:
            raise Failure("present", "a page that user mode can reach", "none", page=page_of(va), process=self.name)
        return entry

    def frame(self, va: int) -> int:
        """Returns the physical address of the page's frame."""
        entry = self.entry(va)
        return entry.pa + (page_of(va) - entry.va)

    def read(self, va: int, size: int) -> bytes:
        """Returns the bytes that the process has there."""
        data = b""
        while size > 0:
            part = min(size, PAGE - va % PAGE)
            data += self.session.frame_bytes(self.frame(va))[va % PAGE:va % PAGE + part]
            va += part
            size -= part
        return data

    def leaves(self) -> List[sv39.Entry]:
        """Returns all entries that user mode has."""
        return [entry for entry in sv39.leaves(self.session.machine.memory, self.satp, USER_END) if entry.u]


class Session:
    """A machine with the probe on it."""

    def __init__(self, machine: Machine, built: Built, probe: Probe, chance: random.Random) -> None:
        self.machine = machine
        self.built = built
        self.probe = probe
        self.chance = chance
        self.is_cow6 = built.dialect == "cow6"
        self.processes: List[Process] = []
        self.parked: Optional[Process] = None
        self.lines: List[str] = []
        self.newcomer: Optional[str] = None  # the name of the process that may appear next
        self.newcomers_stay = False  # more than one process may appear
        self.text_was_writable = False  # by what the kernel's base does, before there was a fork
        self.touchable = 0  # pages that a child could touch when that was last tried
        self.waits = 0  # since a command was given
        self.changing: Optional[Process] = None  # the process that may appear with a new page table

    @property
    def slots(self) -> int:
        """How many processes the kernel has room for."""
        slots = self.built.traits.get("NPROC", 64)
        return slots if isinstance(slots, int) else 64

    # ---- Running ----

    def begin(self) -> Process:
        """Starts the machine; returns process 1 at its first checkpoint."""
        self.newcomer = "init"
        self._advance("the start")
        assert self.parked is not None
        self.text_was_writable = self.parked.entry(self.probe.text.address).w
        return self.parked

    def finish(self, process: Process, command: Command) -> Answer:
        """Runs until the command that the process was given is done."""
        patience = PATIENCE
        while command.answer is None:
            arrived = self.next(f"{process.name}: {command.text}", 20 if command.name in LONG_OPERATIONS else 1)
            patience -= arrived is not process and command.name not in LONG_OPERATIONS
            if patience == 0:
                raise Failure(
                    "alive", f"{process.name} to come back from {command.text}",
                    "it did not: killed, or stuck in the kernel",
                    process=process.name, doing=command.text, kind="lost",
                )
        return command.answer

    def fork(self, parent: Process, name: str, operation: str, *words: int) -> Process:
        """Has the parent fork and waits for both."""
        child = self.try_fork(parent, name, operation, *words)
        if child is None:
            raise Failure("result", "fork to succeed", "it failed", process=parent.name)
        return child

    def try_fork(self, parent: Process, name: str, operation: str = "OP_CALL", *words: int) -> Optional[Process]:
        """The same; returns None if fork says that it failed."""
        self.newcomer = name
        known = len(self.processes)
        pid = self.finish(parent, parent.start(operation, *(words or (FORK,)))).value
        if pid < 0:
            self.newcomer = None
            return None
        patience = PATIENCE
        while len(self.processes) == known:
            self.next(f"{parent.name}: fork", 1)
            patience -= 1
            if patience == 0:
                raise Failure(
                    "alive", f"{name} to start", "it never ran in user mode", process=name, kind="lost", doing="fork"
                )
        child = self.processes[-1]
        if child.pid != pid:
            raise Failure(
                "result", f"the child's pid to be what fork returned, {pid}", f"it is {child.pid}", process=name
            )
        return child

    def next_newcomer(self) -> Process:
        """Runs until a process appears that was not known."""
        known = len(self.processes)
        for _ in range(PATIENCE):
            process = self.next("a child: read of a pipe", 1)
            if len(self.processes) > known:
                return process
        raise Failure("alive", "a child to return from read()", "none did", kind="lost", doing="read of a pipe")

    def exec(self, process: Process) -> None:
        """Has the process execute the probe once more."""
        symbols = self.probe.symbols
        command = process.start("OP_CALL", EXEC, symbols["path_program"], symbols["program_arguments"])
        self.changing = process
        self.finish(process, command)
        if self.changing is not None:
            assert command.answer is not None
            raise Failure("result", "exec to succeed", f"it returned {command.answer.value}", process=process.name)

    def send_last(self, process: Process, command: Command) -> None:
        """Gives the process a command that it does not come back from."""
        patience = PATIENCE
        while command is process.queued:
            self.next(f"{process.name}: {command.text}", 1)
            patience -= 1
            if patience == 0:
                raise Failure(
                    "alive", f"{process.name} to come back", "it did not", process=process.name, kind="lost",
                    doing="pause",
                )
        self.forget(process)

    def forget(self, process: Process) -> None:
        """Takes leave of a process that is dead or dying."""
        if process in self.processes:
            self.processes.remove(process)
        if self.parked is process:
            self.parked = None

    def attempt(self, process: Process, parent: Process, operation: str, *words: int) -> Union[Answer, Death]:
        """Has a command done that the process may not survive; its parent waits for it meanwhile.

        After an Answer the parent still waits: end() is next, or another attempt.
        """
        waiting = parent.sent or parent.queued
        if waiting is None or waiting.name != "OP_WAIT":
            waiting = parent.start("OP_WAIT")
        command = process.start(operation, *words)
        patience = PATIENCE
        while command.answer is None and waiting.answer is None:
            self.next(f"{process.name}: {command.text}", 1)
            patience -= 1
            if patience == 0:
                raise Failure(
                    "alive", f"{process.name} to come back from {command.text} or to die", "it does neither",
                    process=process.name, doing=command.text, kind="lost",
                )
        if command.answer is not None:
            return command.answer
        assert waiting.answer is not None
        self.lines.append(f"{process.name} died, status {waiting.answer.more}")
        self.forget(process)
        if waiting.answer.value != process.pid:
            raise Failure("result", f"wait to return pid {process.pid}", f"{waiting.answer.value}", process=parent.name)
        return Death(waiting.answer.more)

    def end(self, process: Process, parent: Process, status: int = 0) -> None:
        """Has the process exit and its parent, which may be waiting already, see that."""
        waiting = parent.sent or parent.queued
        if waiting is None or waiting.name != "OP_WAIT":
            waiting = parent.start("OP_WAIT")
        process.exit(status)
        answer = self.finish(parent, waiting)
        if answer != Answer(process.pid, status):
            expected = f"wait to return {process.name} (pid {process.pid}), status {status}"
            raise Failure("result", expected, f"pid {answer.value}, status {answer.more}", process=parent.name)

    def next(self, doing: str, ticks: int) -> Process:
        """Answers the process that stands at the checkpoint and runs until one does again."""
        if self.parked is not None:
            self._answer(self.parked, ticks)
        return self._advance(doing)

    def _answer(self, process: Process, ticks: int) -> None:
        command, process.queued = process.queued, None
        self.waits = self.waits + 1 if command is None else 0
        if self.waits > STARVING:  # a scheduler that prefers the eldest runs others only while those sleep
            ticks = max(ticks, 2 * len(self.processes))
        if command is None:
            command = Command("", "OP_PAUSE", [OPERATIONS["OP_PAUSE"], ticks])
        else:
            self.lines.append(f"{process.name}: {command.text}")
        process.sent = command
        self.parked = None
        for number, word in enumerate((command.words + [0] * 5)[:5]):
            self.machine.set_register(self.hart, 10 + number, word)

    def _advance(self, doing: str) -> Process:
        stop = self.machine.resume()
        if stop.kind != "breakpoint" or stop.registers is None:
            raise failure_of_stop(stop, doing)
        self.hart = stop.registers.hart
        process = self._identify(stop.registers, doing)
        process.stack_pointer = stop.registers.x[2]
        command, process.sent = process.sent, None
        if command is not None:
            command.answer = Answer(signed(stop.registers.argument(0)), signed(stop.registers.argument(1)))
            if command.text:
                self.lines.append(f"{process.name}: {command.text} -> {command.answer.value}, {command.answer.more}")
        self.parked = process
        return process

    def _identify(self, registers: Registers, doing: str) -> Process:
        if registers.priv != 0:
            raise Failure("user", "the probe to run in user mode", f"it runs with privilege {registers.priv}")
        root, pid = registers.satp & ROOT_BITS, signed(registers.argument(2))
        process = next((known for known in self.processes if known.satp & ROOT_BITS == root), None)
        if process is None and self.changing is not None and self.changing.pid == pid:
            process, self.changing = self.changing, None
            process.satp = registers.satp
        elif process is None and (self.newcomer is not None or self.newcomers_stay):
            process = Process(self, self.newcomer or f"child {len(self.processes)}", pid, registers.satp)
            self.newcomer = None
            self.processes.append(process)
            self.lines.append(f"{process.name} appears: pid {pid}, page table at {root << 12:#x}")
        if process is None:
            raise Failure("identity", "a process that is known", f"pid {pid} with an unknown page table", doing=doing)
        self._check_program(process)
        return process

    def _check_program(self, process: Process) -> None:
        """The program that runs must be ours, byte for byte; from text_target on it is a page that tests write to."""
        text = self.probe.text
        code = text.content[:self.probe.symbols["text_target"]]
        if process.read(text.address, len(code)) != code:
            raise Failure(
                "text", "the program's text as it is in the file", "other bytes", page=text.address,
                process=process.name,
            )

    def settle(self, process: Process) -> None:
        """Lets the process sleep until the others have done what they were told."""
        process.do("OP_PAUSE", 3)

    # ---- Looking ----

    def frame_bytes(self, pa: int) -> bytes:
        """Returns the contents of a frame."""
        try:
            return self.machine.memory.read(pa, PAGE)
        except ValueError:
            raise Failure("hidden", "entries that lead to RAM", f"one that leads to {pa:#x}") from None

    def random_seed(self) -> int:
        """Returns the seed of a pattern."""
        return self.chance.getrandbits(64)

    def map_of_pages(self) -> str:
        """Returns a table of the pages of all processes."""
        lines = []
        for process in self.processes:
            lines.append(f"{process.name} (pid {process.pid}), page table at {(process.satp & ROOT_BITS) << 12:#x}")
            for entry in process.leaves():
                letters = "".join(letter if entry.bits >> bit & 1 else "-" for bit, letter in enumerate("VRWXUGAD"))
                lines.append(f"  {entry.va:#014x} -> {entry.pa:#x}  {letters}  rsw {entry.rsw:02b}")
        return "\n".join(lines) + "\n"
