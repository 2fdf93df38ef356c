"""QEMU as the grader runs it: in the sandbox, its RAM shared, its console and gdb stub connected.

Both connections, and the RAM, are open files that QEMU inherits: no path is needed, and nothing is
left behind. tools/qemu.py starts QEMU for tests and benchmarks, through the Makefile as students
do; gradelib.py travels alone and has its own code. Neither runs strangers' kernels in a sandbox.
"""
from __future__ import annotations

import functools
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gdbstub import GdbStub, StubGone
from grader import guest_console, protections
from grader.built import Built
from grader.errors import DOES_NOT_START, InfraError, SubmissionError
from grader.guest_console import Screen
from grader.guest_memory import Memory
from grader.processes import Process
from grader.protections import Protections
from grader.sandbox import Limits, Sandbox, find_program
from grader.syscalls import THREADS
from usage import Usage, tree_usage

QEMU = os.environ.get("QEMU", "qemu-system-riscv64")
QEMU_MEMORY = 4 << 30  # of address space, which is not all used
TRANSLATION_MEGABYTES = 64
END_SECONDS = 10.0  # for QEMU to end once it has closed its stub
OWN_SANDBOX = (
    "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
)
TRIAL = ("-nodefaults", "-no-user-config", "-machine", "none", "-display", "none")
TRIAL_SECONDS = 60.0
KERNEL_REFUSED = re.compile(r"could not load kernel|ROM regions are overlapping", re.IGNORECASE)
REGISTERS_NEEDED = ("satp", "priv", "scause", "stval", "sepc")


@dataclass(frozen=True)
class MachineOptions:
    """How to run a kernel: on what image, with how many harts, by which clock."""

    image: Path
    cpus: int
    icount: bool  # time is counted in instructions, whatever the host's speed
    append: str = ""  # the kernel's command line


@dataclass(frozen=True)
class Ended:
    """How QEMU ended: its exit status, 128 and more for a signal, and what it complained of."""

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


