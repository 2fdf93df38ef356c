"""The simulator under a debugger: our own client of the remote protocol, and gdb."""
from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, socket

from products import product
from simulated import COMPLAINT, END, Run, simulator

from gdbstub import GdbStub, StubGone

SECONDS = 600.0  # an answer comes within a few
BEGINNING = "replaylog:begin"


class Debugger(GdbStub):
    """A client that can also go back. Times are instructions, with those of idle harts."""

    def time(self) -> int:
        """Returns the machine's time."""
        return int(self.monitor("time"))

    def hash(self) -> str:
        """Returns the hash of the machine's state."""
        return self.monitor("hash").strip()

    def run(self, how: str = "vCont;c", until: int | None = None) -> str:
        """Runs, forwards or with `bc` backwards, to a stop or that time; returns the stop reply."""
        self.monitor("stop-at" if until is None else f"stop-at {until}")
        self._thread = -1
        answer = self.ask(how)
        while answer.startswith("O"):
            answer = self.wait(SECONDS)
        return answer

    def step_back(self, hart: int) -> str:
        """Goes to before the last instruction of that hart."""
        return self.ask_all([f"Hc{hart + 1:x}", "bs"])[1]

    def kill(self) -> None:
        """Ends the simulator."""
        self.send("k")


class Debugged:
    """A simulator, and how it ended."""

    def __init__(self, process: "subprocess.Popen[str]", path: Path) -> None:
        self.process = process
        self.path = path
        self.debugger = self.connect()

    def connect(self) -> Debugger:
        """Returns a new client."""
        connection = socket(AF_UNIX)
        connection.connect(str(self.path))
        return Debugger(connection)

    def end(self) -> Run:
        """Waits for the end of the simulator."""
        output = self.process.communicate(timeout=SECONDS)[0].replace("\r", "")
        assert not COMPLAINT.search(output), output
        end = END.search(output)
        assert end, output
        return Run(
            self.process.returncode,
            output[: end.start()],
            end["reason"],
            int(end["time"]),
            end["state"],
        )


@contextmanager
def running(
    *words: object, folder: Path, typed: str = "", program: str | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Starts a simulator that waits for a debugger at folder/gdb, with the image in that folder,
    or a new one."""
    simulator()
    image, keys = folder / "fs.img", folder / "keys"
    if not image.exists():
        shutil.copyfile(product("fs.img"), image)
    keys.write_text(typed)
    command: list[object] = [program or simulator(), product("kernel/kernel"), image]
    command += ["--input", keys, "--gdb", folder / "gdb", *words]
    with subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout
            first = process.stdout.readline()
            assert "waiting for gdb" in first, first
            yield process
        finally:
            process.kill()


@contextmanager
def debugged(
    *words: object, folder: Path, typed: str = "", program: str | None = None
) -> Iterator[Debugged]:
    """Yields a simulator that our client is connected to."""
    with running(*words, folder=folder, typed=typed, program=program) as process:
        yield Debugged(process, folder / "gdb")


__all__ = ["BEGINNING", "Debugged", "Debugger", "StubGone", "debugged", "running"]
