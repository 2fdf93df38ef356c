#!/usr/bin/env python3
"""Boots with eager fork, then with copy-on-write, and prints forkcmp's table of both.

Both boots run user/bin/forkcmp.c on the same disk, where the first leaves its results for the
second. QEMU counts instructions (-icount) on one hart, so the numbers are the same on every run.
"""
from __future__ import annotations

import argparse

from command import CommandFailure
from entry import run_main
from products import target
from qemu import ICOUNT, Guest, GuestFailure

MEMORY = "256M"  # room for a heap of 64 MiB and its copy
GAPS = ("not measured", "not enough memory")


def run(kind: str, image: str) -> Guest:
    """Runs forkcmp with that kind of fork on a copy of the image; returns the guest, now off."""
    words = f"init=/forkcmp fork={kind}"
    guest = Guest(f"forkcmp-{kind}", words=words, mem=MEMORY, image=image, extra=ICOUNT)
    with guest:
        status = guest.wait()
    if status != 0:
        raise GuestFailure(f"with fork={kind} it ends with status {status}:\n{guest.tail()}")
    return guest


def main() -> int:
    """Measures both kinds of fork and prints the table of the second run."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        eager = run("eager", target("fs.img"))
        cow = run("cow", target(f"build/check/{eager.image.name}"))
    except CommandFailure as failure:
        print(f"forkcmp: {failure}")
        return 1
    eager.image.unlink()
    cow.image.unlink()
    table = cow.kernel_text()
    print(table.strip())
    gaps = [gap for gap in GAPS if gap in table]
    for gap in gaps:
        print(f"forkcmp: expected every row to be measured, saw {gap!r}")
    return 1 if gaps else 0


if __name__ == "__main__":
    run_main(main)
