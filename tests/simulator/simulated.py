"""Runs sim/sim, as make builds it, or built by another compiler."""
from __future__ import annotations

import functools
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from limits import run_limited
from paths import ROOT
from products import product, target

from command import make

END = re.compile(
    r"sim: (?P<reason>.*) after (?P<time>\d+) instructions \(\d+ idle\); state (?P<state>\w+)$",
    re.MULTILINE,
)
CPU_SECONDS = 300
SANITIZED = "cc -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
COMPLAINT = re.compile(r"Sanitizer|runtime error")


@dataclass(frozen=True)
class Run:
    """How a run ended, and the hash of the machine's state then."""

    status: int
    console: str
    reason: str
    time: int
    state: str


@functools.lru_cache(maxsize=None)
def simulator() -> str:
    """Builds sim/sim, the kernel and the image; returns the path of the first."""
    make(target("sim/sim"), target("kernel/kernel"), target("fs.img"))
    return str(product("sim/sim"))


@contextmanager
def built_with(compiler: str) -> Iterator[str]:
    """Yields the path of a simulator that another compiler has built."""
    with tempfile.TemporaryDirectory() as folder:
        make(f"BUILD={folder}", f"HOSTCC={compiler}", f"{folder}/sim/sim")
        yield f"{folder}/sim/sim"


def execute(*words: object, program: str | None = None) -> tuple[int, str]:
    """Runs the simulator; returns its exit status and all that it says."""
    done = run_limited([program or simulator(), *map(str, words)], ROOT, CPU_SECONDS)
    assert not COMPLAINT.search(done.output), done.output
    return done.status, done.output


def run_kernel(
    *words: object, folder: Path, typed: str = "", program: str | None = None
) -> Run:
    """Boots cow6 with the image in that folder, or with a new copy if there is none."""
    simulator()
    image, keys = folder / "fs.img", folder / "keys"
    if not image.exists():
        shutil.copyfile(product("fs.img"), image)
    keys.write_text(typed)
    status, output = execute(
        product("kernel/kernel"), image, "--input", keys, *words, program=program
    )
    end = END.search(output)
    assert end, output
    return Run(status, output[: end.start()], end["reason"], int(end["time"]), end["state"])
