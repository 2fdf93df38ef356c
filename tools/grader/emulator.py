"""A program that emulates the guest's machine, as the grader runs it: in the sandbox, its RAM
shared, its console and gdb stub connected.

Both connections, and the RAM, are open files that it inherits: no path is needed, and nothing is
left behind.
"""
from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from gdbstub import GdbStub, StubGone
from grader import guest_console
from grader.built import Built
from grader.errors import DOES_NOT_START, InfraError, SubmissionError
from grader.guest_console import Screen
from grader.guest_memory import Memory
from grader.processes import Process
from grader.sandbox import Limits, Sandbox
from grader.syscalls import THREADS
from usage import Usage, tree_usage

ADDRESS_SPACE = 4 << 30  # which is not all used
USER = 0  # the stub's "priv"
END_SECONDS = 10.0  # to end once the stub is closed
REGISTERS_NEEDED = ("satp", "priv", "scause", "stval", "sepc")


@dataclass(frozen=True)
class Kind:
    """Which program emulates a machine: QEMU, or our simulator, which is as unkind as `profile`
    says."""

    is_simulated: bool = False
    profile: str = "kind"
    seed: int = 1  # of what a simulated machine does by chance


QEMU_KIND = Kind()


@dataclass(frozen=True)
class MachineOptions:
    """How to run a kernel: on what image, with how many harts, by which clock."""

    image: Path
    cpus: int
    icount: bool  # time is counted in instructions, whatever the host's speed
    append: str = ""  # the kernel's command line
    kind: Kind = QEMU_KIND


@dataclass(frozen=True)
class Ended:
    """How the program ended: its exit status, 128 and more for a signal, and what it said."""

    status: int
    message: str

    @property
    def was_killed(self) -> bool:
        """Tells whether it was killed, or had used up its limit of CPU time."""
        return self.status in (128 + signal.SIGKILL, 128 + signal.SIGXCPU)

    @property
    def has_no_memory(self) -> bool:
        """Tells whether the host had no memory for the guest's RAM."""
        return self.status == 128 + signal.SIGBUS


@dataclass(frozen=True)
class Over:
    """Why a machine that stands still cannot go on: the kind of a Stop, words, exit status."""

    kind: str
    why: str
    status: int | None = None


class Schedules(Protocol):
    """What decides which hart executes next."""

    def learn(self, seed: int) -> None:
        """From now on harts have turns, and it is noted which words of memory they share."""

    def begin(self, strategy: str, seed: int) -> None:
        """From now on the next hart is chosen before each access to such a word: by pos, surw or
        pct (docs/simulator.md)."""

    def end(self) -> None:
        """From now on harts have turns again."""


