"""Out of memory everywhere: the same commands again and again, each time with another allocation of a frame failing.

Whatever the programs make of it, the kernel goes on, the machine ends by itself and the file system is whole.
"""
from __future__ import annotations

import re

from qemu import Guest, GuestFailure, fsck
from guest.runs import Run, kernel_and_image
from outcome import Outcome

COMMANDS = (
    "ls|cat|wc;mkdir&&cowtest,simple"  # a command line has no spaces: mkdir fails, which is fine
)
STEP = 4
SWEEPS = [  # with the last allocation that is to fail
    (Run("failframe", f"/sh,-c,{COMMANDS}"), 80),
    (
        Run("failframe-family", "/cowtest,--exercise"),
        140,
    ),  # vfork, mmap, munmap, exec: it says what was lost
]
LOST = re.compile(r"^(lost|check): .*$", re.MULTILINE)


def problems_of(run: Run, number: int, lasting: str) -> list[str]:
    """Boots with that allocation failing, alone or with all later ones; returns what went wrong."""
    kernel, image = kernel_and_image(run)
    words = f"init={run.init} failframe={number}{lasting}"
    with Guest(
        f"{run.name}-{number}{lasting}", cpus=1, mem="64M", words=words, kernel=kernel, image=image
    ) as guest:
        try:
            guest.wait()
        except GuestFailure as failure:
            return [f"{words}: {failure}", *guest.evidence()]
        found = ["the kernel panicked"] if guest.panicked else []
        found += [match.group() for match in LOST.finditer(guest.text())]
        found += [f"fsck: {line}" for line in fsck(guest.image)]
        if found:
            return [f"{words}: {what}" for what in found] + guest.evidence()
        guest.image.unlink()
        guest.log.unlink()
    return []


def check_failframe() -> Outcome:
    """Sweeps; every boot counts."""
    outcome = Outcome()
    for run, last in SWEEPS:
        for number in range(1, last + 1, STEP):
            for lasting in ("", "+"):
                problems = problems_of(run, number, lasting)
                outcome += Outcome(
                    passed=not problems, failed=bool(problems), problems="\n".join(problems)
                )
    return outcome
