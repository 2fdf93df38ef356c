"""A guest machine under observation: QEMU, its gdb stub and its memory.

The machine is stopped except inside resume(), which runs it until a user process reaches a
breakpoint, or until there is nothing more to wait for. A breakpoint counts in user mode only, and
only where the page tables let the hart execute it: on a page that is not mapped yet the hart faults
first and comes back. Where the system does not tell CPU times, limits are in wall time.
"""
from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Deque

from gdbstub import PC, StubGone
from grader import guest_console
from grader.backtrace import callers
from grader.built import Built
from grader.console import trap_addresses
from grader.decode import Registers, describe
from grader.emulator import QEMU_KIND, REGISTERS_NEEDED, Emulator, Kind, MachineOptions, Over
from grader.errors import InfraError
from grader.places import Place, Places
from grader.processes import Idleness
from grader.qemu import Qemu
from grader.sandbox import Sandbox
from grader.simulator import Simulator
from usage import Usage

LOOK_SECONDS = 0.1  # between looks at QEMU's use of resources, however often it is resumed
CONSOLE_SECONDS = 0.002  # between reads of the console, which QEMU writes byte by byte
PANIC_CPU_SECONDS = 0.5  # what a machine may use after a panic message before it is ended
PANIC_WALL_SECONDS = 2.0
SLEEP_SECONDS = 30.0  # a machine may sleep so long in all, in many short pieces
FALSE_HITS_MAX = 20000


@dataclass(frozen=True)
class Stop:
    """Why the machine stopped.

    breakpoint (registers), exit (status: QEMU's), panic (detail: message, then
    where the harts are), hang (all harts idle), limit (CPU time used up), output (too much of it).
    After all but the first the run is over: further calls of resume() return the same.
    """

    kind: str
    registers: Registers | None = None
    status: int | None = None
    detail: str = ""


