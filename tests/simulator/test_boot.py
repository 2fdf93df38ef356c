"""cow6 on the simulator: it boots, passes its tests, and does the same on every run."""
from __future__ import annotations

from pathlib import Path

import pytest
from command import run
from products import product
from simulated import SANITIZED, built_with, run_kernel

FIRMWARE = "opensbi-riscv64-generic-fw_dynamic.bin"
SESSION = "ls /\necho written >note; cat note\ncowmap -d\npoweroff\n"


def test_shell_reads_and_prints(tmp_path: Path) -> None:
    """What is typed reaches the shell, and `poweroff` ends the machine."""
    ran = run_kernel(folder=tmp_path, typed="echo one; echo two\npoweroff\n")
    assert (ran.status, ran.reason) == (0, "the guest has ended")
    assert "one\ntwo\n$ poweroff" in ran.console.replace("\r", "")


def test_opensbi_runs(tmp_path: Path) -> None:
    """The firmware that QEMU brings along, which probes much of machine mode."""
    folders = run(["qemu-system-riscv64", "-L", "help"]).output.splitlines()
    found = [Path(folder, FIRMWARE) for folder in folders if Path(folder, FIRMWARE).exists()]
    if not found:
        pytest.skip("QEMU has its firmware elsewhere")
    ran = run_kernel(
        "--harts", 3, "--firmware", found[0], folder=tmp_path, typed="echo hello\npoweroff\n"
    )
    assert "OpenSBI" in ran.console and "\nhello\n" in ran.console.replace("\r", ""), ran.console


def test_exit_status_is_that_of_the_guest(tmp_path: Path) -> None:
    """A guest that ends with an error ends the simulator with it."""
    assert run_kernel("--append", "init=/sh,-c,false", folder=tmp_path).status == 1


def test_disk_keeps_what_was_written(tmp_path: Path) -> None:
    """The next boot finds it, and so does fsck."""
    run_kernel(folder=tmp_path, typed="echo kept >note\nsync; poweroff\n")
    checked = run([product("mkfs/fsck"), tmp_path / "fs.img"])
    assert checked.succeeded, checked.output
    ran = run_kernel(folder=tmp_path, typed="cat note\npoweroff\n")
    assert "kept\n" in ran.console.replace("\r", "")


def test_snapshot_leaves_the_image_alone(tmp_path: Path) -> None:
    """Then the guest's writes do not go to the file."""
    run_kernel("--snapshot", folder=tmp_path, typed="echo gone >note\npoweroff\n")
    assert (tmp_path / "fs.img").read_bytes() == product("fs.img").read_bytes()


@pytest.mark.parametrize("harts", [1, 3, 8])
def test_cowtest_passes(harts: int, tmp_path: Path) -> None:
    """With any number of harts."""
    ran = run_kernel("--harts", harts, "--append", "init=/cowtest", folder=tmp_path)
    assert ran.status == 0 and "ALL COW TESTS PASSED" in ran.console, ran.console[-2000:]


def test_usertests_pass(tmp_path: Path) -> None:
    """On several harts."""
    ran = run_kernel("--harts", 3, "--append", "init=/usertests,-q", folder=tmp_path)
    assert ran.status == 0 and "ALL TESTS PASSED" in ran.console, ran.console[-2000:]


def test_same_seed_same_run(tmp_path: Path) -> None:
    """To the instruction, on several harts, too."""
    words = ["--harts", 3, "--snapshot", "--seed"]
    first, second = (run_kernel(*words, 7, folder=tmp_path, typed=SESSION) for _ in range(2))
    assert first == second
    other = run_kernel(*words, 8, folder=tmp_path, typed=SESSION)
    assert other.state != first.state and other.status == 0


@pytest.mark.parametrize("compiler", ["clang", "cc -O0", SANITIZED])
def test_same_run_whoever_compiled(compiler: str, tmp_path: Path) -> None:
    """The machine does not depend on what the simulator was built with."""
    words = ["--harts", 3, "--snapshot", "--append", "init=/cowtest,simple,three,file"]
    with built_with(compiler) as program:
        other = run_kernel(*words, folder=tmp_path, program=program)
    assert other == run_kernel(*words, folder=tmp_path)
