"""Out of memory everywhere: the same commands again, each time with another failing allocation.

Every fourth allocation of a frame is made to fail, alone or with all that follow. Whatever the
programs do then, the kernel survives, the machine ends by itself and the file system is consistent.
"""
from __future__ import annotations

import re

from guest.disk import fsck
from guest.runs import Run, kernel_and_image
from outcome import Outcome
from qemu import Guest, GuestFailure

# mkdir without arguments fails, which is fine: init= allows no spaces.
COMMANDS = "ls|cat|wc;mkdir&&cowtest,simple"
STEP = 4
SWEEPS = [  # each with the last allocation that is to fail
    (Run("failframe", f"/sh,-c,{COMMANDS}"), 80),
    # vfork, mmap, munmap and exec; the program says what was lost.
    (Run("failframe-family", "/cowtest,--exercise"), 140),
]
LOST = re.compile(r"^(lost|check): .*$", re.MULTILINE)


def problems_of(run: Run, number: int, lasting: str) -> list[str]:
    """Boots with that allocation failing, alone or with all later ones; returns the problems."""
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
    """Boots once for each allocation that is made to fail; each boot counts as a test."""
    outcome = Outcome()
    for run, last in SWEEPS:
        for number in range(1, last + 1, STEP):
            for lasting in ("", "+"):
                problems = problems_of(run, number, lasting)
                outcome += Outcome(
                    passed=not problems, failed=bool(problems), problems="\n".join(problems)
                )
    return outcome
