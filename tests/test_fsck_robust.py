"""fsck as a program: its options, and images that are beyond repair."""
from __future__ import annotations

import os
import random
import re
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from image import BLOCK, POINTERS, Image
from workplace import FSCK, Damage, run


class Vandal:
    """Changes fields of an image, mostly to values that have a meaning elsewhere."""

    def __init__(self, disk: Image, dice: random.Random) -> None:
        self.disk, self.dice = disk, dice
        self.numbers = [0, 1, 2, 3, 9, 15, 16, 49, 50, 255, 2047, 2048, 4096, 32768, 65535]
        self.numbers += [2**31, 2**32 - 1]
        self.numbers += [
            disk.get(inode, name)
            for inode in range(1, 9) for name in ("direct", "indirect", "double")
        ]

    def number(self) -> int:
        """Returns one of the numbers."""
        return self.dice.choice(self.numbers)

    def field(self) -> None:
        """Changes a field of an inode."""
        name = self.dice.choice(list(Image.INODE))
        limit = {"H": 2**16, "I": 2**32, "Q": 2**64}[Image.INODE[name][1]]
        index = self.dice.randrange(10) if name == "direct" else 0
        self.disk.set(self.dice.randrange(12), name, self.number() % limit, index)

    def pointer(self) -> None:
        """Changes four bytes of a data block, which may be one of pointers."""
        block = self.dice.randrange(self.disk.areas["data_start"], 1200)
        self.disk.set_pointer(block, self.dice.randrange(POINTERS), self.number())

    def entry(self) -> None:
        """Changes an entry of a directory, or what would be one."""
        start = self.disk.get(self.dice.randrange(1, 8), "direct") % 2048 * BLOCK
        name = self.dice.choice([None, b".", b"..", b"", b"a/b", b"a", self.dice.randbytes(14)])
        self.disk.set_entry(start + 16 * self.dice.randrange(8), self.number() % 2**16, name)

    def byte(self) -> None:
        """Changes any byte."""
        self.disk.data[self.dice.randrange(1300 * BLOCK)] = self.dice.randrange(256)

    def record(self) -> None:
        """Writes a record into the log."""
        areas = self.disk.areas
        homes = [*self.numbers, areas["inode_start"], areas["bitmap_start"]]
        blocks = {self.dice.choice(homes): self.dice.randbytes(64) * 64 for _ in range(3)}
        self.disk.write_record(areas["log_start"], self.dice.randrange(9), blocks)

    def damage(self) -> None:
        """Makes up to 30 changes."""
        kinds = [self.field] * 8 + [self.pointer] * 2 + [self.entry] * 4 + [self.byte] * 4
        kinds += [self.record]
        for kind in self.dice.choices(kinds, k=self.dice.randrange(1, 30)):
            kind()
        if self.dice.random() < 0.1:
            self.disk.set_super(self.dice.choice(Image.SUPER), self.number())


class Robust(Damage):
    """It ends in an orderly way, soon, whatever it is given."""

    def test_many_findings_are_cut(self) -> None:
        for block in range(1500, 2048, 2):
            self.disk.mark(block, True)
        inodes = struct.pack("<H", 9) + bytes(62)
        for number in range(20, 100):
            place = self.disk.place(number, "type")[0]
            self.disk.data[place:place + 64] = inodes[:16] + struct.pack("<12I", *[3] * 12)
        lines = self.fsck().stdout.decode().splitlines()
        self.assertEqual(len(lines), 1002)
        self.assertRegex(lines[-2], r"\.\.\. and \d+ more")

    def test_unreadable(self) -> None:
        for path in (self.dir / "none", self.dir):
            done = run(FSCK, path)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertRegex(done.stderr.decode(), r"\Afsck: cannot read .*\n\Z")
        self.assertEqual(run(FSCK).returncode, 2)
        self.assertEqual(run(FSCK, "--wrong", self.image).returncode, 2)

    def test_extract(self) -> None:
        self.image.write_bytes(self.base)
        self.assertEqual(self.content("//d/e/../b"), b"z" * (2 * BLOCK + 5))
        absent = "not in the image"
        for path, message in (("/none", absent), ("/d/b/x", absent), ("/d", "is no file")):
            done = run(FSCK, "--extract", path, self.image)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(message, done.stderr.decode())
        self.disk.set(self.a, "direct", 0, 1)
        self.assertIn(b"a block is missing at byte 4096", self.fsck("--extract", "a").stderr)
        self.disk.set_entry(self.disk.get(self.b, "direct") * BLOCK, self.a, b"x")
        self.assertIn(b"not in the image", self.fsck("--extract", "/d/b/x").stderr)

    def test_hostile_counts_take_no_time(self) -> None:
        self.disk.set_super("blocks", 2**32 - 1)
        self.disk.set_super("bitmap_start", 2**20)
        self.disk.set_super("bitmap_blocks", 2**17)
        self.disk.set_super("data_start", 2**21)
        self.expect("superblock: the disk has 4294967295 blocks, the image only 2048")

    @settings(max_examples=int(os.environ.get("DAMAGE_ROUNDS", "60")))
    @given(st.randoms(use_true_random=False))
    def test_random_damage(self, dice: random.Random) -> None:
        """fsck ends in an orderly way whatever it reads."""
        self.disk = Image(self.base)
        Vandal(self.disk, dice).damage()
        self.image.write_bytes(self.disk.data)
        cases: list[list[str]] = [[], ["--list"], ["--extract", "/d/e/c"]]
        for options in cases:
            done = run(FSCK, *options, self.image)
            self.assertIn(done.returncode, (0, 1), f"{options}: {done.stderr.decode()}")
            self.assertEqual(re.sub(rb"fsck: .*\n", b"", done.stderr), b"", options)
