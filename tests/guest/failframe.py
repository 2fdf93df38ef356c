"""Out of memory everywhere: the same commands again and again, each time with another allocation of a frame failing.

Whatever the programs make of it, the kernel goes on, the machine ends by itself and the file system is whole.
"""
from __future__ import annotations

from typing import List

from guest.machine import Guest, GuestFailure, fsck
from guest.runs import Run, kernel_and_image
from outcome import Outcome

COMMANDS = "ls|cat|wc;mkdir&&cowtest,simple"  # a command line has no spaces: mkdir fails, which is fine
LAST = 80
STEP = 3
RUN = Run("failframe", f"/sh,-c,{COMMANDS}")


def problems_of(number: int, lasting: str) -> List[str]:
    """Boots with that allocation failing, alone or with all later ones; returns what went wrong."""
    kernel, image = kernel_and_image(RUN)
    words = f"init={RUN.init} failframe={number}{lasting}"
    with Guest("failframe", cpus=1, mem="64M", words=words, kernel=kernel, image=image, limit=60) as guest:
        try:
            guest.wait()
        except GuestFailure as failure:
            return [f"{words}: {failure}", *guest.evidence()]
        found = ["the kernel panicked"] if guest.panicked else []
        found += [f"fsck: {line}" for line in fsck(guest.image)]
        if found:
            return [f"{words}: {what}" for what in found] + guest.evidence()
        guest.image.unlink()
    return []


def check_failframe() -> Outcome:
    """Sweeps; every boot counts."""
    outcome = Outcome()
    for number in range(1, LAST + 1, STEP):
        for lasting in ("", "+"):
            problems = problems_of(number, lasting)
            outcome += Outcome(passed=not problems, failed=bool(problems), problems="\n".join(problems))
    return outcome
