"""Small programs for the simulator, in machine mode: tests/simulator/guests."""
from __future__ import annotations

import subprocess
from pathlib import Path

from toolchain import find_prefix

GUESTS = Path(__file__).with_name("guests")
FLAGS = ["-nostdlib", "-static", "-mabi=lp64", "-Wl,-N,-Ttext=0x80000000,--build-id=none"]


def build_guest(name: str, folder: Path, *defined: str) -> Path:
    """Assembles guests/NAME.S with these names defined; returns the program."""
    prefix = find_prefix("gcc", "ld")
    assert prefix is not None
    program = folder / "-".join([name, *defined])
    for isa in ("rv64ima_zicsr_zifencei", "rv64ima"):  # older compilers have no names for the rest
        command = [
            f"{prefix}gcc", f"-march={isa}", *FLAGS, *[f"-D{word}" for word in defined],
            str(GUESTS / f"{name}.S"), "-o", str(program),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return program
    raise AssertionError(done.stderr)
