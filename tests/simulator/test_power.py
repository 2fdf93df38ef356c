"""Losses of power and errors of the disk: cow6 keeps its promises."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import make
from paths import ROOT
from power import Writing, prepare, try_losses
from products import product
from simulated import END, execute

RUNS = [(1, "kind"), (3, "timing"), (8, "all")]
LEAST = 171  # losses in each run
BUILT = ["build/kernel", "build/kernel.settings", "build/variant.settings"]
SOURCES = ["Makefile", "kernel", "tools", "user", "mkfs"]
ERRORS = [5, 40, 200]


@pytest.mark.parametrize("harts, profile", RUNS)
def test_changes_survive_losses_of_power(harts: int, profile: str) -> None:
    """What the kernel has said to be done; `make check-sim-power` loses the power more often."""
    prepare()
    count, problems = try_losses(Writing(harts, harts, profile, product("kernel/kernel")))
    assert not problems, problems[0]
    assert count >= LEAST


@pytest.mark.parametrize("errors", ERRORS)
def test_changes_survive_errors(errors: int) -> None:
    """When the disk fails, the kernel says so; what it had said to be done is done."""
    prepare()
    for seed in range(2):
        writing = Writing(seed, 3, "kind", product("kernel/kernel"), errors)
        _, problems = try_losses(writing, most=10)
        assert not problems, problems[0]


def build_changed(folder: Path, file: str, old: str, new: str) -> Path:
    """Builds a kernel of which one line is other, in a copy of the tree; returns it. What is built
    of this tree is used."""
    (folder / "build").mkdir()
    sources = [(ROOT / name, folder / name) for name in SOURCES]
    for old_path, new_path in sources + [(product(name), folder / name) for name in BUILT]:
        if old_path.is_dir():
            shutil.copytree(old_path, new_path)
        elif old_path.exists():
            shutil.copy2(old_path, new_path)
    source = folder / file
    text = source.read_text()
    assert text.count(old) == 1
    source.write_text(text.replace(old, new))
    make("kernel/kernel", tree=folder)
    return folder / "kernel/kernel"


@pytest.mark.parametrize("old, new", [
    ("request.flushes = !more;", "request.flushes = false;"),
    ("    if (!failed)\n        request_send(DISK_FLUSH);\n", ""),
], ids=["of a record", "before the log starts again"])
def test_missing_flush_is_seen(old: str, new: str, tmp_path: Path) -> None:
    """A kernel that forgets to flush loses what it has said to be done."""
    prepare()
    kernel = build_changed(tmp_path, "kernel/fs/logarea.c", old, new)
    found = (try_losses(Writing(seed, 3, "kind", kernel), most=60)[1] for seed in range(1, 7))
    assert any(found)


def test_power_is_lost_where_it_is_said(tmp_path: Path) -> None:
    """The image is left as a disk would be; the same seed leaves the same."""
    prepare()
    kernel, images = product("kernel/kernel"), []
    for name, seed in (("one", 1), ("two", 1)):
        image = tmp_path / name
        shutil.copyfile(product("build/power.img"), image)
        status, said = execute(
            kernel, image, "--append", "init=/writer,1,1,20", "--input", "/dev/null",
            "--power-loss-at", 600_000, "--seed", seed,
        )
        end = END.search(said)
        assert status == 1 and end and end["reason"] == "stopped", said
        images.append(image.read_bytes())
    assert images[0] == images[1] != product("build/power.img").read_bytes()
