"""The simulator at a terminal: Ctrl-A X leaves it, whatever the guest does."""
from __future__ import annotations

import os
import struct
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, socket

import pytest
from debugged import Debugger
from products import product
from simulated import simulator

LEAVE = b"\x01x"
SECONDS = 600.0  # an event comes within one, and without it the test fails
LOOPS = struct.pack("<I", 0x0000006F)  # j .
WAITS = struct.pack("<II", 0x10500073, 0xFFDFF06F)  # wfi; j .-4


@contextmanager
def at_terminal(*words: object) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Yields the user's end of a terminal at which the simulator runs, and its process."""
    user, terminal = os.openpty()
    tty.setraw(terminal)  # so that it does not matter whether keys come before the simulator
    command = [simulator(), *map(str, words)]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        try:
            yield user, process
        finally:
            process.kill()
            os.close(user)


def read_until(user: int, wanted: bytes) -> bytes:
    """Reads what is shown until that is there."""
    shown = b""
    while wanted not in shown:
        shown += os.read(user, 4096)
    return shown


@pytest.mark.parametrize("program", [LOOPS, WAITS])
def test_keys_leave_a_guest_that_does_not_listen(program: bytes, tmp_path: Path) -> None:
    """It may run for ever, or wait for ever."""
    (tmp_path / "program").write_bytes(program)
    with at_terminal(tmp_path / "program") as (user, process):
        os.write(user, LEAVE)
        assert process.wait(SECONDS) == 1
        assert b"sim: " in os.read(user, 4096)


def test_keys_reach_the_guest(tmp_path: Path) -> None:
    """Ctrl-A itself must be typed twice; then it goes to the start of the line, as in cow6."""
    words = [product("kernel/kernel"), product("fs.img"), "--snapshot"]
    simulator()
    with at_terminal(*words) as (user, process):
        read_until(user, b"$ ")
        os.write(user, b"cho typed\x01\x01e\r")
        read_until(user, b"\ntyped")
        os.write(user, LEAVE)
        assert process.wait(SECONDS) == 1


def test_keys_reach_the_guest_under_a_debugger(tmp_path: Path) -> None:
    """While it runs; they come again when the time is gone through again, but are shown once.
    Ctrl-A X leaves the simulator while the debugger has stopped it, too."""
    path = tmp_path / "gdb"
    words = [product("kernel/kernel"), product("fs.img"), "--snapshot", "--gdb", path]
    simulator()
    with at_terminal(*words) as (user, process), socket(AF_UNIX) as connection:
        read_until(user, b"waiting for gdb")
        connection.connect(str(path))
        debugger = Debugger(connection)
        debugger.go()
        read_until(user, b"$ ")
        os.write(user, b"echo typed\r")
        read_until(user, b"\ntyped\r\n$ ")
        debugger.interrupt()
        assert debugger.wait(SECONDS).startswith("T02")
        time, state = debugger.time(), debugger.hash()
        debugger.run("bc")
        debugger.run(until=time)
        assert (debugger.time(), debugger.hash()) == (time, state)
        os.write(user, LEAVE)
        assert process.wait(SECONDS) == 1
        assert b"typed" not in os.read(user, 4096)
