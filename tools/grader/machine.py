"""A guest machine under observation: QEMU, its gdb stub and its memory.

The machine is stopped except inside resume(), which runs it until a user process reaches a
breakpoint, or until there is nothing more to wait for. A breakpoint counts in user mode only, and
only where the page tables let the hart execute it: on a page that is not mapped yet the hart faults
first and comes back. Where the system does not tell CPU times, limits are in wall time.
"""
from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gdbstub import PC, StubGone
from grader import guest_console, sv39
from grader.backtrace import callers
from grader.built import Built
from grader.console import trap_addresses
from grader.decode import Registers, describe
from grader.errors import InfraError
from grader.processes import Idleness
from grader.qemu import REGISTERS_NEEDED, MachineOptions, Qemu
from grader.sandbox import Sandbox
from usage import tree_usage

LOOK_SECONDS = 0.1  # between looks at QEMU's use of resources
CONSOLE_SECONDS = 0.002  # between reads of the console, which QEMU writes byte by byte
PANIC_CPU_SECONDS = 0.5  # what a machine may use after a panic message before it is ended
PANIC_WALL_SECONDS = 2.0
SLEEP_SECONDS = 30.0  # a machine may sleep so long in all, in many short pieces
FALSE_HITS_MAX = 20000


@dataclass(frozen=True)
class Stop:
    """Why the machine stopped.

    breakpoint (registers), step (registers), exit (status: QEMU's), panic (detail: message, then
    where the harts are), hang (all harts idle), limit (CPU time used up), output (too much of it).
    After the last five the run is over: further calls of resume() return the same.
    """

    kind: str
    registers: Registers | None = None
    status: int | None = None
    detail: str = ""


