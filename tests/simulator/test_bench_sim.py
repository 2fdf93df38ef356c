"""What `make bench-sim` prints (bench_sim.py). How fast the simulator is, is not judged: computers
differ, and others may be using this one."""
from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from bench_sim import PROFILES, Row, table
from command import run

PROGRAM = Path(__file__).with_name("bench_sim.py")


def test_table_has_ratios_and_targets() -> None:
    """To QEMU's speed; what has no target has none there."""
    lines = table([Row("kind", 99.6, 21.4), Row("tlb", 50, 30), Row("QEMU", 200, 300.2)])
    words = [line.split() for line in lines]
    assert words[1:4] == [["kind", "100", "0.50", "80"], ["tlb", "50", "0.25"],
                          ["QEMU", "200", "1.00"]]
    assert words[-2:] == [["kind", "21", "30"], ["QEMU", "300"]]
    assert table([Row("kind", 1)])[1].split() == ["kind", "1", "-", "80"]


@pytest.mark.skipif(
    not shutil.which("qemu-system-riscv64"), reason="no QEMU for RISC-V was found"
)
def test_everything_is_measured() -> None:
    """With little work, once."""
    done = run([sys.executable, PROGRAM, "--short"], seconds=900)
    assert done.succeeded, done.output
    rows = dict(re.findall(r"^(\S.*?) {2,}(\d+) ", done.output, re.MULTILINE))
    wanted = {*PROFILES, "kind, tracing traps", "exploring schedules", "QEMU"}
    assert wanted <= rows.keys() and all(int(rows[name]) > 0 for name in wanted), done.output