@functools.lru_cache(maxsize=None)
def own_sandbox(program: str) -> Sequence[str]:
    """Returns the words by which this QEMU gives up system calls that it does not need; none if it
    cannot."""
    words = [program, *TRIAL, "-monitor", "stdio", *OWN_SANDBOX]
    try:
        done = subprocess.run(
            words, input=b"quit\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=TRIAL_SECONDS, check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return OWN_SANDBOX if done.returncode == 0 else ()


def protections_of(sandbox: Sandbox) -> Protections:
    """Returns the protections of a sandbox and of the QEMU in it."""
    has_own = bool(own_sandbox(str(find_program(QEMU))))
    return sandbox.walls.protections.adding(
        protections.QEMU, "its option -sandbox" if has_own else "",
        "this QEMU was built without its option -sandbox",
    )


class Qemu:
    """A QEMU stopped at its first instruction; close() ends it and removes all traces."""

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
        """Ends QEMU and gives everything back."""
        if hasattr(self, "process"):
            self.process.end()
            if self.process.stdout is not None:
                self.process.stdout.close()
        for name in ("connection", "memory", "_errors"):
            if hasattr(self, name):
                getattr(self, name).close()

    def usage(self) -> Usage:
        """Looks at what QEMU uses of the host."""
        usage = tree_usage(self.process.pid)
        self._cpu_seconds = max(self._cpu_seconds, usage.cpu_seconds)
        return usage

    def cpu_seconds_seen(self) -> float:
        """Returns the CPU time that QEMU had used when that was last looked at; the wall time since
        it was started where the system does not tell."""
        return self._cpu_seconds or time.monotonic() - self._started

    def cpu_seconds_at_end(self) -> float:
        """Returns at least the CPU time that an ended QEMU has used: what was seen, and a second in
        which nothing was."""
        return self._cpu_seconds + 1.0

    def ended(self, why: str) -> Ended:
        """Waits for a QEMU that has closed its stub; InfraError if it does not end."""
        try:
            status = self.process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            raise InfraError(f"QEMU does not answer any more: {why}") from None
        while self.screen.read() and self.screen.length <= guest_console.MOST:
            time.sleep(0.01)
        return Ended(status if status >= 0 else 128 - status, self._error_text())

    # ---- Starting ----

    def _start(self, cpu_limit: float) -> None:
        """Starts QEMU with the machine at its first instruction."""
        ours, theirs = socket.socketpair()
        self.connection = ours
        ram, ram_path, ram_windows = self._ram_file()
        try:
            self.memory = Memory(ram, self.built.memory)
            words = self._command(ram_path, theirs.fileno())
            self._spawn(words, [theirs.fileno(), ram], ram_windows, cpu_limit)
        except OSError as error:
            raise InfraError(f"QEMU cannot be started: {error}") from None
        finally:
            theirs.close()
            os.close(ram)
        try:
            self.stub = GdbStub(self.connection)
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
            memory_bytes=QEMU_MEMORY + memory, file_bytes=max(memory, image.stat().st_size),
            starts=THREADS,
        )
        self.process: Process = self.sandbox.popen(
            words, cwd=self.folder, read=[self.folder, self.built.kernel], write=[image, *windows],
            limits=limits, stdout=subprocess.PIPE, stderr=self._errors.fileno(), pass_fds=files,
        )
        assert self.process.stdout is not None
        self.screen = Screen(self.process.stdout)

    def _ram_file(self) -> tuple[int, str, list[Path]]:
        """Makes the file that is the guest's RAM: returns it open, its path for QEMU, and what of
        it the sandbox must show."""
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
            raise InfraError(f"this QEMU's gdb stub does not show {names}: use QEMU 7.2 or later")
        harts = self.stub.harts()
        if harts != self.options.cpus:
            raise InfraError(f"QEMU's gdb stub shows {harts} harts instead of {self.options.cpus}")

    def not_started(self, why: str) -> Exception:
        """Returns the error for a QEMU that ended at once."""
        self.process.end()
        text = self._error_text() or why
        if KERNEL_REFUSED.search(text):
            return SubmissionError(f"QEMU cannot load the kernel: {text}", DOES_NOT_START)
        return InfraError(f"QEMU does not start: {text}")

    def _command(self, ram_path: str, stub: int) -> list[str]:
        """Returns QEMU's command line: the devices that a kernel needs, and none that reaches the
        host."""
        built, options, size = self.built, self.options, self.built.memory
        words = [str(find_program(QEMU)), "-nodefaults", "-no-user-config", "-no-reboot"]
        words += ["-display", "none", "-monitor", "none", *own_sandbox(words[0])]
        # With H a guest could have a second stage of translation, and with triggers an exception
        # just before a process comes to where the grader stops it.
        words += ["-cpu", "rv64,h=false,debug=false"]
        words += ["-machine", "virt,memory-backend=ram"]
        words += ["-smp", str(options.cpus), "-m", f"{size >> 20}M"]
        words += ["-object", f"memory-backend-file,id=ram,size={size},mem-path={ram_path},share=on"]
        words += ["-accel", f"tcg,tb-size={TRANSLATION_MEGABYTES}"]
        words += ["-icount", "shift=0,sleep=off"] if options.icount else []
        words += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        words += ["-chardev", f"socket,id=stub,fd={stub}", "-gdb", "chardev:stub", "-S"]
        words += [*built.qemu_args, "-kernel", str(built.kernel)]
        image = option_value(options.image)
        words += ["-drive", f"file={image},if=none,format=raw,id=disk,cache=unsafe"]
        words += ["-device", "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0"]
        return words + (["-append", options.append] if options.append else [])

    def _error_text(self) -> str:
        """Returns what QEMU complained of."""
        self._errors.seek(0)
        return self._errors.read(4000).decode(errors="replace").strip()


def option_value(path: Path) -> str:
    """Returns a path as QEMU's options have it: a comma is doubled."""
    return str(path).replace(",", ",,")
