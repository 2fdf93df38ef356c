"""The recipe for submissions built on MIT's xv6-riscv, of any year: our build of their kernel with our programs.

Of a submission only the kernel's sources, its linker script and mkfs are taken. Its Makefile is read, never run: it
says which files make the kernel and which macros are defined. All is compiled by a Makefile of ours, in the sandbox.
"""
from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Mapping

from grader.machine import RAM_BASE, Built, Machine
from grader.sandbox import Sandbox
from grader.xv6_compile import USUAL_MEMORY, build_kernel
from grader.xv6_disk import build_image, machine_options
from grader.xv6_tree import find_kernel, stage

SLOW_MEMORY = 32 << 20  # for each of these a kernel needs as much more time as a small one needs


def build(tree: Path, work: Path, sandbox: Sandbox, *, programs: Mapping[str, Path]) -> Built:
    """Builds the kernel found in `tree`, and an image with the `programs` under their names, in the folder `work`.

    The kernel gets less memory than it asks for and a quicker clock if it comes up with them as far as "init", so that
    tests run in a fraction of the time. SubmissionError tells the student why it cannot be built.
    """
    built = build_as(tree, work, sandbox, programs, small=True)
    if comes_up(built, work, sandbox, programs["init"]):
        return built
    return build_as(tree, work, sandbox, programs, small=False)


def comes_up(built: Built, work: Path, sandbox: Sandbox, init: Path) -> bool:
    """Whether the kernel reaches the first instruction of a process."""
    image = work / "trial.img"
    shutil.copyfile(built.image, image)
    entry, = struct.unpack_from("<Q", init.read_bytes(), 24)
    with Machine(
        built, image=image, cpus=1, icount=True, folder=work, sandbox=sandbox, breakpoints=[entry], cpu_seconds=4.0
    ) as machine:
        return machine.resume().kind == "breakpoint"


def build_as(tree: Path, work: Path, sandbox: Sandbox, programs: Mapping[str, Path], small: bool) -> Built:
    """Builds kernel and image, `small` or as the tree has them."""
    staged = stage(find_kernel(tree), tree, work / "tree")
    constants = build_kernel(staged, sandbox, small)
    image = build_image(staged, work, sandbox, programs, constants)
    kernel = staged.kernel / "kernel"
    return Built(
        dialect="xv6", kernel=kernel, image=image, symbols=kernel,
        qemu_args=["-bios", "none", *machine_options(staged)],
        memory=max(USUAL_MEMORY, constants["PHYSTOP"] - RAM_BASE),
        traits={"NPROC": constants["NPROC"] or 64, "NCPU": constants["NCPU"] or 8,
                "PHYSTOP": constants["PHYSTOP"], "notes": staged.notes,
                "slowness": max(1, (constants["PHYSTOP"] - RAM_BASE) // SLOW_MEMORY)},
    )
