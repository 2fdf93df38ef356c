#!/usr/bin/env python3
"""Turns the output of `make --dry-run V=1` into compile_commands.json, for editors."""
from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path


def compile_commands(lines: Iterable[str], folder: Path) -> list[dict[str, object]]:
    """Returns an entry for each line that compiles one C or assembly file."""
    entries: list[dict[str, object]] = []
    for line in lines:
        if " -c -o " not in line:
            continue
        words = [word.replace(".$PPID", "") for word in shlex.split(line.partition(" && ")[0])]
        source = words[-1]
        if source.endswith((".c", ".S")) and "symbols" not in Path(source).name:
            entries.append({"directory": str(folder), "file": source, "arguments": words})
    return entries


if __name__ == "__main__":
    json.dump(compile_commands(sys.stdin, Path.cwd()), sys.stdout, indent=1)
    sys.stdout.write("\n")
