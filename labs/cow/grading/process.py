"""A process of the probe: the commands it is given, and its memory as seen from outside."""
from __future__ import annotations

import functools
import itertools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader import sv39
from grader.run import Failure
from labs.cow.grading.probe import OPERATIONS, STACK_PAGES

if TYPE_CHECKING:
    from labs.cow.grading.session import Session

PAGE = 4096
WORD = 1 << 64
PATTERN_STEP = 0x9E3779B97F4A7C15
ROOT_BITS = (1 << 44) - 1  # of satp: the root table's frame number
USER_END = 1 << 38
SCRATCH_BELOW_STACK = 1024  # bytes below the stack pointer that the probe does not use
STACK_PAGES_MAX = 64

FORK, EXIT, WAIT, PIPE, READ, KILL, EXEC, FSTAT = 1, 2, 3, 4, 5, 6, 7, 8
SBRK, OPEN, WRITE, UNLINK, CLOSE = 12, 15, 16, 18, 21
MEMSTAT = 25
NAMES = {
    FORK: "fork", EXIT: "exit", WAIT: "wait", PIPE: "pipe", READ: "read", KILL: "kill",
    EXEC: "exec", FSTAT: "fstat", SBRK: "sbrk", OPEN: "open", WRITE: "write", UNLINK: "unlink",
    CLOSE: "close", MEMSTAT: "memstat",
}
EAGERLY, LAZILY = 1, 2  # how sbrk is to grow the heap, on kernels that can be told
MEETING = 1  # why a process comes to the checkpoint: a race, not the end of a command


def signed(value: int) -> int:
    """Returns the 64-bit word as a signed number."""
    return value - WORD if value >> 63 else value


def page_of(va: int) -> int:
    """Returns the start of the page."""
    return va & -PAGE


@functools.lru_cache(maxsize=256)
def pattern(seed: int, va: int, size: int) -> bytes:
    """Returns the bytes that the probe's fill stores."""
    words = [(seed + address * PATTERN_STEP) % WORD for address in range(va, va + size, 8)]
    return struct.pack(f"<{len(words)}Q", *words)


def sum_of_words(data: bytes) -> int:
    """Returns what the probe's sum returns, unsigned."""
    return sum(struct.unpack(f"<{len(data) // 8}Q", data)) % WORD


@dataclass(frozen=True)
class Answer:
    """What a command returned."""

    value: int
    more: int


@dataclass(frozen=True)
class Death:
    """A process that ended instead of returning from a command: the status its parent got."""

    status: int


@dataclass
class Command:
    """A command on its way."""

    text: str
    name: str
    words: list[int]
    answer: Answer | None = None


