"""Where a run stops, and what a trace says about it."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from products import product
from simulated import execute, run_kernel, simulator

LINE = re.compile(
    r"^ *(?P<time>\d+) h(?P<hart>\d) (?P<mode>[USM]) (?P<pc>[0-9a-f]{16}) +(?P<rest>.*)$"
)
FORKS = ["--snapshot", "--append", "init=/sh,-c,ls"]


def trace_of(folder: Path, *words: object) -> list[re.Match[str]]:
    """Runs the kernel with a trace; returns the lines."""
    run_kernel("--trace", folder / "trace", *FORKS, *words, folder=folder)
    found = [LINE.match(line) for line in (folder / "trace").read_text().splitlines()]
    assert None not in found
    return [line for line in found if line is not None]


def test_stops_before_the_instruction(tmp_path: Path) -> None:
    """At a function, an offset from it, or an address; the state is that of the time."""
    words = ["--harts", 3, *FORKS]
    at_name = run_kernel(*words, "--stop-at", "cow_break", folder=tmp_path)
    assert at_name.status == 1 and re.fullmatch(r"stopped at cow_break \(hart \d\)", at_name.reason)
    trace = trace_of(tmp_path, "--harts", 3)
    first = next(line for line in trace if line["rest"].startswith("cow_break "))
    by_address = run_kernel(*words, "--stop-at", f"0x{first['pc']}", folder=tmp_path)
    assert by_address == at_name
    by_time = run_kernel(*words, "--stop-at", first["time"], folder=tmp_path)
    assert by_time.state == at_name.state
    inside = run_kernel(*words, "--stop-at", "cow_break+0x2", folder=tmp_path)
    assert inside.reason.startswith("stopped at cow_break+0x2") and inside.time > at_name.time


def test_stops_before_there_is_a_page_table(tmp_path: Path) -> None:
    """Where the kernel is at its physical addresses."""
    ran = run_kernel("--stop-at", "kernel_start", folder=tmp_path)
    assert (ran.reason, ran.time) == ("stopped at kernel_start (hart 0)", 0)


@pytest.mark.parametrize("place, complaint", [
    ("no_such_function", "the kernel has no function of that name"),
    ("cow_break+", "the kernel has no function of that name"),
    ("0x80200001", "this is not the address of an instruction"),
    ("0xg", "this is not the address of an instruction"),
])
def test_wrong_place_gets_a_message(place: str, complaint: str) -> None:
    """And status 2."""
    simulator()
    status, said = execute(product("kernel/kernel"), "--stop-at", place)
    assert status == 2 and complaint in said, said


def test_program_without_symbols_has_no_functions(tmp_path: Path) -> None:
    """A plain file."""
    (tmp_path / "program").write_bytes(b"\x6f\0\0\0")
    status, said = execute(tmp_path / "program", "--stop-at", "main")
    assert status == 2 and "the kernel's file has no symbols" in said, said


@pytest.mark.parametrize("profile", ["kind", "all"])
def test_trace_does_not_change_the_run(profile: str, tmp_path: Path) -> None:
    """It ends in the same state, and has one line for each instruction."""
    words = ["--harts", 3, *FORKS, "--profile", profile]
    plain = run_kernel(*words, folder=tmp_path)
    traced = run_kernel(*words, "--trace", tmp_path / "trace", folder=tmp_path)
    assert traced == plain
    lines = (tmp_path / "trace").read_text().splitlines()
    assert len([line for line in lines if " trap: " not in line]) == plain.time


def test_trace_shows_what_happened(tmp_path: Path) -> None:
    """Instructions with what they change, system calls and page faults as traps."""
    text = "\n".join(line["rest"] for line in trace_of(tmp_path))
    for wanted in [
        r"^kernel_start +auipc t0, 0x\w+ +t0=0x802",
        r"^\S+ +sd ra, \d+\(sp\) +\[0xffffffc0\w+\]=0xffffffc0",
        r"^\S+ +ld a0, \S+ +a0=0x\w+ from \[0xffffffc0\w+\]$",
        r"^\S+ +amoadd\.w\S* \w+, \w+, \(\w+\) .*\[0x\w+\]=0x",
        r"^\S+ +csrrw zero, satp, \w+ +satp=0x8",
        r"^\S+ +bne \w+, \w+, 0x\w+ <\S+>$",
        r"^trap_entry +trap: call from user mode +scause=0x8 sepc=0x1\w{4} stval=0x0$",
        r"^trap_entry +trap: store page fault +scause=0xf sepc=0x\w+ stval=0x\w+$",
        r"^cow_break ",
    ]:
        assert re.search(wanted, text, re.MULTILINE), f"expected {wanted!r}"


def test_trace_of_a_part(tmp_path: Path) -> None:
    """From a time on, and of traps alone; both are parts of the whole trace."""
    whole = trace_of(tmp_path)
    late = trace_of(tmp_path, "--trace-from", 300000)
    assert [line[0] for line in late] == [x[0] for x in whole if int(x["time"]) >= 300000]
    traps = trace_of(tmp_path, "--trace-traps")
    assert [line[0] for line in traps] == [x[0] for x in whole if "trap: " in x["rest"]]