class Machine:
    """A running machine; a context manager: nothing survives it."""

    def __init__(
        self, built: Built, *, image: Path, cpus: int, icount: bool, folder: Path, sandbox: Sandbox,
        breakpoints: Sequence[Place], append: str = "", cpu_seconds: float = 10.0,
        idle_seconds: float = 5.0, kind: Kind = QEMU_KIND,
    ) -> None:
        self.built, self.cpus, self.sandbox = built, cpus, sandbox
        self.cpu_limit = min(cpu_seconds, sandbox.budget.left + 1.0)
        self.idle_seconds = idle_seconds
        self.harts_seen: set[int] = set()  # those at which user processes reached a breakpoint
        self._end: Stop | None = None
        self._to_pass: Place | None = None  # where the hart is that stopped last
        self._arrived: Deque[int] = deque()  # harts that may be at a place, too
        self._last_hart = 0
        self._false_hits = 0
        self._idleness = Idleness()
        self._next_look = 0.0
        self._panicked_at: tuple[float, float] | None = None  # time and CPU time
        options = MachineOptions(image, cpus, icount, append, kind)
        emulator = Simulator if kind.is_simulated else Qemu
        self.emulator: Emulator = emulator(built, options, folder, sandbox, self.cpu_limit)
        self.stub, self.memory = self.emulator.stub, self.emulator.memory
        self.screen, self.schedules = self.emulator.screen, self.emulator.schedules
        self.places = Places(self.stub, self.memory, self.emulator.watches_words)
        try:
            for place in breakpoints:
                self.places.add(place)
            self.stub.confirm()
        except StubGone as gone:
            error = self.emulator.not_started(str(gone))
            self.close()
            raise error from None

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends QEMU and gives everything back."""
        self.sandbox.budget.spend(self.cpu_seconds() + self._idleness.slept)
        self.emulator.close()

    # ---- Running ----

    def resume(self) -> Stop:
        """Runs until a user process reaches a breakpoint, or until the end."""
        if self._end is not None:
            return self._end
        self._idleness.forget()
        self._panicked_at = None
        try:
            self._pass_place()
            stop = self._next_arrived() or self._run()
        except StubGone as gone:
            stop = self._exited(str(gone))
        if stop.kind != "breakpoint":
            self._end = stop
            self.screen.read()
        return stop

    def _run(self) -> Stop:
        """Lets the machine run until something that counts happens."""
        self.stub.go()
        next_read = time.monotonic()
        connection, console = self.emulator.connection, self.screen.stream
        is_open = True  # the console
        while True:
            reads = is_open and time.monotonic() >= next_read
            wake = min(self._next_look, next_read) if is_open and not reads else self._next_look
            inputs = [connection, console] if reads else [connection]
            ready = select.select(inputs, [], [], max(0.0, wake - time.monotonic()))[0]
            if console in ready:
                is_open = self.screen.read()
                next_read = time.monotonic() + CONSOLE_SECONDS
            packet = self.stub.poll()
            if packet is not None:
                stop = self._stopped(packet)
                if stop is not None:
                    return stop
                self.stub.go()
            if self.screen.length > guest_console.MOST:
                size = f"{guest_console.MOST >> 20} MiB"
                return self._over("output", f"the kernel printed more than {size}")
            if time.monotonic() >= self._next_look:
                self._next_look = time.monotonic() + LOOK_SECONDS
                stop = self._look()
                if stop is not None:
                    return stop

    def _over(self, kind: str, why: str) -> Stop:
        """Returns the end of a machine that still runs, with where its harts are."""
        return Stop(kind, detail=f"{why}\n{self.where()}")

    def _stopped(self, packet: str) -> Stop | None:
        """Returns what a packet from the running machine tells; None if it is to run on."""
        hart = self.stub.stopped(packet)
        if hart is None:
            raise StubGone(f"{self.emulator.name} said {packet!r}")
        over = self.emulator.over(packet)
        if over is not None:
            return self._ended(over)
        others = (other for other in range(self.cpus) if other != hart)
        self._arrived.extend((hart, *others))
        stop = self._next_arrived()
        if stop is not None:
            self.screen.read()
            return stop
        self._false_hits += 1
        if self._false_hits > FALSE_HITS_MAX:
            times = f"{self._false_hits} times"
            return self._over("limit", f"the kernel ran {times} through a test program's address")
        self._step_over(hart)
        return None

    def _ended(self, over: Over) -> Stop:
        """Returns the end of a machine that stands still and cannot go on."""
        self.screen.read()
        if over.kind == "exit":
            kind, detail = ("panic", self.screen.panic) if self.screen.panic else ("exit", over.why)
            return Stop(kind, status=over.status, detail=detail)
        if self.screen.panic:
            return self._over("panic", self.screen.panic)
        return self._over(over.kind, over.why)

    def _next_arrived(self) -> Stop | None:
        """Returns that a process is at a place, if one of the harts that may have come to one has,
        and lets the hart pass it next."""
        while self._arrived:
            hart = self._arrived.popleft()
            registers = self.registers(hart)
            place = self.places.find(registers)
            if place is not None:
                self.harts_seen.add(hart)
                self._last_hart, self._to_pass = hart, place
                return Stop("breakpoint", replace(registers, pc=place.pc))
        return None

    def _pass_place(self) -> None:
        """Brings the hart that stopped last past its place, while the others do not run."""
        place, self._to_pass = self._to_pass, None
        if place is not None:
            self.stub.write(self._last_hart, PC, place.end)

    def _step_over(self, hart: int) -> None:
        """Has a hart execute one instruction, whether or not QEMU is to stop there."""
        with self.places.without():
            if self.stub.step(hart) is None:
                raise StubGone(f"{self.emulator.name} ended in a single step")

    def _look(self) -> Stop | None:
        """Decides whether there is nothing more to wait for."""
        now, usage = time.monotonic(), self.emulator.usage()
        cpu = self.emulator.cpu_seconds_seen()
        if cpu > self.cpu_limit:
            return self._over("limit", f"{self.cpu_limit:g} s of CPU time are used up")
        if self.screen.panic:
            self._panicked_at = self._panicked_at or (now, cpu)
            then, cpu_then = self._panicked_at
            if now - then > PANIC_WALL_SECONDS or cpu - cpu_then > PANIC_CPU_SECONDS:
                return self._over("panic", self.screen.panic)
        is_idle = self._is_idle(now, usage)
        if self._idleness.slept > SLEEP_SECONDS:
            return self._over("hang", f"all harts slept for {SLEEP_SECONDS:g} s in all")
        if is_idle:
            since = f"{self.idle_seconds:g} s"
            return self._over("hang", f"nothing has happened for {since}: every hart waits")
        return None

    def _is_idle(self, now: float, usage: Usage) -> bool:
        """Tells whether QEMU has neither run nor waited for a processor of the host for so long
        that nothing will come."""
        return usage.cpu_seconds > 0 and self._idleness.lasts(now, usage, self.idle_seconds)

    def _exited(self, why: str) -> Stop:
        """Returns how QEMU ended; InfraError if that has nothing to do with the guest."""
        ended = self.emulator.ended(why)
        if ended.was_killed:
            if self.emulator.cpu_seconds_at_end() < self.cpu_limit:
                name = self.emulator.name
                raise InfraError(f"{name} was killed from outside (out of memory?) {ended.message}")
            detail = f"{self.cpu_limit:g} s of CPU time are used up"
            return Stop("limit", status=ended.status, detail=detail)
        if ended.has_no_memory:
            full = "/dev/shm or the memory of this machine is full"
            raise InfraError(f"there is no memory for the guest: {full} {ended.message}")
        if self.screen.panic:
            return Stop("panic", status=ended.status, detail=self.screen.panic)
        return Stop("exit", status=ended.status, detail=ended.message)

    # ---- Looking ----

    def registers(self, hart: int) -> Registers:
        """Reads a hart's registers."""
        general, special = self.stub.registers(hart, REGISTERS_NEEDED)
        return Registers(hart, general[PC], general[:PC], *special)

    def run_together(self) -> bool:
        """Tells whether two harts have been seen in user mode at the same time: now, or, where the
        machine notes it, since this was asked last."""
        return self.emulator.run_together()

    def set_register(self, hart: int, number: int, value: int) -> None:
        """Sets x[number] of a hart; a0 is number 10."""
        self.stub.write(hart, number, value & (1 << 64) - 1)

    def where(self) -> str:
        """Says for each hart where it is: mode, pc, last trap and calls, with source lines.

        A running machine is stopped for it.
        """
        try:
            if self.stub.running:
                self.stub.interrupt()
                self.stub.wait(10.0)
            states = [self.registers(hart) for hart in range(self.cpus)]
        except StubGone as gone:
            return f"(where the harts are cannot be read: {gone})"
        calls = [callers(self.memory, state) for state in states]
        traps = trap_addresses(self.console())
        return describe(states, calls, traps, self.built.symbols, self.sandbox)

    def console(self) -> str:
        """Returns what the guest printed, the middle left out if it is too much."""
        return self.screen.text()

    def cpu_seconds(self) -> float:
        """Returns the CPU time that QEMU has used."""
        self.emulator.usage()
        return self.emulator.cpu_seconds_seen()
