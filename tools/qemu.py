"""The kernel in QEMU, for tests, benchmarks and transcripts: a guest with an image of its own.

The grader (tools/grader/qemu.py) and gradelib.py have code of their own for this, on purpose:
the grader boots kernels that it cannot trust, in a sandbox and through the gdb stub, and
gradelib.py is a single file that can be copied elsewhere.
"""
from __future__ import annotations

import re
import selectors
import shlex
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO

from command import CommandFailure, make, run
from firmware import after_firmware
from limits import Activity, run_limited
from products import ROOT, make_environment, product, target

RESULTS = product("build/check")
PANIC = re.compile(rb"^panic\b.*$", re.MULTILINE)
FAILURE = re.compile(r": FAIL\b")
UNFINISHED = re.compile(r"^\w+: $")
ICOUNT = "-icount shift=0,sleep=off"  # with one hart, every run executes the same instructions
OUTPUT_BYTES_MAX = 1 << 24
CPU_SECONDS = 600.0  # more than ten times what the longest run needs; an endless loop ends here
PANIC_CPU_SECONDS = 30.0  # what a panicking kernel gets for its backtrace
IDLE_SECONDS = 30.0  # of every hart: after that nothing will come
AT_REST_SECONDS = 1.0
LOOK_SECONDS = 1.0
GDB_CPU_SECONDS = 300
TAIL_LINES = 25
TAIL_BYTES = 1000


class GuestFailure(CommandFailure):
    """The guest did not do what it should have."""


