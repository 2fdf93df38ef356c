"""What the RISC-V toolchain's programs are called here: tools/prefixes has the names that
distributions give them."""
from __future__ import annotations

import os
import shutil
from pathlib import Path

PREFIXES = tuple(Path(__file__).with_name("prefixes").read_text(encoding="utf-8").split())


def find_prefix(*tools: str) -> str | None:
    """Returns the first prefix with which all these tools are on the path: find_prefix("gcc",
    "ld"). TOOLPREFIX in the environment says which to use, as for make."""
    given = os.environ.get("TOOLPREFIX")
    prefixes = PREFIXES if given is None else (given,)
    for prefix in prefixes:
        if all(shutil.which(prefix + tool) for tool in tools):
            return prefix
    return None
