"""QEMU as the grader runs it.

tools/qemu.py starts QEMU for tests and benchmarks, through the Makefile as students do; gradelib.py
travels alone and has its own code. Neither runs strangers' kernels in a sandbox.
"""
from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from grader import protections
from grader.emulator import Emulator
from grader.protections import Protections
from grader.sandbox import Sandbox, find_program

QEMU = os.environ.get("QEMU", "qemu-system-riscv64")
TRANSLATION_MEGABYTES = 64
OWN_SANDBOX = (
    "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
)
TRIAL = ("-nodefaults", "-no-user-config", "-machine", "none", "-display", "none")
TRIAL_SECONDS = 60.0
KERNEL_REFUSED = re.compile(r"could not load kernel|ROM regions are overlapping", re.IGNORECASE)


@functools.lru_cache(maxsize=None)
def own_sandbox(program: str) -> Sequence[str]:
    """Returns the words by which this QEMU gives up system calls that it does not need; none if it
    cannot."""
    words = [program, *TRIAL, "-monitor", "stdio", *OWN_SANDBOX]
    try:
        done = subprocess.run(
            words, input=b"quit\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=TRIAL_SECONDS, check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return OWN_SANDBOX if done.returncode == 0 else ()


def protections_of(sandbox: Sandbox) -> Protections:
    """Returns the protections of a sandbox and of the QEMU in it."""
    has_own = bool(own_sandbox(str(find_program(QEMU))))
    return sandbox.walls.protections.adding(
        protections.QEMU, "its option -sandbox" if has_own else "",
        "this QEMU was built without its option -sandbox",
    )


class Qemu(Emulator):
    """A machine that QEMU emulates."""

    name = "QEMU"
    watches_words = True

    def refuses_kernel(self, text: str) -> bool:
        return KERNEL_REFUSED.search(text) is not None

    def command(self, ram_path: str, stub: int) -> list[str]:
        built, options, size = self.built, self.options, self.built.memory
        words = [str(find_program(QEMU)), "-nodefaults", "-no-user-config", "-no-reboot"]
        words += ["-display", "none", "-monitor", "none", *own_sandbox(words[0])]
        # With H a guest could have a second stage of translation, and with triggers an exception
        # just before a process comes to where the grader stops it.
        words += ["-cpu", "rv64,h=false,debug=false"]
        words += ["-machine", "virt,memory-backend=ram"]
        words += ["-smp", str(options.cpus), "-m", f"{size >> 20}M"]
        words += ["-object", f"memory-backend-file,id=ram,size={size},mem-path={ram_path},share=on"]
        words += ["-accel", f"tcg,tb-size={TRANSLATION_MEGABYTES}"]
        words += ["-icount", "shift=0,sleep=off"] if options.icount else []
        words += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        words += ["-chardev", f"socket,id=stub,fd={stub}", "-gdb", "chardev:stub", "-S"]
        words += [*built.qemu_args, "-kernel", str(built.kernel)]
        image = option_value(options.image)
        words += ["-drive", f"file={image},if=none,format=raw,id=disk,cache=unsafe"]
        words += ["-device", "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0"]
        return words + (["-append", options.append] if options.append else [])


def option_value(path: Path) -> str:
    """Returns a path as QEMU's options have it: a comma is doubled."""
    return str(path).replace(",", ",,")
