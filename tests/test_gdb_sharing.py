"""Tests of tools/gdb/cow6.py on a machine whose processes share a leaf page table.

Not in a student's tree: its kernel shares none.
"""
from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import CommandFailure, make
from products import target
from qemu import Guest, find_gdb, run_gdb

try:
    GDB, MISSING = find_gdb(), ""
except CommandFailure as failure:
    GDB, MISSING = "", str(failure)
KERNEL, IMAGE = target("kernel/kernel"), target("fs.img")
# In cow_break: the frame of the leaf table that maps the page.
TABLE = "frame_array[((unsigned long)m->entry - 0xffffffc000000000 - ram_base) / 4096]"
PAGE = "(m->frame - frame_array) + ram_base / 4096"  # in cow_break: the frame that is written to
pytestmark = pytest.mark.skipif(not GDB, reason=MISSING)


@pytest.fixture(name="said", scope="module")
def fixture_said() -> Iterator[str]:
    """What is said of the first page that is written to in a shared table, just before it is copied
    and when it has been."""
    make(KERNEL, IMAGE)
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder, "gdb")
        words = "init=/cowtest,three_generations"
        with Guest("gdb-sharing", words=words, stub=socket, stopped=True) as guest:
            commands = [
                f"target remote {socket}", f"b cow_break if {TABLE}.count > 1", "c",
                f"set $frame = {PAGE}", "cow6 users $frame", "delete", "finish",
                "cow6 users $frame", "cow6 frame $frame",
            ]
            yield run_gdb(commands, KERNEL)
        guest.image.unlink()


def count(pattern: str, text: str) -> int:
    """Returns how many lines are like that."""
    return len(re.findall(rf"^{pattern}$", text, re.MULTILINE))


def test_sharers_of_one_table(said: str) -> None:
    """One entry, in a table that three processes share, is the entry of each; when one of them has
    got a table of its own, the other two still share theirs."""
    header = r"frame 0x\w+ .*: count 1, {} sharers because of shared leaf tables, process memory"
    line = r"  process \d+ \(cowtest\) at 0x\w+  V R - - U - A - COW, in a leaf table that {} share"
    before, _, after = said.partition("Value returned is")
    for text, sharers, times in ((before, 3, 1), (after, 2, 2)):
        assert count(header.format(sharers), text) == times, said
        assert count(line.format(sharers), text) == count("  process .*", text) == sharers, said
        assert count(f"{sharers} entries of processes name it", text) == 1, said