class Machine:
    """A running machine; a context manager: nothing survives it."""

    def __init__(
        self, built: Built, *, image: Path, cpus: int, icount: bool, folder: Path, sandbox: Sandbox,
        breakpoints: Sequence[int], append: str = "", cpu_seconds: float = 10.0,
        idle_seconds: float = 5.0,
    ) -> None:
        self.built, self.cpus, self.sandbox = built, cpus, sandbox
        self.breakpoints = set(breakpoints)
        self.cpu_limit = min(cpu_seconds, sandbox.budget.left + 1.0)
        self.idle_seconds = idle_seconds
        self.harts_seen: set[int] = set()  # those at which user processes reached a breakpoint
        self._end: Stop | None = None
        self._stopped_hart: int | None = None  # at a breakpoint that it has yet to step over
        self._last_hart = 0
        self._false_hits = 0
        self._idleness = Idleness()
        self._panicked_at: tuple[float, float] | None = None  # time and CPU time
        options = MachineOptions(image, cpus, icount, append)
        self.qemu = Qemu(built, options, folder, sandbox, self.cpu_limit)
        self.stub, self.memory, self.screen = self.qemu.stub, self.qemu.memory, self.qemu.screen
        try:
            for address in self.breakpoints:
                self.stub.insert(address)
        except StubGone as gone:
            error = self.qemu.not_started(str(gone))
            self.close()
            raise error from None

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends QEMU and gives everything back."""
        self.sandbox.budget.spend(self.cpu_seconds() + self._idleness.slept)
        self.qemu.close()

    # ---- Running ----

    def resume(self) -> Stop:
        """Runs until a user process reaches a breakpoint, or until the end."""
        if self._end is not None:
            return self._end
        self._idleness.forget()
        self._panicked_at = None
        try:
            if self._stopped_hart is not None:
                self._step_over(self._stopped_hart)
            stop = self._run()
        except StubGone as gone:
            stop = self._exited(str(gone))
        if stop.kind != "breakpoint":
            self._end = stop
            self.screen.read()
        return stop

    def add_breakpoint(self, address: int) -> None:
        """Has resume() stop there, too."""
        self.breakpoints.add(address)
        self._tell_stub(lambda: self.stub.insert(address))

    def remove_breakpoint(self, address: int) -> None:
        """Forgets a breakpoint."""
        self.breakpoints.discard(address)
        self._tell_stub(lambda: self.stub.remove(address))

    def _tell_stub(self, request: Callable[[], None]) -> None:
        """Asks a machine that has not ended for something; resume() sees that it has ended."""
        if self._end is None:
            try:
                request()
            except StubGone as gone:
                self._end = self._exited(str(gone))

    def step(self) -> Stop:
        """Executes one instruction of the hart that stopped last; the others do not run."""
        if self._end is not None:
            return self._end
        try:
            self._step_over(self._last_hart)
            return Stop("step", self.registers(self._last_hart))
        except StubGone as gone:
            self._end = self._exited(str(gone))
            return self._end

    def _run(self) -> Stop:
        """Lets the machine run until something that counts happens."""
        self.stub.go()
        next_look = next_read = time.monotonic()
        connection, console = self.qemu.connection, self.screen.stream
        is_open = True  # the console
        while True:
            reads = is_open and time.monotonic() >= next_read
            wake = min(next_look, next_read) if is_open and not reads else next_look
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
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + LOOK_SECONDS
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
            raise StubGone(f"QEMU said {packet!r}")
        pc = self.stub.general(hart)[PC]
        if pc not in self.breakpoints:
            return None
        self._stopped_hart = self._last_hart = hart
        registers = self.registers(hart)
        entry = sv39.lookup(self.memory, registers.satp, pc)
        if registers.priv == 0 and entry is not None and entry.u and entry.x:
            self.screen.read()
            self.harts_seen.add(hart)
            return Stop("breakpoint", registers)
        self._false_hits += 1
        if self._false_hits > FALSE_HITS_MAX:
            times = f"{self._false_hits} times"
            return self._over("limit", f"the kernel ran {times} through a test program's address")
        self._step_over(hart)
        return None

    def _step_over(self, hart: int) -> None:
        """Brings a hart past the breakpoint at which it stopped, while the others do not run."""
        self._stopped_hart = None
        pc = self.stub.general(hart)[PC]
        self._step(hart)
        if pc in self.breakpoints and self.stub.general(hart)[PC] == pc:
            self.stub.remove(pc)  # the breakpoint was in the way
            self._step(hart)
            self.stub.insert(pc)

    def _step(self, hart: int) -> None:
        """Executes one instruction."""
        if self.stub.step(hart) is None:
            raise StubGone("QEMU ended in a single step")

    def _look(self) -> Stop | None:
        """Decides whether there is nothing more to wait for."""
        now, cpu = time.monotonic(), self.cpu_seconds()
        if cpu > self.cpu_limit:
            return self._over("limit", f"{self.cpu_limit:g} s of CPU time are used up")
        if self.screen.panic:
            self._panicked_at = self._panicked_at or (now, cpu)
            then, cpu_then = self._panicked_at
            if now - then > PANIC_WALL_SECONDS or cpu - cpu_then > PANIC_CPU_SECONDS:
                return self._over("panic", self.screen.panic)
        is_idle = self._is_idle(now)
        if self._idleness.slept > SLEEP_SECONDS:
            return self._over("hang", f"all harts slept for {SLEEP_SECONDS:g} s in all")
        if is_idle:
            since = f"{self.idle_seconds:g} s"
            return self._over("hang", f"nothing has happened for {since}: every hart waits")
        return None

    def _is_idle(self, now: float) -> bool:
        """Tells whether QEMU has neither run nor waited for a processor of the host for so long
        that nothing will come."""
        usage = tree_usage(self.qemu.process.pid)
        return usage.cpu_seconds > 0 and self._idleness.lasts(now, usage, self.idle_seconds)

    def _exited(self, why: str) -> Stop:
        """Returns how QEMU ended; InfraError if that has nothing to do with the guest."""
        ended = self.qemu.ended(why)
        if ended.was_killed:
            if self.qemu.cpu_seconds_at_end() < self.cpu_limit:
                raise InfraError(f"QEMU was killed from outside (out of memory?) {ended.message}")
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
        general = self.stub.general(hart)
        special = {name: self.stub.read(hart, name) for name in REGISTERS_NEEDED}
        return Registers(hart, general[PC], general[:PC], **special)

    def harts_in_user_mode(self) -> set[int]:
        """Returns which they are while the machine is stopped."""
        return {hart for hart in range(self.cpus) if self.stub.read(hart, "priv") == 0}

    def set_register(self, hart: int, number: int, value: int) -> None:
        """Sets x[number] of a hart; a0 is number 10."""
        try:
            self.stub.write(hart, number, value & (1 << 64) - 1)
        except StubGone as gone:
            raise InfraError(f"QEMU's gdb stub does not set a register: {gone}") from None

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
        return self.qemu.cpu_seconds()
