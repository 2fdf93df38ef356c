"""What the tests of mkfs and fsck share: a folder for each test, and an image to damage.

The environment variables MKFS and FSCK can name other programs to test.
"""
from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from image import BLOCK, Image
from products import product

MKFS = os.environ.get("MKFS", str(product("mkfs/mkfs")))
FSCK = os.environ.get("FSCK", str(product("mkfs/fsck")))


def run(*command: object) -> subprocess.CompletedProcess[bytes]:
    """Runs a program and returns its output and status."""
    return subprocess.run(
        [str(word) for word in command], capture_output=True, timeout=3600, check=False
    )


class Workplace(unittest.TestCase):
    """Has a folder of its own for each test, and shorthands."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)
        self.image = self.dir / "fs.img"

    def host_file(self, name: str, content: bytes) -> Path:
        path = self.dir / name
        path.write_bytes(content)
        return path

    def make(self, *arguments: object) -> None:
        done = run(MKFS, *arguments)
        assert (done.returncode, done.stderr) == (0, b"")

    def check_clean(self, *options: str) -> str:
        done = run(FSCK, "--strict", *options, self.image)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        return done.stdout.decode()

    def names(self) -> dict[str, list[str]]:
        done = run(FSCK, "--list", self.image)
        assert done.returncode == 0
        rows = [line.split(maxsplit=4) for line in done.stdout.decode().splitlines()]
        return {row[4]: row[:4] for row in rows}

    def content(self, path: str) -> bytes:
        done = run(FSCK, "--extract", path, self.image)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout


class Damage(Workplace):
    """Has a clean image with some files and directories, to be damaged.

    The files are /a, /d/b and /d/e/c of three blocks each, and /big with indirect blocks.
    """

    base: bytes

    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory() as holder:
            image, source = Path(holder) / "fs.img", Path(holder) / "x"
            source.write_bytes(b"y" * (1040 * BLOCK))
            small = Path(holder) / "small"
            small.write_bytes(b"z" * (2 * BLOCK + 5))
            spots = ["a", "d/b", "d/e/c"]
            files = [f"{source}:big"] + [f"{small}:{spot}" for spot in spots]
            done = run(MKFS, "-s", "8M", "-i", "100", image, *files)
            assert done.returncode == 0, done.stderr
            cls.base = image.read_bytes()

    def setUp(self) -> None:
        super().setUp()
        self.disk = Image(self.base)
        disk = self.disk
        self.a, self.big, self.d = (disk.lookup(1, name) for name in ("a", "big", "d"))
        self.b, self.e = disk.lookup(self.d, "b"), disk.lookup(self.d, "e")
        self.c = disk.lookup(self.e, "c")
        self.free_block = disk.areas["blocks"] - 1
        self.free_inode = 50

    def fsck(self, *options: str) -> subprocess.CompletedProcess[bytes]:
        self.image.write_bytes(self.disk.data)
        return run(FSCK, *options, self.image)

    def expect(self, *lines: str) -> None:
        """Checks that fsck finds exactly these violations, given as regular expressions."""
        done = self.fsck()
        found = done.stdout.decode().splitlines()
        assert done.returncode == 1, found
        assert done.stderr == b""
        assert len(found) == len(lines) + 1, found
        for pattern in lines:
            matches = [line for line in found if re.fullmatch(r"violation: " + pattern, line)]
            assert len(matches) == 1, (pattern, found)
        assert re.search(rf": {len(lines)} violations", found[-1])
        assert self.fsck("-q").stdout.decode().splitlines() == found[:-1]

    def expect_warning(self, pattern: str) -> None:
        """Checks that fsck finds only this warning."""
        done = self.fsck()
        found = done.stdout.decode().splitlines()
        assert (done.returncode, len(found)) == (0, 2), found
        assert re.search(r"\Awarning: " + pattern + r"\Z", found[0])
        assert self.fsck("-q").stdout == b""
        assert self.fsck("--strict").returncode == 1
