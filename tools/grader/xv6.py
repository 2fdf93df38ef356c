"""The recipe for submissions built on MIT's xv6-riscv, of any year: our build of their kernel with
our programs.

Of a submission only the kernel's sources, its linker script and mkfs are used. Its Makefile is
read, never run, to learn which files make the kernel and which macros are defined. A Makefile of
ours compiles all, in the sandbox.
"""
from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.built import Built, Traits
from grader.elf import read_entry, read_kernel
from grader.errors import InfraError, SubmissionError
from grader.folders import make_empty
from grader.guest_memory import RAM_BASE
from grader.machine import Machine
from grader.places import Place
from grader.reading import read_limited
from grader.sandbox import Sandbox
from grader.xv6_compile import build_kernel, build_small, compute_constants, write_makefile
from grader.xv6_disk import build_image
from grader.xv6_limits import (
    MEGABYTE, OWN, SLOW_MEMORY, USUAL_MEMORY, Plan, check_memory, is_out_of_bounds, race_harts
)
from grader.xv6_tree import Tree

START_SECONDS = 4.0  # of CPU time, in which a small kernel starts its first process


def build(tree: Path, work: Path, sandbox: Sandbox, *, programs: Mapping[str, Path]) -> Built:
    """Builds the kernel found in `tree`, and an image with the `programs` under their names, in the
    folder `work`.

    If the kernel starts "init" with less memory than it asks for and a faster clock, it gets these,
    so that tests take a fraction of the time. Constants that are too small or large for the tests
    are replaced, unless the kernel starts only with its own. SubmissionError tells the student why
    it cannot be built.
    """
    staged = stage(tree, work / "tree", sandbox)
    write_makefile(staged, [], OWN)
    own = compute_constants(staged, sandbox)
    memory = check_memory(own)
    builder = Builder(staged, work, sandbox, programs)
    small = build_small(staged, sandbox, memory)
    if small is not None:
        built = builder.finish(*small)
        if builder.starts(built):
            return built
    return builder.build_full(is_out_of_bounds(own))


def stage(tree: Path, to: Path, sandbox: Sandbox) -> Tree:
    """Copies what is needed of a tree to the folder `to`, in a limited child."""
    tree = Path(os.path.abspath(tree))
    arguments: dict[str, object] = {"tree": tree, "to": make_empty(to)}
    found: dict[str, Any] = read_limited("stage", arguments, sandbox, read=[tree], write=[to])
    found["folder"] = to.absolute()
    return Tree(**found)


class Builder:
    """Builds a staged kernel in several ways."""

    def __init__(
        self, staged: Tree, work: Path, sandbox: Sandbox, programs: Mapping[str, Path]
    ) -> None:
        self.staged, self.work, self.sandbox, self.programs = staged, work, sandbox, programs

    def build(self, plan: Plan) -> Built:
        """Builds kernel and image."""
        return self.finish(plan, build_kernel(self.staged, self.sandbox, plan))

    def build_full(self, is_changed: bool) -> Built:
        """Builds the kernel with all the memory that it asks for. If limits would change its
        constants (`is_changed`), and it starts only with its own, it keeps them."""
        try:
            built = self.build(Plan())
            if not is_changed or self.starts(built):
                return built
        except SubmissionError:
            if not is_changed:
                raise
        built = self.build(OWN)
        if self.starts(built):
            self.staged.note("the kernel starts only with its own NCPU, NPROC and FSSIZE")
            return built
        return self.build(Plan())

    def finish(self, plan: Plan, constants: Mapping[str, int]) -> Built:
        """Makes the image for a kernel that is built, and says what machine it needs."""
        image = build_image(self.staged, self.work, self.sandbox, self.programs, constants)
        kernel = self.staged.kernel / "kernel"
        asked = check_memory(constants)
        memory = max(USUAL_MEMORY, -(-asked // MEGABYTE) * MEGABYTE)
        layout = read_kernel(kernel, RAM_BASE, memory, self.sandbox)
        return Built(
            dialect="xv6", kernel=kernel, image=image, symbols=kernel,
            qemu_args=["-bios", "none", *self.staged.machine], memory=memory, layout=layout,
            notes=self.staged.notes, traits=Traits(
                processes=constants["NPROC"] or 64, harts=race_harts(constants, plan),
                memory_end=RAM_BASE + asked, slowness=max(1, asked // SLOW_MEMORY),
                fork_panics_below=self.staged.fork_panics_below,
            ),
        )

    def starts(self, built: Built) -> bool:
        """Tells whether the kernel reaches the first instruction of a process."""
        image = self.work / "trial.img"
        entry = read_entry(self.programs["init"])
        try:
            shutil.copyfile(built.image, image)
            with Machine(
                built, image=image, cpus=1, icount=True, folder=self.work, sandbox=self.sandbox,
                breakpoints=[Place(entry, entry + 2)],
                cpu_seconds=START_SECONDS * built.traits.slowness,
            ) as machine:
                return machine.resume().kind == "breakpoint"
        except OSError as error:
            raise InfraError(f"the kernel cannot be tried: {error}") from None
        finally:
            image.unlink(missing_ok=True)
