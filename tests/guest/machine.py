"""A guest: the kernel in QEMU on an image of its own, its console's text, and its end."""
from __future__ import annotations

import re
import selectors
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import IO, List, Optional, Type

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "check"
PANIC = re.compile(rb"^panic\b.*$", re.MULTILINE)
FIRMWARE_END = "Boot HART MEDELEG"
FAILURE = re.compile(r": FAIL\b")
PANIC_SECONDS = 10.0  # what a panicking kernel gets for its backtrace
TAIL_LINES = 25


class GuestFailure(Exception):
    """The guest did not do what it should have."""


def make(*arguments: str) -> str:
    """Runs make in the project's folder and returns what it prints; its errors are the caller's."""
    command = ["make", "--no-print-directory", "-s", *arguments]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode != 0:
        raise GuestFailure(f"`{' '.join(arguments)}` does not build:\n{run.stdout.strip()}")
    return run.stdout


class Guest:
    """A running machine, to be used as a context manager; leaving it ends QEMU.

    `words` is the kernel's command line, `extra` are further options of QEMU. The image is copied first, so that runs
    do not disturb each other. All that the console prints goes to build/check/NAME.log.
    """

    def __init__(
        self, name: str, *, cpus: int, mem: str, words: str, kernel: Path, image: Path, limit: float, extra: str = ""
    ) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.log = RESULTS / f"{name}.log"
        self.image = RESULTS / f"{name}.img"
        shutil.copyfile(image, self.image)
        settings = [f"CPUS={cpus}", f"MEM={mem}", f"APPEND={words}", f"QEMUEXTRA={extra}"]
        settings += [f"KERNEL={kernel}", f"IMAGE={self.image}"]
        self.command = shlex.split(make("print-qemu", *settings))
        self.deadline = time.monotonic() + limit
        self.output = b""
        self.read_to = 0  # expect has seen the output up to here
        self.panicked = False

    def __enter__(self) -> "Guest":
        self.transcript: IO[bytes] = self.log.open("wb", buffering=0)
        self.process = subprocess.Popen(
            self.command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        assert self.process.stdout is not None
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
        _, _, kernel_text = self.text().rpartition(FIRMWARE_END)
        return "\n".join(kernel_text.splitlines()[-TAIL_LINES:])

    def evidence(self) -> List[str]:
        """Returns the lines to show of a bad run: what failed, else the last ones."""
        lines = self.text().splitlines()
        failures = [line for line in lines if FAILURE.search(line)]
        where = self.log.relative_to(ROOT)
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

    def expect(self, pattern: str, seconds: float = 60.0) -> str:
        """Waits until the console prints what the pattern matches, after what was expected before.

        Returns what it printed since then, the match included.
        """
        wanted = re.compile(pattern.encode(), re.MULTILINE)
        until = min(self.deadline, time.monotonic() + seconds)
        while True:
            match = wanted.search(self.output, self.read_to)
            if match:
                seen = self.output[self.read_to : match.end()].decode(errors="replace")
                self.read_to = match.end()
                return seen
            if not self._read(until):
                seen = self.output[self.read_to :].decode(errors="replace")[-400:]
                raise GuestFailure(f"expected {pattern!r}, saw {seen!r}")

    def wait(self) -> int:
        """Waits for the machine to power off and returns QEMU's exit status."""
        while self._read(self.deadline):
            pass
        if self.process.stdout in [key.fileobj for key in self.selector.get_map().values()]:
            raise GuestFailure("the kernel hangs after its panic" if self.panicked else "time is out")
        return self.process.wait(timeout=10)

    def _read(self, until: float) -> bool:
        """Reads what comes next from the console; False at its end and when time is out."""
        assert self.process.stdout is not None
        while time.monotonic() < until:
            if not self.selector.get_map():
                return False
            if not self.selector.select(timeout=min(1.0, max(0.0, until - time.monotonic()))):
                if time.monotonic() >= self.deadline:
                    return False
                continue
            data = self.process.stdout.read(65536)
            if not data:
                self.selector.unregister(self.process.stdout)
                return False
            self.output += data.replace(b"\r", b"")
            self.transcript.write(data)
            if not self.panicked and PANIC.search(self.output):
                self.panicked = True
                self.deadline = min(self.deadline, time.monotonic() + PANIC_SECONDS)
                until = min(until, self.deadline)
            return True
        return False


def fsck(image: Path) -> List[str]:
    """Returns what fsck finds wrong with the image."""
    run = subprocess.run(
        [str(ROOT / "mkfs" / "fsck"), "-q", str(image)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )
    return [] if run.returncode == 0 else run.stdout.strip().splitlines() or [f"fsck ends with {run.returncode}"]
