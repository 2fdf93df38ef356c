"""A guest machine under observation: QEMU, its gdb stub and its memory.

The machine stands still except inside resume(), which runs it until a user process reaches a breakpoint or until there
is nothing more to wait for. A breakpoint counts in user mode only, and only where the page tables let the hart execute
it: on a page not yet mapped the hart faults first and comes back. QEMU gets its two connections as open files (stub,
RAM), so that no path is needed and nothing is left behind. Where the system does not tell CPU times, limits are in wall
time.
"""
from __future__ import annotations

import mmap
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Callable
from collections.abc import Sequence

from grader import sv39
from grader.backtrace import callers
from grader.console import trap_addresses
from grader.decode import Registers, describe
from grader.errors import DOES_NOT_START, InfraError, SubmissionError
from grader.gdbstub import GdbStub, StubGone
from grader.processes import Idleness, tree_usage
from grader.sandbox import Limits, Sandbox, find_program

QEMU = os.environ.get("QEMU", "qemu-system-riscv64")
RAM_BASE = 0x80000000
PC = 32  # its place among the general registers
QEMU_MEMORY = 4 << 30  # of address space, which is not all used
TRANSLATION_MEGABYTES = 64
CONSOLE_KEPT = 64 << 10  # bytes at the beginning, and as many at the end
LINE_MOST = 512
CONSOLE_MOST = 4 << 20  # a guest that prints more is stopped
LOOK_SECONDS = 0.1  # between looks at QEMU's use of resources
CONSOLE_SECONDS = 0.002  # between reads of the console, which QEMU writes byte by byte
PANIC_CPU_SECONDS = 0.5  # what a machine may use after a panic message before it is given up
PANIC_WALL_SECONDS = 2.0
SLEEP_SECONDS = 30.0  # of its time a machine may sleep so much, in many short pieces
FALSE_HITS_MOST = 20000
PANIC = re.compile(  # in capitals in MIT's base of 2019
    rb"^(?:[^\r\n]* )?(?:panic|PANIC):[^\r\n]*|^(?:panic|PANIC)\b[^\r\n]*", re.MULTILINE
)
KERNEL_REFUSED = re.compile(r"could not load kernel|ROM regions are overlapping", re.IGNORECASE)
REGISTERS_NEEDED = ("satp", "priv", "scause", "stval", "sepc")


@dataclass(frozen=True)
class Built:
    """A submission's kernel with our disk image: what a Machine runs."""

    dialect: str  # "cow6" or "xv6"
    kernel: Path
    image: Path
    # what the dialect needs besides kernel, harts, memory and disk: ["-bios", "none", ...]
    qemu_args: list[str]
    symbols: Path | None = None  # ELF file with debug information, for source lines
    memory: int = 128 << 20
    traits: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """Why the machine stopped.

    breakpoint (registers), step (registers), exit (status: QEMU's), panic (detail: message, then where the harts are),
    hang (idle), limit (CPU time), output (too much). After the last five it is over: further calls of resume() return
    the same.
    """

    kind: str
    registers: Registers | None = None
    status: int | None = None
    detail: str = ""


class Memory:
    """Guest RAM from outside."""

    def __init__(self, file: int, size: int, base: int = RAM_BASE) -> None:
        self.base, self.size = base, size
        self._bytes = mmap.mmap(file, size)

    def read(self, pa: int, n: int) -> bytes:
        """Returns n bytes; ValueError if they are not all in RAM."""
        start = self._offset(pa, n)
        return self._bytes[start : start + n]

    def write(self, pa: int, data: bytes) -> None:
        """Replaces bytes; ValueError if they are not all in RAM."""
        start = self._offset(pa, len(data))
        self._bytes[start : start + len(data)] = data

    def close(self) -> None:
        """Gives the memory back."""
        self._bytes.close()

    def _offset(self, pa: int, n: int) -> int:
        """Returns where the bytes are in the file."""
        if pa < self.base or n < 0 or pa + n > self.base + self.size:
            raise ValueError(f"{n} bytes at {pa:#x} are not in RAM")
        return pa - self.base


