"""A program that observes a machine: memory in a file, stops, schedules, and its end."""
from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from guest import build_guest
from simulated import execute, simulator

from gdbstub import GdbStub

MEMORY = 1 << 20
START = 0x80000000
LOOP = "6f000000"  # j .


@contextmanager
def observe(program: Path, file: Path) -> Iterator[tuple[GdbStub, subprocess.Popen[bytes]]]:
    """Starts a machine of two harts; its memory is in the file."""
    ours, theirs = socket.socketpair()
    file.write_bytes(b"")
    command = [str(simulator()), str(program), "--harts", "2", "--mem", "1"]
    command += ["--observe", str(theirs.fileno()), "--memory-file", str(file)]
    with ours, subprocess.Popen(
        command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        theirs.close()
        try:
            yield GdbStub(ours), process
            ours.close()
            process.communicate(timeout=60)
        finally:
            process.kill()


@pytest.mark.parametrize("words, complaint", [
    (["--observe", 5], "--observe and --memory-file go together"),
    (["--memory-file", "a"], "--observe and --memory-file go together"),
    (["--observe", 5, "--memory-file", "a", "--gdb", "b"], "does not go together"),
    (["--observe", 5, "--memory-file", "a", "--explore", 2], "does not go together"),
    (["--observe", 1000, "--memory-file", "/no/such/file"], "No such file"),
])
def test_wrong_options(words: list[object], complaint: str, tmp_path: Path) -> None:
    status, said = execute(build_guest("lost_update", tmp_path), *words)
    assert status == 2 and complaint in said


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_file_that_cannot_be_memory(tmp_path: Path) -> None:
    words = ("--observe", 1000, "--memory-file", "/dev/full")
    status, said = execute(build_guest("lost_update", tmp_path), *words)
    assert status == 2 and "/dev/full" in said


def test_memory_is_in_the_file(tmp_path: Path) -> None:
    """From the beginning, and after each stop; and what is written comes to the machine."""
    file = tmp_path / "memory"
    with observe(build_guest("lost_update", tmp_path), file) as (stub, _):
        stub.request("Qqemu.PhyMemMode:1")
        before = file.read_bytes()
        assert len(before) == MEMORY and before[:256] == stub.memory(START, 256)
        stub.request(f"M{START + 0x80000:x},4:01020304")
        stub.monitor("stop-at 100")
        stub.go()
        assert stub.stopped(stub.wait(60)) is not None
        assert file.read_bytes()[0x80000:0x80004] == bytes([1, 2, 3, 4])
        assert int(stub.monitor("time")) == 100


def test_schedules_are_chosen(tmp_path: Path) -> None:
    """With the same seed the same accesses are made in the same order."""

    def accesses(seed: int) -> str:
        with observe(build_guest("lost_update", tmp_path), tmp_path / "memory") as (stub, _):
            stub.monitor("learn 1")
            stub.monitor("stop-at 30")
            stub.go()
            stub.wait(60)
            stub.monitor(f"schedule pos {seed}")
            stub.monitor("stop-at 120")
            stub.go()
            stub.wait(60)
            return stub.monitor("accesses")

    first = accesses(1)
    assert first == accesses(1)
    for complaint in ("schedule nothing 1", "schedule pos", "learn x"):
        with observe(build_guest("lost_update", tmp_path), tmp_path / "memory") as (stub, _):
            assert "takes" in stub.monitor(complaint)


def test_program_that_goes_away(tmp_path: Path) -> None:
    """The machine, which would run forever, ends with it."""
    with observe(build_guest("lost_update", tmp_path), tmp_path / "memory") as (stub, process):
        stub.request("Qqemu.PhyMemMode:1")
        stub.request(f"M{START:x},4:{LOOP}")
        stub.go()
        stub.connection.close()
        assert process.wait(timeout=60) == 1
