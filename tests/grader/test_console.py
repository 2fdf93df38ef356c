"""What is picked from a console, and which calls are found on a kernel's stack."""
from __future__ import annotations

import struct
import time
from pathlib import Path
from unittest import mock

import pytest
from grader import console, decode, guest_console
from grader.backtrace import CALLS_MAX, callers
from grader.decode import Registers

FIRMWARE = "OpenSBI: error, panic: none\nBoot HART MEDELEG   : 0x1\n"
# What a kernel prints, and the line with which it gave up.
PANICS = (
    ("xv6 kernel is booting\n\npanic: freewalk: leaf\n", "panic: freewalk: leaf"),
    ("xv6 kernel is booting\nPANIC: uvmcreate: kalloc failed\n", "PANIC: uvmcreate: kalloc failed"),
    ("scause 0xd\nsepc=0x80001234 stval=0x0\npanic: kerneltrap\n", "panic: kerneltrap"),
    ("\npanic: hart 0: frame 0x80f1a: dropped while it is free\n", "panic: hart 0: frame"),
    ("[hart 2] Kernel panic - not syncing\n", "[hart 2] Kernel panic"),
    ("kalloc.c:80: assertion count > 0 failed\nmore\n", "kalloc.c:80: assertion count > 0"),
    ("scause 0x000000000000000f\nsepc=0x80001234 stval=0x505\n", "scause 0x000000000000000f"),
    ("hello\npanic: first\npanic: second\n", "panic: first"),
)
NO_PANICS = (
    "usertrap(): unexpected scause 0xf pid=3\n            sepc=0x1a stval=0x4000\n",
    "init (pid 1): killed at pc 0x40: store to 0x0: a null pointer\n", "panicked monkeys\n", "",
)


# ---- The line with which a kernel gave up ----


@pytest.mark.parametrize("text, line", PANICS)
def test_panic_is_found_in_the_words_of_every_kernel(text: str, line: str) -> None:
    """The line that says it, whatever comes before and after it."""
    assert console.panic_text(FIRMWARE + text).startswith(line)


@pytest.mark.parametrize("text", NO_PANICS)
def test_other_messages_are_no_panics(text: str) -> None:
    """A process that was killed, a word that begins alike, nothing."""
    assert console.panic_text(FIRMWARE + text) == ""


@pytest.mark.parametrize("line, is_panic", [
    (b"panic: freewalk\n", True), (b"PANIC: kalloc\n", True), (b"hart 1 panic: x\n", True),
    (b"panicked\n", False), (b"a PANIC in sight\n", False),
])
def test_machine_sees_a_panic(line: bytes, is_panic: bool) -> None:
    """It is ended soon after one, also after one in MIT's capitals."""
    assert (guest_console.PANIC.search(b"hello\n" + line) is not None) == is_panic


# ---- The lines that are shown ----


def lines_of(text: str) -> list[str]:
    """Returns the excerpt's lines."""
    return console.excerpt(FIRMWARE + text).split("\n")


def test_panic_comes_first() -> None:
    """Whatever is printed before and after it."""
    noise = "".join(f"line {i}\n" for i in range(50))
    lines = lines_of(f"{noise}panic: walk\n{noise}")
    assert lines[:2] == ["panic: walk", "line 0"]
    assert len(lines) == console.LINES


def test_trap_before_panic() -> None:
    """xv6 says before it what trapped."""
    lines = lines_of("hello\n" * 20 + PANICS[2][0] + "after\n" * 20)
    assert lines[:4] == [*PANICS[2][0].split("\n")[:3], "after"]


def test_last_kill() -> None:
    """Of processes that were killed the last one matters."""
    kill = "usertrap(): unexpected scause 0xf pid={}\n   sepc=0x1a stval=0x4000\n"
    text = kill.format(3) + "x\n" * 30 + kill.format(4) + "y\n" * 30
    assert "pid=4" in lines_of(text)[0]


def test_own_words() -> None:
    """Without anything surer a student's own words count, and else the last lines."""
    noise = "all is well\n" * 30
    own = "decref: refcount -1"
    assert lines_of(f"{noise}{own}\n{noise}")[0] == own
    tail = lines_of("".join(f"line {i}\n" for i in range(50)) + "x" * 500)
    assert (tail[0], len(tail[-1])) == (f"line {51 - console.LINES}", console.COLUMNS)
    assert not console.tells_trouble(FIRMWARE + noise)


def test_trap_addresses() -> None:
    """Where the kernel says that traps came from."""
    text = FIRMWARE + PANICS[2][0] + "sepc 0x0000000080005678\nsepc=zzz\n"
    assert console.trap_addresses(text) == [0x80001234, 0x80005678]


@pytest.mark.parametrize("piece", ["panic", "no ", "assert ", "sepc=", "a killed pid=1", "\n", ":"])
def test_excerpt_of_much_takes_no_longer_than_it_is_long(piece: str) -> None:
    """Long lines, and many lines."""
    text, start = piece * 100_000, time.process_time()
    console.excerpt(text)
    console.trap_addresses(text)
    assert time.process_time() - start < 2


# ---- Frame pointers on a stack ----


class Stack:
    """Memory that has only some words."""

    def __init__(self, words: dict[int, int]) -> None:
        self.words = words

    def read(self, pa: int, n: int) -> bytes:
        """Returns words."""
        if any(place not in self.words for place in range(pa, pa + n, 8)):
            raise ValueError("not in RAM")
        return b"".join(struct.pack("<Q", self.words[place]) for place in range(pa, pa + n, 8))


def chain(words: dict[int, int], frame: int, priv: int = 1) -> list[int]:
    """Returns the calls that are found."""
    x = [0] * 32
    x[8] = frame
    return callers(Stack(words), Registers(0, 0x80000000, x, 0, priv))


def test_calls() -> None:
    """Innermost first; a function that calls none has no return address."""
    words = {0x8FF0: 0, 0x8FF8: 0x9100, 0x90F0: 0x9200, 0x90F8: 0x80001004}
    words.update({0x91F0: 0, 0x91F8: 0x80002004})
    assert chain(words, 0x9000) == [0x80001003, 0x80002003]
    assert chain(words, 0x9000, priv=0) == []


def test_hostile_stacks() -> None:
    """Circles, ends of memory, odd pointers: the chain ends."""
    assert chain({0x8FF0: 0x9000, 0x8FF8: 0x80001004}, 0x9000) == [0x80001003]
    assert chain({}, 0x9000) == []
    assert chain({}, (1 << 64) - 8) == []
    assert chain({0x8FF0: 1, 0x8FF8: 2}, 0x9001) == []
    endless = {place: place + (24 if place % 16 else 16) for place in range(0, 1 << 16, 8)}
    assert len(chain(endless, 0x100)) <= CALLS_MAX


def test_report() -> None:
    """Each hart with its calls, and where the console says that a trap came from."""
    states = [Registers(hart, 0x80000000 + hart, [0] * 32, 0, 1) for hart in range(2)]
    lines = {
        0x80000000: "kernel/a.c:1, in panic", 0x90: "kernel/b.c:2, in freewalk",
        0x91: "b.c:3, in walk",
    }
    with mock.patch.object(decode, "source_lines", return_value=lines):
        report = decode.describe(
            states, [[0x90, 0x99], []], [0x91], Path("kernel"), mock.Mock()
        )
    assert report.split("\n") == [
        "hart 0: supervisor mode at kernel/a.c:1, in panic (0x80000000)",
        "    called from kernel/b.c:2, in freewalk (0x90)",
        "hart 1: supervisor mode at 0x80000001",
        "a trap was reported from b.c:3, in walk (0x91)",
    ]
