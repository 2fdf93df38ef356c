"""fsck as a program: its options, and images that are beyond repair."""
from __future__ import annotations

import os
import random
import re
import struct
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from image import BLOCK, POINTERS, Image
from workplace import FSCK, Damage, run


def damage_randomly(disk: Image, dice: random.Random) -> None:
    """Changes a few fields, mostly to values that mean something elsewhere."""
    numbers = [
        0,
        1,
        2,
        3,
        9,
        15,
        16,
        49,
        50,
        255,
        2047,
        2048,
        4096,
        32768,
        65535,
        2**31,
        2**32 - 1,
    ]
    numbers += [
        disk.get(inode, name) for inode in range(1, 9) for name in ("direct", "indirect", "double")
    ]
    areas = disk.areas

    def field() -> None:
        name = dice.choice(list(Image.INODE))
        limit = {"H": 2**16, "I": 2**32, "Q": 2**64}[Image.INODE[name][1]]
        index = dice.randrange(10) if name == "direct" else 0
        disk.set(dice.randrange(12), name, dice.choice(numbers) % limit, index)

    def pointer() -> None:
        block = dice.randrange(areas["data_start"], 1200)
        disk.set_pointer(block, dice.randrange(POINTERS), dice.choice(numbers))

    def entry() -> None:
        start = disk.get(dice.randrange(1, 8), "direct") % 2048 * BLOCK
        name = dice.choice([None, b".", b"..", b"", b"a/b", b"a", dice.randbytes(14)])
        disk.set_entry(start + 16 * dice.randrange(8), dice.choice(numbers) % 2**16, name)

    def superblock() -> None:
        disk.set_super(dice.choice(Image.SUPER), dice.choice(numbers))

    def byte() -> None:
        disk.data[dice.randrange(1300 * BLOCK)] = dice.randrange(256)

    def record() -> None:
        homes = [
            dice.choice(numbers + [areas["inode_start"], areas["bitmap_start"]]) for _ in range(3)
        ]
        blocks = {home: dice.randbytes(64) * 64 for home in homes}
        disk.write_record(areas["log_start"], dice.randrange(9), blocks)

    kinds: list[Callable[[], None]] = (
        [field] * 8 + [pointer] * 2 + [entry] * 4 + [byte] * 4 + [record]
    )
    for kind in dice.choices(kinds, k=dice.randrange(1, 30)):
        kind()
    if dice.random() < 0.1:
        superblock()


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
        damage_randomly(self.disk, dice)
        self.image.write_bytes(self.disk.data)
        cases: list[list[str]] = [[], ["--list"], ["--extract", "/d/e/c"]]
        for options in cases:
            done = run(FSCK, *options, self.image)
            self.assertIn(done.returncode, (0, 1), f"{options}: {done.stderr.decode()}")
            self.assertEqual(re.sub(rb"fsck: .*\n", b"", done.stderr), b"", options)
