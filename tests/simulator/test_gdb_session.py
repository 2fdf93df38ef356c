"""gdb at the simulator's socket, as a user would use it, and clients that come and go."""
from __future__ import annotations

import re
from pathlib import Path
from socket import AF_INET, AF_UNIX, SOCK_STREAM, socket

import pytest
from command import CommandFailure
from debugged import Debugger, debugged, running
from products import product, target
from simulated import execute, simulator

from qemu import find_gdb, run_gdb

SESSION = "echo one >note; cat note\npoweroff\n"
try:
    MISSING = ""
    find_gdb()
except CommandFailure as failure:
    MISSING = str(failure)
needs_gdb = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def find_all(text: str, *patterns: str) -> None:
    """Asserts that the text has these, one after the other."""
    place = 0
    for pattern in patterns:
        found = re.compile(pattern, re.MULTILINE).search(text, place)
        assert found, f"expected {pattern!r} after\n{text[:place]}\nsaw\n{text[place:]}"
        place = found.end()


def gdb_session(folder: Path, *commands: str) -> str:
    """Returns what gdb prints in a session that ends with the simulator."""
    with running("--harts", 3, "--snapshot", folder=folder, typed=SESSION) as process:
        said = run_gdb(
            [f"target remote {folder / 'gdb'}", *commands, "kill"], target("kernel/kernel")
        )
        process.communicate(timeout=600)
    return said


@needs_gdb
def test_gdb_goes_back(tmp_path: Path) -> None:
    """From a breakpoint to the one before, by lines, by instructions, and out of a function."""
    find_all(
        gdb_session(
            tmp_path, "break cow_break", "continue", "monitor hash", "next", "next", "stepi",
            "reverse-stepi", "reverse-next", "reverse-continue", "monitor hash", "continue",
            "reverse-finish", "delete", "reverse-continue", "monitor time",
        ),
        r"hit Breakpoint 1, cow_break \(", r"^[0-9a-f]{16}$",
        r"hit Breakpoint 1, cow_break \(", r"^[0-9a-f]{16}$",
        r"hit Breakpoint 1, cow_break \(",
        r"in (resolve|vm_fault) \(",
        r"No more reverse-execution history", r"^0$",
    )


@needs_gdb
def test_gdb_finds_who_wrote(tmp_path: Path) -> None:
    """A watchpoint, going back, stops at the last write, before it."""
    find_all(
        gdb_session(
            tmp_path, "break power_off", "continue", "watch column", "reverse-continue",
            "backtrace 1", "continue",
        ),
        r"hit Breakpoint 1, power_off", r"Hardware watchpoint 2: .*column",
        r"hit Hardware watchpoint 2", r"^Old value = \d+$", r"^New value = \d+$", r"^#0 ",
        r"hit Hardware watchpoint 2", r"^Old value = \d+$", r"^New value = \d+$",
    )


@needs_gdb
def test_gdb_sees_harts_and_processes(tmp_path: Path) -> None:
    """Harts are threads, CSRs have names; the commands of tools/gdb/cow6.py work."""
    find_all(
        gdb_session(
            tmp_path, "break power_off", "continue", "info threads", "thread 2",
            "p $mhartid", "p/x $satp", "p $priv", "cow6 ps", "cow6 frames",
            "monitor harts", "monitor snapshots", "monitor what",
        ),
        r'1 .*"hart 0" \(', r'2 .*"hart 1" \(', r'3 .*"hart 2" \(',
        r"Switching to thread 2", r"= 1$", r"= 0x8[0-9a-f]{15}$", r"= 1$",
        r"^ +1 +- sleeping +\d+  init$", r"^RAM: \d+ frames", r"^\* hart \d: pc 0x",
        r"^\d+ snapshots, from time 0 on", r"^stop-at N",
    )


