"""Machines that are not kind: right kernels do not notice, wrong ones do."""
from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
from guest import build_guest
from products import product
from simulated import execute, run_kernel, simulator

PROFILES = ["tlb", "tlb,svade", "icache", "stores", "timing", "all"]
TESTS = (  # the kernel's command line is short
    "three,file,copied_page_can_be_executed,growing_after_fork,exec_shares_text,tree_of_processes,"
    "read_from_pipe_breaks_sharing,vfork_shares_everything"
)
PASSED = "8 passed, 0 failed"
SEEDS = range(1, 4)
NOP, SFENCE = 0x00000013, 0x12000073
WRITE_SATP, ANY_REGISTER = 0x18001073, 0x1F << 15


@pytest.mark.parametrize("harts", [1, 3, 8])
@pytest.mark.parametrize("profile", PROFILES)
def test_cowtest_passes(profile: str, harts: int, tmp_path: Path) -> None:
    """cow6 relies on nothing that the specification does not promise."""
    ran = run_kernel(
        "--harts", harts, "--profile", profile, "--append", f"init=/cowtest,{TESTS}",
        folder=tmp_path,
    )
    assert ran.status == 0 and PASSED in ran.console, ran.console[-2000:]


def test_mutex_orders_stores(tmp_path: Path) -> None:
    """What was written under a mutex is seen by the next owner, whatever the compiler makes of it:
    readers of one descriptor move its offset."""
    for seed in range(1, 9):
        ran = run_kernel(
            "--harts", 8, "--profile", "stores", "--seed", seed, "--append",
            "init=/usertests,readers_share_one_descriptor", folder=tmp_path,
        )
        assert ran.status == 0, ran.console[-2000:]


@pytest.mark.parametrize("profile", PROFILES)
def test_run_can_be_repeated(profile: str, tmp_path: Path) -> None:
    """Chance comes from the seed."""
    runs = []
    for seed in (1, 1, 2):
        words = ("--harts", 3, "--profile", profile, "--seed", seed, "--snapshot")
        runs.append(run_kernel(*words, "--append", "init=/cowtest,three", folder=tmp_path).state)
    assert runs[0] == runs[1] != runs[2]


# ---- Planted faults ----


def without(kernel: bytes, fence: int, any_of: int = 0, after: int | None = None) -> bytes:
    """Returns the kernel without its fences: instructions that are equal but for the bits in
    `any_of`; with `after`, only those that follow that instruction, with any register."""
    changed, count = bytearray(kernel), 0
    for place in range(4, len(kernel) - 4, 2):
        before, word = struct.unpack_from("<II", kernel, place - 4)
        if word & ~any_of == fence and after in (None, before & ~ANY_REGISTER):
            struct.pack_into("<I", changed, place, NOP)
            count += 1
    assert count > 0
    return bytes(changed)


def run_planted(kernel: bytes, profile: str, folder: Path) -> set[bool]:
    """Returns whether the tests pass, for some seeds."""
    simulator()
    program, image = folder / "kernel", folder / "fs.img"
    program.write_bytes(kernel)
    shutil.copyfile(product("fs.img"), image)
    passed = set()
    for seed in SEEDS:
        status, said = execute(
            program, image, "--snapshot", "--harts", 2, "--profile", profile, "--seed", seed,
            "--append", f"init=/cowtest,{TESTS}", "--input", "/dev/null", "--stop-at", 60_000_000,
        )
        passed.add(status == 0 and PASSED in said)
    return passed


def test_missing_fence_of_a_page_table_is_seen(tmp_path: Path) -> None:
    """A kernel that forgets it passes on a kind machine, and never on the other."""
    simulator()
    kernel = product("kernel/kernel").read_bytes()
    planted = without(kernel, SFENCE, after=WRITE_SATP)
    assert run_planted(planted, "kind", tmp_path) == {True}
    assert run_planted(planted, "tlb", tmp_path) == {False}


def test_missing_fence_of_a_page_is_seen(tmp_path: Path) -> None:
    """The one after an entry was changed."""
    simulator()
    planted = without(product("kernel/kernel").read_bytes(), SFENCE, ANY_REGISTER)
    assert run_planted(planted, "tlb", tmp_path) == {False}


# ---- Small programs ----


def run_guest(program: Path, *words: object) -> int:
    """Runs a program on two harts; returns its status."""
    simulator()
    status, said = execute(program, "--harts", 2, "--input", "/dev/null", *words)
    assert "the guest has ended" in said, said
    return status


def test_old_instructions_are_executed(tmp_path: Path) -> None:
    """Until FENCE.I, if the instruction cache is not kind."""
    unfenced = build_guest("rewritten", tmp_path)
    fenced = build_guest("rewritten", tmp_path, "FENCE")
    assert run_guest(unfenced) == 0
    assert run_guest(unfenced, "--profile", "icache") == 1
    assert run_guest(fenced, "--profile", "icache") == 0


def test_stores_stay_in_order(tmp_path: Path) -> None:
    """What was written first is seen first."""
    program = build_guest("message", tmp_path)
    for seed in SEEDS:
        assert run_guest(program, "--profile", "stores,timing", "--seed", seed) == 0


def test_accessed_and_dirty_bits(tmp_path: Path) -> None:
    """Set by the machine, or asked for by a page fault."""
    program = build_guest("accessed", tmp_path)
    assert run_guest(program) == 0
    assert run_guest(program, "--profile", "tlb") == 0
    assert run_guest(program, "--profile", "svade") == 2