class Guest:
    """A running machine, to be used as a context manager; leaving it ends QEMU.

    `words` is the kernel's command line, `extra` are further options of QEMU; kernel and image have
    the names that make has for them in `tree`. The guest gets a copy of the image, so that runs do
    not disturb each other. gdb can connect to the socket `stub` as soon as the guest has been
    entered; one that is `stopped` waits for it. Console output also goes to build/check/NAME.log.
    If the machine neither prints what is expected nor ends, it is given up after it has been idle
    for a while, or has used much processor time.
    """

    def __init__(
        self, name: str, *, words: str, cpus: int = 1, mem: str = "128M", kernel: str = "",
        image: str = "", extra: str = "", tree: Path = ROOT, stub: Path | None = None,
        stopped: bool = False,
    ) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.tree = tree
        self.log = RESULTS / f"{name}.log"
        self.image = RESULTS / f"{name}.img"
        shutil.copyfile(tree / (image or self._named("fs.img")), self.image)
        self.listener = listen(stub) if stub is not None else None
        if self.listener is not None:
            extra += stub_options(self.listener, stopped)
        copy = target(f"build/check/{name}.img") if tree == ROOT else str(self.image)
        settings = [f"CPUS={cpus}", f"MEM={mem}", f"APPEND={words}", f"QEMUEXTRA={extra}"]
        settings += [f"KERNEL={kernel or self._named('kernel/kernel')}", f"IMAGE={copy}"]
        self.command = shlex.split(make("print-qemu", *settings, tree=tree))
        self.cpu_limit = CPU_SECONDS
        self.output = b""
        self.read_to = 0  # expect has seen the output up to here
        self.panicked = False

    def _named(self, product_name: str) -> str:
        """Returns what the tree's make calls a product."""
        return target(product_name) if self.tree == ROOT else product_name

    def __enter__(self) -> "Guest":
        self.transcript: IO[bytes] = self.log.open("wb", buffering=0)
        inherited = [] if self.listener is None else [self.listener.fileno()]
        self.process = subprocess.Popen(
            self.command,
            cwd=self.tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=inherited,
        )
        if self.listener is not None:
            self.listener.close()
        assert self.process.stdout is not None
        self.activity = Activity(self.process.pid)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        self.selector.close()
        for stream in (self.process.stdin, self.process.stdout, self.transcript):
            if stream is not None:
                stream.close()

    def text(self) -> str:
        """Returns all that the console has printed."""
        return self.output.decode(errors="replace")

    def kernel_text(self) -> str:
        """Returns what the console has printed since the firmware started the kernel."""
        return after_firmware(self.text())

    def tail(self) -> str:
        """Returns the last lines that the kernel has printed."""
        return "\n".join(self.kernel_text().splitlines()[-TAIL_LINES:])

    def evidence(self) -> list[str]:
        """Returns the lines to show about a bad run: those that failed, or the last ones."""
        lines = self.text().splitlines()
        failures = [line for line in lines if FAILURE.search(line)]
        where = target(f"build/check/{self.log.name}")
        if lines and UNFINISHED.search(lines[-1]):
            failures = [
                *failures[: TAIL_LINES - 1],
                f"{lines[-1]} the last line: this test does not end",
            ]
        if failures and not self.panicked:
            return [f"transcript: {where}, with:", *failures[:TAIL_LINES]]
        return [f"transcript: {where}, which ends:", self.tail()]

    def send(self, text: str) -> None:
        """Types the text."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(text.encode())
        except BrokenPipeError:
            raise GuestFailure("the machine is off, nothing can be typed") from None

    def expect(self, pattern: str) -> str:
        """Waits until the console prints a match, after what was expected before.

        Returns the output since then, the match included. Output is looked at byte by byte:
        a pattern that matches too early does so on every run.
        """
        wanted = re.compile(pattern.encode(), re.MULTILINE)
        end = self.read_to
        while True:
            for end in range(end, len(self.output) + 1):
                match = wanted.search(self.output, self.read_to, end)
                if match:
                    seen = self.output[self.read_to : match.end()].decode(errors="replace")
                    self.read_to = match.end()
                    return seen
            if not self._read():
                seen = self.output[self.read_to :].decode(errors="replace")[-400:]
                raise GuestFailure(
                    f"expected {pattern!r}, saw {seen!r}; the machine {self._state()}"
                )

    def expect_rest(self) -> None:
        """Waits until every hart is idle."""
        while self.activity.idle_seconds < AT_REST_SECONDS:
            if not self._read():
                raise GuestFailure(f"expected the machine to come to rest; it {self._state()}")

    def wait(self) -> int:
        """Waits for the machine to power off and returns QEMU's exit status."""
        while self._read():
            pass
        if self._is_open():
            raise GuestFailure(f"the machine {self._state()}")
        return self.process.wait()

    def _is_open(self) -> bool:
        """Tells whether the console may print more."""
        return bool(self.selector.get_map())

    def _is_given_up(self) -> bool:
        """Tells whether it is useless to wait any longer."""
        return (
            self.activity.idle_seconds >= IDLE_SECONDS
            or self.activity.cpu_seconds >= self.cpu_limit
            or len(self.output) > OUTPUT_BYTES_MAX
        )

    def _state(self) -> str:
        """Returns why no more was read."""
        after = " after its panic" if self.panicked else ""
        if not self._is_open():
            return f"is off{after}"
        if self.activity.idle_seconds >= IDLE_SECONDS:
            return f"hangs{after}: every hart has been idle for {IDLE_SECONDS:g} s"
        if len(self.output) > OUTPUT_BYTES_MAX:
            return f"has printed more than {OUTPUT_BYTES_MAX >> 20} MiB"
        used = f"{self.activity.cpu_seconds:.0f} s of processor time"
        return f"does not end{after}: it has used {used}"

    def _read(self) -> bool:
        """Reads from the console, or looks at what QEMU does; False if waiting is useless."""
        assert self.process.stdout is not None
        if not self._is_open():
            return False
        if not self.selector.select(timeout=LOOK_SECONDS):
            self.activity.look()
            return not self._is_given_up()
        data = self.process.stdout.read(65536)
        if not data:
            self.selector.unregister(self.process.stdout)
            return False
        self.activity.look()
        self.activity.idle_seconds = 0.0
        self.output += data.replace(b"\r", b"")
        self.transcript.write(data)
        if not self.panicked and PANIC.search(
            self.output, max(0, len(self.output) - 2 * len(data) - TAIL_BYTES)
        ):
            self.panicked = True
            self.cpu_limit = min(self.cpu_limit, self.activity.cpu_seconds + PANIC_CPU_SECONDS)
        return not self._is_given_up()


def listen(path: Path) -> socket.socket:
    """Returns a socket to which clients can connect by that path before anybody accepts them."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    return listener


def stub_options(listener: socket.socket, stopped: bool) -> str:
    """Returns QEMU's options for a gdb stub on the socket, which it inherits."""
    waits = "on" if stopped else "off"
    stub = f" -chardev socket,id=gdb,fd={listener.fileno()},server=on,wait={waits} -gdb chardev:gdb"
    return f"{stub} -S" if stopped else stub


def find_gdb() -> str:
    """Returns the gdb that can debug the kernel; raises CommandFailure if there is none."""
    found = run(["sh", ROOT / "tools/find-gdb"])
    if not found.succeeded:
        raise CommandFailure(found.output.strip())
    return found.output.strip()


def run_gdb(commands: list[str], kernel: str, tree: Path = ROOT) -> str:
    """Runs these commands in gdb, with tools/gdb/cow6.py loaded; returns what gdb prints."""
    arguments = [find_gdb(), "-nx", "-q", "-batch"]
    first = ["set architecture riscv:rv64", f"file {kernel}", "set width 0"]
    for command in [*first, "source tools/gdb/cow6.py", *commands]:
        arguments += ["-ex", command]
    return run_limited(arguments, tree, GDB_CPU_SECONDS, make_environment(tree)).output