def test_harts_registers_and_memory(tmp_path: Path) -> None:
    """What is written is there; reading changes nothing; where nothing is, nothing is read."""
    with debugged("--harts", 2, "--snapshot", folder=tmp_path, typed=SESSION) as machine:
        debugger = machine.debugger
        debugger.run(until=600000)
        before = debugger.hash()
        general, (satp, privilege) = debugger.registers(0, ["satp", "priv"])
        assert debugger.harts() == 2 and satp >> 60 == 8 and privilege in (0, 1)
        assert debugger.read_all([0, 1], "mhartid") == [0, 1]
        assert debugger.memory(0, 8) == debugger.memory(1 << 40, 8) == b""
        assert debugger.memory(0x10000000, 1) == b""
        assert len(debugger.memory(general[32], 4)) == 4
        assert debugger.hash() == before
        debugger.write(0, 5, 0x1234)
        debugger.confirm()
        assert debugger.general(0)[5] == 0x1234 and debugger.hash() != before
        assert debugger.ask("Qqemu.PhyMemMode:1") == "OK"
        assert debugger.memory(0x80200000, 2) != b"" == debugger.memory(0xFFFFFFC080200000, 2)
        debugger.kill()
        assert machine.end().reason == "stopped"


def test_debugger_that_leaves_lets_the_machine_run(tmp_path: Path) -> None:
    """With a word or without; its breakpoints go with it. Another one may come first."""
    with debugged("--snapshot", folder=tmp_path, typed=SESSION) as machine:
        machine.debugger.insert(0xFFFFFFC080200000)
        machine.debugger.detach()
        assert machine.end().reason == "the guest has ended"
    with debugged("--snapshot", folder=tmp_path) as machine:
        machine.debugger.run(until=300000)
        machine.debugger.connection.close()
        second = machine.connect()
        assert second.time() >= 300000
        second.kill()
        assert "the debugger has gone" in machine.end().console


def test_debugger_interrupts(tmp_path: Path) -> None:
    """A machine that runs for ever, and is then at some time."""
    with debugged("--snapshot", folder=tmp_path) as machine:
        machine.debugger.go()
        machine.debugger.interrupt()
        assert machine.debugger.wait(600).startswith("T02thread:")
        assert machine.debugger.harts() == 1
        machine.debugger.kill()


def test_socket_of_tcp(tmp_path: Path) -> None:
    """At a port of this computer."""
    with socket(AF_INET, SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running("--snapshot", "--gdb", f":{port}", folder=tmp_path) as process:
        with socket(AF_INET, SOCK_STREAM) as connection:
            connection.connect(("127.0.0.1", port))
            Debugger(connection).kill()
            process.communicate(timeout=600)


def test_socket_that_was_left_behind(tmp_path: Path) -> None:
    """Is used again; a file of another kind is not removed."""
    with socket(AF_UNIX) as left:
        left.bind(str(tmp_path / "gdb"))
    with debugged("--snapshot", folder=tmp_path) as machine:
        machine.debugger.kill()
        machine.end()
    assert not (tmp_path / "gdb").exists()
    (tmp_path / "gdb").write_text("a file")
    status, said = execute(product("kernel/kernel"), "--gdb", tmp_path / "gdb")
    assert status == 2 and "Address already in use" in said
    assert (tmp_path / "gdb").read_text() == "a file"


@pytest.mark.parametrize("words, complaint", [
    (["--gdb", "/nowhere/socket"], "/nowhere/socket: No such file or directory"),
    (["--gdb", "x" * 200], "the path of a socket must be shorter"),
    (["--gdb", "localhost:no-such-port"], "localhost:no-such-port: "),
    (["--gdb", "a", "--trace", "b"], "do not go together"),
    (["--gdb", "a", "--stop-at", "cow_break"], "do not go together"),
    (["--trace-from", "5"], "need --trace"),
    (["--trace", "/nowhere/trace"], "/nowhere/trace: No such file or directory"),
])
def test_wrong_words_get_a_message(words: list[str], complaint: str) -> None:
    """And status 2."""
    simulator()
    status, said = execute(product("kernel/kernel"), *words)
    assert status == 2 and complaint in said, said
