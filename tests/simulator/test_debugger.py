"""Debugging: what a debugger sees and changes, forwards and backwards."""
from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from command import make, run
from debugged import BEGINNING, Debugger, debugged
from products import product
from simulated import run_kernel, simulator

SESSION = "echo one >note; cat note\npoweroff\n"
TIMES = [0, 1, 1000, 250000, 250001, 1000000, 1200003]


@functools.lru_cache(maxsize=None)
def address_of(name: str) -> int:
    """Returns the address of something in the kernel."""
    simulator()
    listing = run([*make("print-NM").split(), product("kernel/kernel")]).output
    found = re.search(rf"^(\w+) \w {name}$", listing, re.MULTILINE)
    assert found, name
    return int(found.group(1), 16)


@pytest.mark.parametrize("profile", ["kind", "all"])
def test_back_is_where_it_was(profile: str, tmp_path: Path) -> None:
    """At any time the state is the same forwards, backwards, and without a debugger; so are the
    end and what was printed."""
    words = ["--harts", 3, "--snapshot", "--profile", profile]
    plain = run_kernel(*words, folder=tmp_path, typed=SESSION)
    stopped = run_kernel(*words, "--stop-at", TIMES[-1], folder=tmp_path, typed=SESSION)
    with debugged(*words, folder=tmp_path, typed=SESSION) as machine:
        debugger, hashes = machine.debugger, []
        for time in TIMES:
            if time > 0:
                debugger.run(until=time)
            assert debugger.time() == time
            hashes.append(debugger.hash())
        assert hashes[-1] == stopped.state
        assert "the guest has ended" not in debugger.run()
        for time, state in reversed(list(zip(TIMES, hashes))):
            answer = debugger.run("bc", until=time)
            assert (debugger.time(), debugger.hash()) == (time, state)
        assert BEGINNING in answer
        for time, state in zip(TIMES[1:], hashes[1:]):
            debugger.run(until=time)
            assert (debugger.time(), debugger.hash()) == (time, state)
        debugger.run()
        debugger.run()
        assert machine.end() == plain


def test_steps_go_back(tmp_path: Path) -> None:
    """An instruction of any hart, whoever has executed since; harts are stepped in their turns."""
    with debugged("--harts", 3, "--snapshot", folder=tmp_path) as machine:
        debugger = machine.debugger
        debugger.run(until=300000)
        seen = []
        for hart in [0, 1, 2, 0, 0, 1, 2, 2, 1]:
            assert debugger.step(hart) == hart
            seen.append((hart, debugger.time(), debugger.general(hart)))
        for hart, time, registers in reversed(seen):
            debugger.run("bc", until=time)
            assert debugger.general(hart) == registers
            debugger.step_back(hart)
            assert debugger.time() == time - 1
            assert debugger.step(hart) == hart and debugger.time() == time
            assert debugger.general(hart) == registers
        debugger.kill()


def stops(debugger: Debugger, how: str) -> list[tuple[int, str]]:
    """Runs from stop to stop until the machine ends, or to its beginning; returns where it was."""
    found: list[tuple[int, str]] = []
    while True:
        answer = debugger.run(how)
        hart = debugger.stopped(answer)
        if BEGINNING in answer or hart is None:
            return found
        pc = debugger.general(hart)[32]
        if pc != address_of("cow_break"):
            return found
        found.append((debugger.time(), debugger.hash()))


@pytest.mark.parametrize("profile", ["kind", "all"])
def test_breakpoints_stop_in_both_directions(profile: str, tmp_path: Path) -> None:
    """At the same instructions, in the same states."""
    words = ["--harts", 3, "--snapshot", "--profile", profile]
    with debugged(*words, folder=tmp_path, typed=SESSION) as machine:
        debugger = machine.debugger
        debugger.insert(address_of("cow_break"))
        forwards = stops(debugger, "vCont;c")
        assert len(forwards) > 5
        assert stops(debugger, "bc") == forwards[::-1]
        assert stops(debugger, "vCont;c") == forwards
        debugger.kill()