class Emulator:
    """A machine stopped at its first instruction; close() ends it and removes all traces."""

    name: str  # of the program
    watches_words = False  # it stops before a load of a watched word
    schedules: Schedules | None = None  # where it can choose which hart executes next

    def __init__(
        self, built: Built, options: MachineOptions, folder: Path, sandbox: Sandbox,
        cpu_limit: float,
    ) -> None:
        self.built, self.options, self.folder, self.sandbox = built, options, folder, sandbox
        self._cpu_seconds = 0.0  # as last seen
        self._started = time.monotonic()
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        try:
            self._start(cpu_limit)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends it and gives everything back."""
        if hasattr(self, "process"):
            self.process.end()
            if self.process.stdout is not None:
                self.process.stdout.close()
        for name in ("connection", "memory", "_errors"):
            if hasattr(self, name):
                getattr(self, name).close()

    # ---- What each program has for itself ----

    def command(self, ram_path: str, stub: int) -> list[str]:
        """Returns the command line: the devices that a kernel needs, and none that reaches the
        host. The open file `stub` is its end of the connection."""
        raise NotImplementedError

    def make_memory(self, file: int) -> Memory:
        """Returns the guest's RAM, which is in this open file."""
        return Memory(file, self.built.memory)

    def connect(self, cpu_limit: float) -> GdbStub:
        """Returns the connection to the program's stub."""
        return GdbStub(self.connection)

    def over(self, packet: str) -> Over | None:
        """Returns why the machine cannot go on after a stop of which this packet tells; None if it
        can, as far as the program tells."""
        return None

    def refuses_kernel(self, text: str) -> bool:
        """Tells whether the program says by this text that it cannot load the kernel."""
        raise NotImplementedError

    def run_together(self) -> bool:
        """Tells whether two harts have been seen in user mode at the same time: now, or since this
        was asked last."""
        modes = self.stub.read_all(range(self.options.cpus), "priv")
        return sum(mode == USER for mode in modes) > 1

    # ---- Its end ----

    def usage(self) -> Usage:
        """Looks at what it uses of the host."""
        usage = tree_usage(self.process.pid)
        self._cpu_seconds = max(self._cpu_seconds, usage.cpu_seconds)
        return usage

    def cpu_seconds_seen(self) -> float:
        """Returns the CPU time that it had used when that was last looked at; the wall time since
        it was started where the system does not tell."""
        return self._cpu_seconds or time.monotonic() - self._started

    def cpu_seconds_at_end(self) -> float:
        """Returns at least the CPU time that one which has ended has used: what was seen, and a
        second in which nothing was."""
        return self._cpu_seconds + 1.0

    def ended(self, why: str) -> Ended:
        """Waits for one that has closed its stub; InfraError if it does not end."""
        try:
            status = self.process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            raise InfraError(f"{self.name} does not answer any more: {why}") from None
        while self.screen.read() and self.screen.length <= guest_console.MOST:
            time.sleep(0.01)
        return Ended(status if status >= 0 else 128 - status, self._error_text())

    # ---- Starting ----

    def _start(self, cpu_limit: float) -> None:
        """Starts the program with the machine at its first instruction."""
        ours, theirs = socket.socketpair()
        self.connection = ours
        ram, ram_path, ram_windows = self._ram_file()
        try:
            self.memory = self.make_memory(ram)
            words = self.command(ram_path, theirs.fileno())
            self._spawn(words, [theirs.fileno(), ram], ram_windows, cpu_limit)
        except OSError as error:
            raise InfraError(f"{self.name} cannot be started: {error}") from None
        finally:
            theirs.close()
            os.close(ram)
        try:
            self.stub = self.connect(cpu_limit)
            self._check_stub()
        except StubGone as gone:
            raise self.not_started(str(gone)) from None
        finally:
            for file in ram_windows:
                file.unlink()

    def _spawn(
        self, words: Sequence[str], files: Sequence[int], windows: Sequence[Path], cpu_limit: float
    ) -> None:
        """Starts the process in the sandbox."""
        image, memory = self.options.image, self.built.memory
        limits = Limits(
            cpu_seconds=2 * int(cpu_limit) + 10,  # a net below the limit that is looked at
            memory_bytes=ADDRESS_SPACE + memory, file_bytes=max(memory, image.stat().st_size),
            starts=THREADS,
        )
        self.process: Process = self.sandbox.popen(
            words, cwd=self.folder, read=[self.folder, self.built.kernel], write=[image, *windows],
            limits=limits, stdout=subprocess.PIPE, stderr=self._errors.fileno(), pass_fds=files,
        )
        assert self.process.stdout is not None
        self.screen = Screen(self.process.stdout)

    def _ram_file(self) -> tuple[int, str, list[Path]]:
        """Makes the file that is the guest's RAM: returns it open, its path for the program, and
        what of it the sandbox must show."""
        try:
            if self.sandbox.proc and hasattr(os, "memfd_create"):
                ram = os.memfd_create("guest-ram")
                path, windows = f"/proc/self/fd/{ram}", []
            else:
                ram, path = tempfile.mkstemp(prefix="ram", dir=self.folder)
                windows = [Path(path)]
            os.ftruncate(ram, self.built.memory)
        except OSError as error:
            raise InfraError(f"there is no memory for the guest: {error}") from None
        return ram, path, windows

    def _check_stub(self) -> None:
        """InfraError unless the stub shows what is needed."""
        missing = [name for name in REGISTERS_NEEDED if name not in self.stub.numbers]
        if missing:
            names = ", ".join(missing)
            raise InfraError(
                f"the gdb stub of {self.name} does not show {names}: use QEMU 7.2 or later"
            )
        harts = self.stub.harts()
        if harts != self.options.cpus:
            raise InfraError(
                f"the gdb stub of {self.name} shows {harts} harts instead of {self.options.cpus}"
            )

    def not_started(self, why: str) -> Exception:
        """Returns the error for one that ended at once."""
        self.process.end()
        text = self._error_text() or why
        if self.refuses_kernel(text):
            return SubmissionError(f"{self.name} cannot load the kernel: {text}", DOES_NOT_START)
        return InfraError(f"{self.name} does not start: {text}")

    def _error_text(self) -> str:
        """Returns what it complained of."""
        self._errors.seek(0)
        return self._errors.read(4000).decode(errors="replace").strip()
