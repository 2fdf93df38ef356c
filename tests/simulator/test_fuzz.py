"""The simulator against QEMU: random programs end in the same state (fuzz_sim.py)."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import make
from fuzz_sim import Fuzzer, Machines
from fuzz_tables import make_program
from products import product, target
from simulated import simulator

PROGRAMS = range(1, 401)
PASSED_MIN = 300  # the others do not end, or touch a device that only QEMU has

pytestmark = pytest.mark.skipif(
    not shutil.which("qemu-system-riscv64"), reason="no QEMU for RISC-V was found"
)


def test_random_programs_end_as_in_qemu(tmp_path: Path) -> None:
    """Instructions, traps, page tables and devices; `make fuzz-sim` runs more of them."""
    simulator()
    make(target("build/fuzz-sim/guest.bin"))
    fuzzer = Fuzzer(Machines(product("sim/sim"), tmp_path))
    fuzzer.compare(PROGRAMS)
    assert not fuzzer.failed and fuzzer.passed >= PASSED_MIN, (fuzzer.failed, fuzzer.passed)


def test_program_is_the_same_each_time() -> None:
    """Its number decides everything."""
    assert make_program(7).record(False) == make_program(7).record(False)
    assert make_program(7).record(False) != make_program(8).record(False)