class Process:
    """A process of the probe, known by its page table."""

    def __init__(self, session: Session, name: str, pid: int, satp: int) -> None:
        self.session = session
        self.name = name
        self.pid = pid
        self.satp = satp
        self.stack_pointer = 0
        self.heap_start: int | None = None  # the lowest that sbrk has told
        self.heap_end: int | None = None  # as sbrk told last
        self.data: set[int] = set()  # pages that it could write to when that was last looked at
        self.queued: Command | None = None
        self.sent: Command | None = None
        self.meets = False  # is at the checkpoint, or sleeps, in the middle of a race
        self.race: Command | None = None  # which continues after the meeting

    # ---- Commands ----

    def start(self, operation: str, *words: int) -> Command:
        """Queues a command, without waiting for it."""
        shown = ", ".join(hex(word % WORD) if abs(word) > 4095 else str(word) for word in words)
        text = f"{operation[3:].lower()}({shown})"
        if operation == "OP_CALL" and words[0] in NAMES:
            text = f"call {NAMES[words[0]]}({shown.partition(', ')[2]})"
        numbers = [OPERATIONS[operation], *(word % WORD for word in words)]
        self.queued = Command(text, operation, numbers)
        return self.queued

    def do(self, operation: str, *words: int) -> Answer:
        """Has a command done."""
        return self.session.finish(self, self.start(operation, *words))

    def call(self, number: int, *words: int) -> int:
        """Makes a system call and returns its result."""
        return self.do("OP_CALL", number, *words).value

    def must(self, what: str, number: int, *words: int) -> int:
        """Makes a system call that has to succeed."""
        result = self.call(number, *words)
        if number == SBRK and result >= 0:
            self.heap_end = result + signed(words[0] % WORD)
            self.heap_start = min(result, self.heap_start or result)
        if result < 0:
            seen = f"it returned {result}"
            raise Failure("result", f"{what} to succeed", seen, process=self.name)
        return result

    def grow(self, pages: int, how: int = EAGERLY) -> int:
        """Grows (or shrinks) the heap and returns its old end."""
        return self.must(f"sbrk of {pages} pages", SBRK, pages * PAGE, how)

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
        """Has the process itself check that it sees the pattern."""
        answer = self.do("OP_CHECK", va, size // 8, seed)
        if answer.value:
            raise Failure(
                "contents", f"{self.name} to read what was written before",
                f"{answer.value} words differ", page=answer.more, process=self.name,
            )

    def fork(self, name: str) -> Process:
        """Forks; returns the child once it has arrived."""
        return self.session.fork(self, name, "OP_CALL", FORK)

    def exit(self, status: int = 0) -> None:
        """Has the process exit; its parent is not told to wait."""
        self.session.send_last(self, self.start("OP_CALL", EXIT, status))

    def wait(self) -> Answer:
        """Waits for a child: pid and status."""
        return self.do("OP_WAIT")

    def reap(self, child: Process, status: int = 0) -> None:
        """Waits for a child that has been told to exit."""
        answer = self.wait()
        if answer != Answer(child.pid, status):
            expected = f"wait to return {child.name} (pid {child.pid}), status {status}"
            seen = f"pid {answer.value}, status {answer.more}"
            raise Failure("result", expected, seen, process=self.name)

    def pipe(self) -> tuple[int, int]:
        """Makes a pipe; returns the descriptors of its reading and writing end."""
        self.must("pipe()", PIPE, self.scratch)
        data = self.read(self.scratch, 8)
        return int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")

    # ---- Memory, from outside ----

    @property
    def scratch(self) -> int:
        """The address of some bytes of its stack that it does not use."""
        return self.stack_pointer - SCRATCH_BELOW_STACK

    @property
    def stack(self) -> range:
        """The pages of its stack, of which there may be more than one."""
        page = page_of(self.stack_pointer)
        lowest = page - STACK_PAGES_MAX * PAGE
        if self.session.is_cow6:
            page -= (STACK_PAGES - 1) * PAGE
        while page > lowest and self.find(page - PAGE) is not None:
            page -= PAGE
        return range(page, page_of(self.stack_pointer) + 2 * PAGE, PAGE)

    @property
    def below_stack(self) -> int:
        """Returns an address in the hole below the stack."""
        lowest = self.stack[0]
        if page_of(self.stack_pointer) - lowest < STACK_PAGES_MAX * PAGE:
            return lowest - 64
        expected = "a hole below the stack, to catch what overflows"
        seen = f"{STACK_PAGES_MAX} pages that are mapped"
        raise Failure("killed", expected, seen, process=self.name)

    def find(self, va: int) -> sv39.Entry | None:
        """Returns the entry that user mode has for va, if there is one."""
        entry = sv39.lookup(self.session.machine.memory, self.satp, va)
        return entry if entry is not None and entry.u else None

    def entry(self, va: int) -> sv39.Entry:
        """Returns the entry that user mode has for va."""
        entry = self.find(va)
        if entry is None:
            raise Failure(
                "present", "a page that user mode can access", "none", page=page_of(va),
                process=self.name,
            )
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

    def leaves(self) -> dict[int, sv39.Entry]:
        """Returns the entries that user mode has, by address.

        They are pages of RAM, and not more of them than frames. Tables that say otherwise are a
        failure at once, before anything reads all that they map.
        """
        memory = self.session.machine.memory
        start, end, frames = memory.base, memory.base + memory.size, memory.size // PAGE
        leaves = sv39.leaves(memory, self.satp, USER_END)
        entries = list(itertools.islice(leaves, 2 * frames + 1))
        found = {entry.va: entry for entry in entries if entry.bits & sv39.U}
        wrong = next(
            (entry for entry in found.values() if entry.level or not start <= entry.pa < end), None
        )
        if wrong is not None:
            seen = f"{wrong.size >> 20} MiB at {wrong.pa:#x}"
            if wrong.level == 0:
                seen = f"{wrong.pa:#x}, where there is no RAM"
        elif len(entries) > 2 * frames or len(found) > frames + 1:
            wrong, seen = entries[-1], "more entries than the machine has frames"
        else:
            return found
        expected = "entries that point to pages of user memory"
        raise Failure("hidden", expected, seen, page=wrong.va, process=self.name)