class Console:
    """What the guest prints: beginning and end are kept."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.length = 0
        self.panic = ""
        self._panic_is_whole = False
        self._head, self._tail = bytearray(), bytearray()
        self._line = b""  # the beginning of a line that is not yet complete
        os.set_blocking(stream.fileno(), False)

    def read(self) -> bool:
        """Takes in what there is; False at the end, for good."""
        while True:
            try:
                data = os.read(self.stream.fileno(), 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._take(data)
            if self.length > CONSOLE_MOST:
                return True

    def _take(self, data: bytes) -> None:
        """Keeps what is worth keeping, and looks for a panic message."""
        self.length += len(data)
        room = max(0, CONSOLE_KEPT - len(self._head))
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * CONSOLE_KEPT:
            del self._tail[:-CONSOLE_KEPT]
        text = self._line + data
        match = None if self._panic_is_whole else PANIC.search(text)
        if match:
            self.panic = match.group().decode(errors="replace")
            self._panic_is_whole = match.end() < len(text)
        self._line = text[text.rfind(b"\n") + 1 :][-LINE_MOST:]

    def text(self) -> str:
        """Returns what was printed, less its middle if that is too much."""
        tail = bytes(self._tail[-CONSOLE_KEPT:])
        gap = self.length - len(self._head) - len(tail)
        middle = b"\n[%d bytes left out]\n" % gap if gap > 0 else b""
        return (bytes(self._head) + middle + tail).decode(errors="replace").replace("\r", "")


class Machine:
    """A running machine; a context manager: nothing survives it."""

    def __init__(
        self, built: Built, *, image: Path, cpus: int, icount: bool, folder: Path, sandbox: Sandbox,
        breakpoints: Sequence[int], append: str = "", cpu_seconds: float = 10.0,
        idle_seconds: float = 5.0,
    ) -> None:
        self.built, self.image, self.cpus, self.icount = built, image, cpus, icount
        self.folder, self.sandbox, self.append = folder, sandbox, append
        self.breakpoints = set(breakpoints)
        self.cpu_limit, self.idle_seconds = min(
            cpu_seconds, sandbox.budget.left + 1.0
        ), idle_seconds
        self.harts_seen: set[int] = set()  # those at which user processes reached a breakpoint
        self._end: Stop | None = None
        # the hart at a breakpoint that it has yet to step over
        self._stopped_hart: int | None = None
        self._last_hart = 0
        self._false_hits = 0
        self._idleness = Idleness()
        self._panicked_at: tuple[float, float] | None = None  # time and CPU time
        self._cpu_seconds = 0.0  # as last seen
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._started = time.monotonic()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends QEMU and gives everything back."""
        if hasattr(self, "process"):
            self.sandbox.budget.spend(self.cpu_seconds() + self._idleness.slept)
            self.process.end()
            if self.process.stdout is not None:
                self.process.stdout.close()
        for name in ("_connection", "memory", "_errors"):
            if hasattr(self, name):
                getattr(self, name).close()

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
        """Has resume() stop there, too; the machine stands still."""
        self.breakpoints.add(address)
        self._tell_stub(lambda: self.stub.insert(address))

    def remove_breakpoint(self, address: int) -> None:
        """Forgets a breakpoint."""
        self.breakpoints.discard(address)
        self._tell_stub(lambda: self.stub.remove(address))

    def _tell_stub(self, request: Callable[[], None]) -> None:
        """Asks a machine that has not ended for something; that it ends is seen by resume()."""
        if self._end is None:
            try:
                request()
            except StubGone as gone:
                self._end = self._exited(str(gone))

    def step(self) -> Stop:
        """Executes one instruction of the hart that stopped last; the others stand still."""
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
        open_console = True
        while True:
            reads = open_console and time.monotonic() >= next_read
            wake = min(next_look, next_read) if open_console and not reads else next_look
            inputs = [self._connection, self.screen.stream] if reads else [self._connection]
            ready = select.select(inputs, [], [], max(0.0, wake - time.monotonic()))[0]
            if self.screen.stream in ready:
                open_console = self.screen.read()
                next_read = time.monotonic() + CONSOLE_SECONDS
            packet = self.stub.poll()
            if packet is not None:
                stop = self._stopped(packet)
                if stop is not None:
                    return stop
                self.stub.go()
            if self.screen.length > CONSOLE_MOST:
                return Stop(
                    "output",
                    detail=f"the kernel printed more than {CONSOLE_MOST >> 20} MiB\n{self.where()}"
                )
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + LOOK_SECONDS
                stop = self._look()
                if stop is not None:
                    return stop

    def _stopped(self, packet: str) -> Stop | None:
        """Returns what a packet from the running machine means; None if it shall run on."""
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
        if self._false_hits > FALSE_HITS_MOST:
            return Stop(
                "limit",
                detail=f"the kernel ran {self._false_hits} times through the address of a test program\n{self.where()}",
            )
        self._step_over(hart)
        return None

    def _step_over(self, hart: int) -> None:
        """Brings a hart past the breakpoint that it stands at, while the others stand still."""
        self._stopped_hart = None
        pc = self.stub.general(hart)[PC]
        self._step(hart)
        # the breakpoint was in the way
        if pc in self.breakpoints and self.stub.general(hart)[PC] == pc:
            self.stub.remove(pc)
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
            return Stop(
                "limit", detail=f"{self.cpu_limit:g} s of CPU time are used up\n{self.where()}"
            )
        if self.screen.panic:
            self._panicked_at = self._panicked_at or (now, cpu)
            if now - self._panicked_at[0] > PANIC_WALL_SECONDS or cpu - self._panicked_at[1] > PANIC_CPU_SECONDS:
                return Stop("panic", detail=f"{self.screen.panic}\n{self.where()}")
        is_idle = self._is_idle(now)
        if self._idleness.slept > SLEEP_SECONDS:
            return Stop(
                "hang", detail=f"all harts slept for {SLEEP_SECONDS:g} s in all\n{self.where()}"
            )
        if is_idle:
            return Stop(
                "hang", detail=f"nothing has happened for {self.idle_seconds:g} s: every hart waits\n{self.where()}"
            )
        return None

    def _is_idle(self, now: float) -> bool:
        """Says whether QEMU has neither run nor waited for a processor of the host for so long
        that nothing will come."""
        usage = tree_usage(self.process.pid)
        return usage.cpu_seconds > 0 and self._idleness.lasts(now, usage, self.idle_seconds)

    def _exited(self, why: str) -> Stop:
        """Returns how QEMU ended; InfraError if that has nothing to do with the guest."""
        try:
            status = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            raise InfraError(f"QEMU does not answer any more: {why}") from None
        while self.screen.read() and self.screen.length <= CONSOLE_MOST:
            time.sleep(0.01)
        status = status if status >= 0 else 128 - status
        text = self._error_text()
        if status in (128 + signal.SIGKILL, 128 + signal.SIGXCPU):
            if self._cpu_used() < self.cpu_limit:
                raise InfraError(f"QEMU was killed from outside (out of memory?) {text}")
            return Stop(
                "limit", status=status, detail=f"{self.cpu_limit:g} s of CPU time are used up"
            )
        if status == 128 + signal.SIGBUS:
            raise InfraError(
                f"the memory of the guest cannot be had: /dev/shm or the memory of this machine is full {text}"
            )
        if self.screen.panic:
            return Stop("panic", status=status, detail=self.screen.panic)
        return Stop("exit", status=status, detail=text)

    # ---- Looking ----

    def registers(self, hart: int) -> Registers:
        """Reads a hart's registers."""
        general = self.stub.general(hart)
        special = {name: self.stub.read(hart, name) for name in REGISTERS_NEEDED}
        return Registers(hart, general[PC], general[:PC], **special)

    def harts_in_user_mode(self) -> set[int]:
        """Returns which they are while the machine stands still."""
        return {hart for hart in range(self.cpus) if self.stub.read(hart, "priv") == 0}

    def set_register(self, hart: int, number: int, value: int) -> None:
        """Sets x[number] of a hart; a0 is number 10."""
        try:
            self.stub.write(hart, number, value & (1 << 64) - 1)
        except StubGone as gone:
            raise InfraError(f"QEMU's gdb stub does not set a register: {gone}") from None

    def where(self) -> str:
        """Says for each hart where it is: mode, pc, last trap and calls, with source lines.

        A running machine stops for it.
        """
        try:
            self._stand_still()
            states = [self.registers(hart) for hart in range(self.cpus)]
        except StubGone as gone:
            return f"(where the harts are cannot be read: {gone})"
        calls = [callers(self.memory, state) for state in states]
        traps = trap_addresses(self.console())
        return describe(states, calls, traps, self.built.symbols, self.sandbox)

    def _stand_still(self) -> None:
        """Stops the machine if it runs."""
        if self.stub.running:
            self.stub.interrupt()
            self.stub.wait(10.0)

    def console(self) -> str:
        """Returns what the guest printed, the middle left out if it is too much."""
        return self.screen.text()

    def cpu_seconds(self) -> float:
        """Returns the CPU time that QEMU has used."""
        self._cpu_seconds = max(self._cpu_seconds, tree_usage(self.process.pid).cpu_seconds)
        return self._cpu_seconds or time.monotonic() - self._started

    # ---- Starting ----

    def _start(self) -> None:
        """Starts QEMU with the machine at its first instruction, breakpoints set."""
        ours, theirs = socket.socketpair()
        self._connection = ours
        ram, ram_path, ram_windows = self._ram_file()
        try:
            self.memory = Memory(ram, self.built.memory)
            limits = Limits(
                cpu_seconds=2 * int(self.cpu_limit) + 10,  # a net below the one that is looked at
                memory_bytes=QEMU_MEMORY + self.built.memory,
                file_bytes=max(self.built.memory, self.image.stat().st_size),
            )
            self.process = self.sandbox.popen(
                self._command(ram_path, theirs.fileno()), cwd=self.folder,
                read=[self.folder, self.built.kernel],
                write=[self.image, *ram_windows], limits=limits, stdout=subprocess.PIPE,
                stderr=self._errors.fileno(),
                pass_fds=[theirs.fileno(), ram],
            )
            assert self.process.stdout is not None
            self.screen = Console(self.process.stdout)
        except OSError as error:
            raise InfraError(f"QEMU cannot be started: {error}") from None
        finally:
            theirs.close()
            os.close(ram)
        try:
            self.stub = GdbStub(self._connection)
            self._check_stub()
            for address in self.breakpoints:
                self.stub.insert(address)
        except StubGone as gone:
            self._not_started(str(gone))
        finally:
            for file in ram_windows:
                file.unlink()

    def _check_stub(self) -> None:
        """InfraError unless the stub shows what is needed."""
        missing = [name for name in REGISTERS_NEEDED if name not in self.stub.numbers]
        if missing:
            raise InfraError(f"this QEMU's gdb stub does not show {', '.join(missing)}: QEMU 7.2 or later is needed")
        if self.stub.harts() != self.cpus:
            raise InfraError(
                f"QEMU's gdb stub shows {self.stub.harts()} harts instead of {self.cpus}"
            )

    def _not_started(self, why: str) -> None:
        """Raises what fits a QEMU that ended at once."""
        self.process.end()
        text = self._error_text() or why
        if KERNEL_REFUSED.search(text):
            raise SubmissionError(f"QEMU cannot load the kernel: {text}", DOES_NOT_START)
        raise InfraError(f"QEMU does not start: {text}")

    def _ram_file(self) -> tuple[int, str, list[Path]]:
        """Makes the file that is the guest's RAM: returns it open, its path for QEMU,
        and what of it the sandbox must show."""
        try:
            if self.sandbox.proc and hasattr(os, "memfd_create"):
                ram = os.memfd_create("guest-ram")
                path, windows = f"/proc/self/fd/{ram}", []
            else:
                ram, path = tempfile.mkstemp(prefix="ram", dir=self.folder)
                windows = [Path(path)]
            os.ftruncate(ram, self.built.memory)
        except OSError as error:
            raise InfraError(f"the memory of the guest cannot be had: {error}") from None
        return ram, path, windows

    def _command(self, ram_path: str, stub: int) -> list[str]:
        """Returns QEMU's command line: only the devices that a kernel needs, and nothing that reaches the host."""
        size = self.built.memory
        words = [
            str(find_program(QEMU)), "-nodefaults", "-no-user-config", "-display", "none",
            "-monitor", "none",
            "-no-reboot",
        ]
        # With H a guest could have a second stage of translation, and with triggers an exception
        # just before a process comes to where the grader stops it.
        words += ["-cpu", "rv64,h=false,debug=false"]
        words += [
            "-machine", "virt,memory-backend=ram", "-smp", str(self.cpus), "-m", f"{size >> 20}M"
        ]
        words += ["-object", f"memory-backend-file,id=ram,size={size},mem-path={ram_path},share=on"]
        words += ["-accel", f"tcg,tb-size={TRANSLATION_MEGABYTES}"]
        words += ["-icount", "shift=0,sleep=off"] if self.icount else []
        words += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        words += ["-chardev", f"socket,id=stub,fd={stub}", "-gdb", "chardev:stub", "-S"]
        words += [*self.built.qemu_args, "-kernel", str(self.built.kernel)]
        words += [
            "-drive", f"file={option_value(self.image)},if=none,format=raw,id=disk,cache=unsafe"
        ]
        words += ["-device", "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0"]
        return words + (["-append", self.append] if self.append else [])

    def _error_text(self) -> str:
        """Returns what QEMU had to complain of."""
        self._errors.seek(0)
        return self._errors.read(4000).decode(errors="replace").strip()

    def _cpu_used(self) -> float:
        """Returns the CPU time of an ended QEMU as far as it was seen, and a second more, which may not have been."""
        return self._cpu_seconds + 1.0


def option_value(path: Path) -> str:
    """Returns a path as it must stand in one of QEMU's options: a comma is doubled."""
    return str(path).replace(",", ",,")
