"""What docs/design.md says about the kernel's folders and files is so."""
from __future__ import annotations

import re

import pytest

from products import ROOT

KERNEL = ROOT / "kernel"
DESIGN = (ROOT / "docs/design.md").read_text()
ORDERS = dict(re.findall(r"^\| (\w+) \| (\w.* < .*) \|$", DESIGN, re.MULTILINE))


def test_layers() -> None:
    """The folders are listed from the highest down."""
    lines = (KERNEL / "LAYERS").read_text().splitlines()
    layers = [line for line in lines if line and not line.startswith("#")]
    described = re.findall(r"^    ([a-z]+) {3,}\w", DESIGN, re.MULTILINE)
    assert described == layers[::-1]


@pytest.mark.parametrize("folder", ORDERS)
def test_order_of_files(folder: str) -> None:
    """All files are listed, and each includes only files to its left."""
    levels = [level.split(", ") for level in ORDERS[folder].split(" < ")]
    level_of = {name: number for number, level in enumerate(levels) for name in level}
    files = [file for file in (KERNEL / folder).iterdir() if file.suffix in (".c", ".h")]
    assert set(level_of) == {file.stem for file in files}
    for file in files:
        included = re.findall(rf'^#include "{folder}/(\w+)\.h"', file.read_text(), re.MULTILINE)
        for name in included:
            assert name == file.stem or level_of[name] < level_of[file.stem], f"{file.name}: {name}"


def test_orders_are_found() -> None:
    """The table is read."""
    assert {"sched", "fs", "vm"} <= set(ORDERS)


def test_lock_order() -> None:
    """The ranks of locks are documented in the kernel's order."""
    ranks = re.findall(r"^    X\((\w+), ", (KERNEL / "sync/spinlock.h").read_text(), re.MULTILINE)
    invariants = (ROOT / "docs/invariants.md").read_text()
    rows = re.findall(r"^\| ([A-Z]+) \| (?:state|sleeping|spin) ", invariants, re.MULTILINE)
    assert ranks
    assert rows == ranks
