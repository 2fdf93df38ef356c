"""What the tests of mkfs and fsck share: a folder for each test, and an image to damage.

The environment variables MKFS and FSCK can name other programs to test.
"""
from __future__ import annotations

import functools
import os
import re
import subprocess
import tempfile
from pathlib import Path

import command
import pytest
from command import Done
from image import BLOCK, Image
from products import product

MKFS = os.environ.get("MKFS", str(product("mkfs/mkfs")))
FSCK = os.environ.get("FSCK", str(product("mkfs/fsck")))


def run(*words: object) -> Done:
    """Runs a program."""
    return command.run([str(word) for word in words], seconds=3600, errors_apart=True)


@functools.lru_cache(maxsize=None)
def clean_image() -> bytes:
    """Returns the image that Damage begins with."""
    with tempfile.TemporaryDirectory() as holder:
        image, large, small = (Path(holder) / name for name in ("fs.img", "large", "small"))
        large.write_bytes(b"y" * (1040 * BLOCK))
        small.write_bytes(b"z" * (2 * BLOCK + 5))
        files = [f"{large}:big"] + [f"{small}:{spot}" for spot in ("a", "d/b", "d/e/c")]
        done = run(MKFS, "-s", "8M", "-i", "100", image, *files)
        assert done.succeeded, done.errors
        return image.read_bytes()


class Workplace:
    """Has a folder of its own for each test, and shorthands."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> None:
        self.dir = tmp_path
        self.image = tmp_path / "fs.img"

    def host_file(self, name: str, content: bytes) -> Path:
        path = self.dir / name
        path.write_bytes(content)
        return path

    def make(self, *arguments: object) -> None:
        done = run(MKFS, *arguments)
        assert (done.status, done.errors) == (0, "")

    def check_clean(self, *options: str) -> str:
        done = run(FSCK, "--strict", *options, self.image)
        assert done.status == 0, done.output + done.errors
        return done.output

    def names(self) -> dict[str, list[str]]:
        done = run(FSCK, "--list", self.image)
        assert done.status == 0
        rows = [line.split(maxsplit=4) for line in done.output.splitlines()]
        return {row[4]: row[:4] for row in rows}

    def content(self, path: str) -> bytes:
        """Returns the contents of a file of the image, which need not be text."""
        words = [FSCK, "--extract", path, str(self.image)]
        done = subprocess.run(words, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout


class Damage(Workplace):
    """Has a clean image with some files and directories, to be damaged.

    The files are /a, /d/b and /d/e/c of three blocks each, and /big with indirect blocks.
    """

    @pytest.fixture(autouse=True)
    def set_up_disk(self) -> None:
        self.base = clean_image()
        self.disk = disk = Image(self.base)
        self.a, self.big, self.d = (disk.lookup(1, name) for name in ("a", "big", "d"))
        self.b, self.e = disk.lookup(self.d, "b"), disk.lookup(self.d, "e")
        self.c = disk.lookup(self.e, "c")
        self.free_block = disk.areas["blocks"] - 1
        self.free_inode = 50

    def fsck(self, *options: str) -> Done:
        self.image.write_bytes(self.disk.data)
        return run(FSCK, *options, self.image)

    def expect(self, *lines: str) -> None:
        """Checks that fsck finds exactly these violations, given as regular expressions."""
        done = self.fsck()
        found = done.output.splitlines()
        assert done.status == 1, found
        assert done.errors == ""
        assert len(found) == len(lines) + 1, found
        for pattern in lines:
            matches = [line for line in found if re.fullmatch(r"violation: " + pattern, line)]
            assert len(matches) == 1, (pattern, found)
        assert re.search(rf": {len(lines)} violations", found[-1])
        assert self.fsck("-q").output.splitlines() == found[:-1]

    def expect_warning(self, pattern: str) -> None:
        """Checks that fsck finds only this warning."""
        done = self.fsck()
        found = done.output.splitlines()
        assert (done.status, len(found)) == (0, 2), found
        assert re.search(r"\Awarning: " + pattern + r"\Z", found[0])
        assert self.fsck("-q").output == ""
        assert self.fsck("--strict").status == 1
