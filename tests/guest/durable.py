"""Stores through shared mappings of files reach the disk, however the program ends."""
from __future__ import annotations

import subprocess
from pathlib import Path

from guest.disk import fsck
from guest.runs import Run, kernel_and_image
from outcome import Outcome
from products import product
from qemu import Guest, GuestFailure

WAYS = ("exit", "munmap", "exec", "kill")
SIZE = 2 * 4096 + 100
RUN = Run("durable", "/cowtest,--keep")


def kept(way: int) -> bytes:
    """Returns what the file written in that way must contain (user/tests/cowtest_exercise.c)."""
    return bytes((i * 7 + i // 256 + way) & 255 for i in range(SIZE))


def extract(image: Path, path: str) -> bytes:
    """Returns a file of the image."""
    command = [str(product("mkfs/fsck")), "--extract", path, str(image)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    ).stdout


def check_durable() -> Outcome:
    """Lets a boot write the files, and reads them from the image."""
    kernel, image = kernel_and_image(RUN)
    with Guest(
        RUN.name, cpus=3, mem="128M", words=f"init={RUN.init}", kernel=kernel, image=image
    ) as guest:
        try:
            guest.wait()
        except GuestFailure as failure:
            return Outcome(failed=1, problems="\n".join([str(failure), *guest.evidence()]))
        problems = [f"fsck: {line}" for line in fsck(guest.image)]
        for way, name in enumerate(WAYS):
            if extract(guest.image, f"/kept.{way}") != kept(way):
                problems.append(
                    f"expected what was stored before {name} to be on the disk, saw something else"
                )
        if not problems:
            guest.image.unlink()
    return Outcome(
        passed=int(not problems), failed=int(bool(problems)), problems="\n".join(problems)
    )
