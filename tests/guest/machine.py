"""A guest: the kernel in QEMU on an image of its own, its console's text, and its end."""
from __future__ import annotations

import re
import selectors
import shlex
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, List, Optional, Type

from limits import Activity

from paths import ROOT
from firmware import after_firmware
from products import make_environment, product, target

RESULTS = product("build/check")
PANIC = re.compile(rb"^panic\b.*$", re.MULTILINE)
FAILURE = re.compile(r": FAIL\b")
UNFINISHED = re.compile(r"^\w+: $")
OUTPUT_BYTES_MAX = 1 << 24
CPU_SECONDS = 600.0  # more than ten times what the longest run needs; an endless loop ends here
PANIC_CPU_SECONDS = 30.0  # what a panicking kernel gets for its backtrace
IDLE_SECONDS = 30.0  # of every hart: after that nothing will come
AT_REST_SECONDS = 1.0
LOOK_SECONDS = 1.0
TAIL_LINES = 25
TAIL_BYTES = 1000


class GuestFailure(Exception):
    """The guest did not do what it should have."""


def make(*arguments: str) -> str:
    """Runs make in the project's folder and returns what it prints; its errors are the caller's."""
    command = ["make", "--no-print-directory", "-s", *arguments]
    run = subprocess.run(command, cwd=ROOT, env=make_environment(), capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise GuestFailure(f"`{' '.join(arguments)}` does not build:\n{(run.stdout + run.stderr).strip()}")
    return run.stdout


class Guest:
    """A running machine, to be used as a context manager; leaving it ends QEMU.

    `words` is the kernel's command line, `extra` are further options of QEMU; kernel and image have the names that make
    has for them. The image is copied first, so that runs do not disturb each other. All that the console prints goes to
    build/check/NAME.log. A machine that neither prints what is waited for nor ends is given up when it has been idle
    for long, or has used much processor time.
    """

    def __init__(
        self, name: str, *, cpus: int, mem: str, words: str, kernel: str, image: str, extra: str = ""
    ) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.log = RESULTS / f"{name}.log"
        self.image = RESULTS / f"{name}.img"
        shutil.copyfile(ROOT / image, self.image)
        settings = [f"CPUS={cpus}", f"MEM={mem}", f"APPEND={words}", f"QEMUEXTRA={extra}"]
        settings += [f"KERNEL={kernel}", f"IMAGE={target(f'build/check/{name}.img')}"]
        self.command = shlex.split(make("print-qemu", *settings))
        self.cpu_limit = CPU_SECONDS
        self.output = b""
        self.read_to = 0  # expect has seen the output up to here
        self.panicked = False

    def __enter__(self) -> "Guest":
        self.transcript: IO[bytes] = self.log.open("wb", buffering=0)
        self.process = subprocess.Popen(
            self.command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        assert self.process.stdout is not None
        self.activity = Activity(self.process.pid)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
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

    def tail(self) -> str:
        """Returns the last lines that the console printed, without the firmware's."""
        return "\n".join(after_firmware(self.text()).splitlines()[-TAIL_LINES:])

    def evidence(self) -> List[str]:
        """Returns the lines to show of a bad run: what failed, else the last ones."""
        lines = self.text().splitlines()
        failures = [line for line in lines if FAILURE.search(line)]
        where = target(f"build/check/{self.log.name}")
        if lines and UNFINISHED.search(lines[-1]):
            failures = [*failures[: TAIL_LINES - 1], f"{lines[-1]} the last line: this test does not end"]
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
        """Waits until the console prints what the pattern matches, after what was expected before.

        Returns what it printed since then, the match included. Output counts byte by byte, in whatever pieces it comes:
        a pattern that matches too early does so always.
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
                raise GuestFailure(f"expected {pattern!r}, saw {seen!r}; the machine {self._state()}")

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
        """Tells whether nothing more is to be expected."""
        return (
            self.activity.idle_seconds >= IDLE_SECONDS or self.activity.cpu_seconds >= self.cpu_limit
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
        return f"does not end{after}: it has used {self.activity.cpu_seconds:.0f} s of processor time"

    def _read(self) -> bool:
        """Reads what comes next from the console, or looks what the machine does; False if nothing more will come."""
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
        if not self.panicked and PANIC.search(self.output, max(0, len(self.output) - 2 * len(data) - TAIL_BYTES)):
            self.panicked = True
            self.cpu_limit = min(self.cpu_limit, self.activity.cpu_seconds + PANIC_CPU_SECONDS)
        return not self._is_given_up()


def fsck(image: Path) -> List[str]:
    """Returns what fsck finds wrong with the image."""
    run = subprocess.run(
        [str(product("mkfs/fsck")), "-q", str(image)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )
    return [] if run.returncode == 0 else run.stdout.strip().splitlines() or [f"fsck ends with {run.returncode}"]