Access = tuple[int, bytes, bytes]  # when, and the data before and after


def watched(debugger: Debugger, how: str, step: str, count: int) -> list[Access]:
    """Runs to that many stops at watched data, from which a step leads over the access."""
    found = []
    for _ in range(count):
        answer = debugger.run(how)
        assert f"watch:{address_of('column'):x};" in answer, answer
        seen = [(debugger.time(), debugger.memory(address_of("column"), 4))]
        debugger.run(step)
        seen.append((debugger.time(), debugger.memory(address_of("column"), 4)))
        (time, before), (end, after) = sorted(seen, key=lambda moment: moment[0])
        assert end == time + 1
        found.append((time, before, after))
    return found


def test_watched_data_stops_in_both_directions(tmp_path: Path) -> None:
    """Before a write, or, going back, after it, as gdb expects it."""
    with debugged("--harts", 2, "--snapshot", folder=tmp_path, typed=SESSION) as machine:
        debugger, count = machine.debugger, 12
        debugger.run(until=250000)
        assert debugger.ask(f"Z2,{address_of('column'):x},4") == "OK"
        forwards = watched(debugger, "vCont;c", "s", count)
        backwards = watched(debugger, "bc", "bs", count)
        assert backwards[::-1] == forwards
        assert any(before != after for _, before, after in forwards)
        assert all(first[2] == then[1] for first, then in zip(forwards, forwards[1:]))
        debugger.kill()


@pytest.mark.parametrize("kind, word", [(3, "rwatch"), (4, "awatch")])
def test_watched_reads_stop(kind: int, word: str, tmp_path: Path) -> None:
    """Each once; and no more when nothing is watched."""
    with debugged("--snapshot", folder=tmp_path, typed=SESSION) as machine:
        debugger, place = machine.debugger, address_of("column")
        debugger.run(until=250000)
        assert debugger.ask(f"Z{kind},{place:x},4") == "OK"
        assert f"{word}:{place:x};" in debugger.run()
        time = debugger.time()
        assert word in debugger.run() and debugger.time() > time
        assert debugger.ask(f"z{kind},{place:x},4") == "OK"
        assert "watch" not in debugger.run(until=2000000)
        debugger.kill()


def test_new_future_begins_where_something_was_changed(tmp_path: Path) -> None:
    """It can be gone through in both directions, too; the disk's file follows."""
    with debugged("--snapshot", folder=tmp_path) as machine:
        debugger = machine.debugger
        debugger.run(until=900000)
        old = debugger.hash()
        debugger.run("bc", until=400000)
        before = debugger.hash()
        stack = debugger.general(0)[2]
        assert debugger.ask(f"M{stack - 64:x},4:01020304") == "OK"
        assert debugger.memory(stack - 64, 4) == bytes([1, 2, 3, 4])
        changed = debugger.hash()
        assert changed != before
        debugger.run(until=900000)
        new = debugger.hash()
        assert new != old
        debugger.run("bc", until=399999)
        debugger.run(until=900000)
        assert debugger.hash() == new
        debugger.run("bc", until=400000)
        assert debugger.hash() == changed
        debugger.kill()


def test_disk_is_written_once(tmp_path: Path) -> None:
    """The image is the same as without a debugger, however often the time was gone through."""
    alone, together = tmp_path / "alone", tmp_path / "together"
    alone.mkdir()
    together.mkdir()
    plain = run_kernel(folder=alone, typed=SESSION)
    with debugged(folder=together, typed=SESSION) as machine:
        debugger = machine.debugger
        debugger.run()
        debugger.run("bc", until=500000)
        debugger.run(until=800000)
        debugger.run("bc")
        debugger.run()
        debugger.run()
        assert machine.end() == plain
    assert (alone / "fs.img").read_bytes() == (together / "fs.img").read_bytes()
