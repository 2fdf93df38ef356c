"""What is learnt from an xv6 tree's Makefile, and that nothing in it is run or takes long."""
from __future__ import annotations

import contextlib
import time

import pytest
from grader.xv6_makefile import Makefile
from grader.xv6_words import Unreadable
from xv6_trees import MAKEFILE


def read(text: str, lab: str | None = "LAB=cow") -> Makefile:
    """Reads a Makefile that includes conf/lab.mk."""
    files = ["kernel/a.c", "kernel/b.c", "kernel/c.S", "kernel/old/a.c"]
    return Makefile(text, lambda name: lab if name == "conf/lab.mk" else None, files)


def test_objects() -> None:
    """Those of the kernel's rule; conditionals and functions count."""
    expected = ["kernel/entry", "kernel/vm", "kernel/trap", "kernel/proc"]
    assert read(MAKEFILE).kernel_objects() == expected
    assert "kernel/other" in read(MAKEFILE, "LAB=net").kernel_objects()


def test_objects_of_wildcard() -> None:
    """Names made by make's functions."""
    text = "SRC := $(wildcard kernel/*.c) $(wildcard kernel/*.S)\n"
    text += "OBJS = $(patsubst %.S,%.o,$(filter-out %/b.o,$(SRC:.c=.o)))\n"
    assert read(text).kernel_objects() == ["kernel/a", "kernel/c"]


def test_defines() -> None:
    """The last assignment counts; nothing is run."""
    assert read(MAKEFILE).defines() == ["-DLAB_COW", "-DDEPTH=3"]
    assert read(MAKEFILE, None).defines() == []


def test_defines_quoted() -> None:
    """Strings, with the quotes that the shell takes away."""
    text = """CFLAGS = -DNAME=\\"x\\" '-DSUM=(1 + 2)' -D "DEEP=3" -DEMPTY=\n"""
    assert read(text).defines() == ['-DNAME="x"', "-DSUM=(1 + 2)", "-DDEEP=3", "-DEMPTY="]


def test_defines_of_rules() -> None:
    """In recipes of the kernel's objects and in variables of the kernel's rule; not those of
    programs."""
    text = "K = kernel\n$K/%.o: $K/%.c\n\t$(CC) $(CFLAGS) -DONE -c -o $@ $<\n"
    text += "$K/kernel: CFLAGS += -DTWO\nuser/%.o: CFLAGS += -DTHREE\ndebug: CFLAGS += -DFOUR\n"
    text += "user/%.o: user/%.c\n\t$(CC) -DFIVE -c -o $@ $<\n"
    assert read(text).defines() == ["-DTWO", "-DONE"]


@pytest.mark.parametrize("way", [
    "a-z A-Z", "'a-z' 'A-Z'", "'[a-z]' '[A-Z]'", '"[:lower:]" "[:upper:]"',
])
def test_functions(way: str) -> None:
    """Choices, and capitals however they are asked for."""
    text = "A = $(if $(LAB),-DGIVEN,-DNOT) $(if $(NO),-DGIVEN2)\n"
    text += "A += $(if $(findstring co,$(LAB)),-DFOUND)\n"
    text += "B = -D$(or $(NO),$(firstword RR FCFS)) $(and $(LAB),-DBOTH)\n"
    text += "B += -I$(dir kernel/inc/a.h)\n"
    text += f"CFLAGS = $(A) $(B) -D$(shell echo $(LAB) | tr {way})\n"
    makefile = read(f"-include conf/lab.mk\n{text}")
    assert makefile.defines() == ["-DGIVEN", "-DFOUND", "-DRR", "-DBOTH", "-DCOW"]
    assert "-Ikernel/inc/" in makefile.value("CFLAGS")


def test_harts() -> None:
    """Of an else with a condition only one branch is taken."""
    assert read(MAKEFILE).value("CPUS") == "2"
    assert read("CPUS = 1\n" + MAKEFILE).value("CPUS") == "7"


def test_endless() -> None:
    """Variables of themselves, and of ever more of others."""
    bomb = "".join(
        f"{a} = $({b})$({b})\n"
        for a, b in zip("abcdefghijklmnopqrstu", "bcdefghijklmnopqrstuv")
    )
    for text in ("OBJS = $(OBJS) a.o\n", bomb + "OBJS = $(a)\n"):
        with pytest.raises(Unreadable):
            read(text).kernel_objects()


def test_too_much() -> None:
    """A text that takes too much work is soon refused."""
    files = [f"kernel/file{i}.c" for i in range(4000)]
    words = " ".join(f"k*/{i}*.c" for i in range(20_000))
    recipe = f"\tcc -c -o $@ {'x' * 100_000}\n"
    for text in (
        f"OBJS = $(wildcard {words})\n", f"kernel/%.o:\n{recipe * 100}",
        f"A = $(shell echo {' ' * 190_000}x)\n",
        f"A = $(addprefix {'x' * 90_000},{'a ' * 50_000})\n", f"A = {'$.' * 90_000}\n",
        f"A = $(subst a,{'b' * 90_000},{'a' * 90_000})\n", f"A = $(or {',' * 190_000})\n",
        "ifdef X\n" * 120_000, "A += x\n" * 150_000, "A=x\n" * 10 + "include a\n" * 10_000,
        f"kernel/kernel:\n\tld {'-T' * 90_000}\n", f"{'export ' * 140_000}\n",
        f"a:{'override ' * 100_000}\n",
        f"ifeq {chr(39)}{chr(34) * 190_000}\n", f"A = $(basename {'/' * 190_000})\n",
        "\\\n" * 500_000,
        f"A = $(wildcard {'*a' * 90_000})\n", "-" * 1_000_000, f"a{' ' * 1_000_000}b\n",
    ):
        start = time.process_time()
        with contextlib.suppress(Unreadable):
            makefile = Makefile(text, lambda _name: "B = c\n" * 1000, files)
            makefile.kernel_objects(), makefile.defines(), makefile.value("A")
        assert time.process_time() - start < 5, text[:40]


def test_unclosed() -> None:
    """A bracket that is never closed."""
    with pytest.raises(Unreadable):
        read("OBJS = $(wildcard kernel/*.c\n").kernel_objects()
