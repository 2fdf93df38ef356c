"""fsck as a program: its options, and images that are beyond repair."""
from __future__ import annotations

import os
import re
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from image import BLOCK, POINTERS, Image
from workplace import FSCK, Damage, run


class Vandal:
    """Changes fields of an image, mostly to values that have a meaning elsewhere."""

    def __init__(self, disk: Image, data: st.DataObject) -> None:
        self.disk, self.draw = disk, data.draw
        numbers = [0, 1, 2, 3, 9, 15, 16, 49, 50, 255, 2047, 2048, 4096, 32768, 65535]
        numbers += [2**31, 2**32 - 1]
        numbers += [
            disk.get(inode, name)
            for inode in range(1, 9) for name in ("direct", "indirect", "double")
        ]
        self.numbers = st.sampled_from(numbers)

    def below(self, most: int, least: int = 0) -> int:
        """Returns any number from `least` up to, but not including, `most`."""
        return self.draw(st.integers(least, most - 1))

    def field(self) -> None:
        """Changes a field of an inode."""
        name = self.draw(st.sampled_from(list(Image.INODE)))
        limit = {"H": 2**16, "I": 2**32, "Q": 2**64}[Image.INODE[name][1]]
        index = self.below(10) if name == "direct" else 0
        self.disk.set(self.below(12), name, self.draw(self.numbers) % limit, index)

    def pointer(self) -> None:
        """Changes four bytes of a data block, which may be one of pointers."""
        block = self.below(1200, self.disk.areas["data_start"])
        self.disk.set_pointer(block, self.below(POINTERS), self.draw(self.numbers))

    def entry(self) -> None:
        """Changes an entry of a directory, or what would be one."""
        start = self.disk.get(self.below(8, 1), "direct") % 2048 * BLOCK
        names = st.sampled_from([None, b".", b"..", b"", b"a/b", b"a"])
        name = self.draw(names | st.binary(min_size=14, max_size=14))
        number = self.draw(self.numbers) % 2**16
        self.disk.set_entry(start + 16 * self.below(8), number, name)

    def byte(self) -> None:
        """Changes any byte."""
        self.disk.data[self.below(1300 * BLOCK)] = self.below(256)

    def record(self) -> None:
        """Writes a record into the log."""
        areas = self.disk.areas
        homes = self.numbers | st.sampled_from([areas["inode_start"], areas["bitmap_start"]])
        pattern = st.binary(min_size=64, max_size=64)
        blocks = {self.draw(homes): self.draw(pattern) * 64 for _ in range(3)}
        self.disk.write_record(areas["log_start"], self.below(9), blocks)

    def damage(self) -> None:
        """Makes up to 30 changes."""
        kinds = [self.field] * 8 + [self.pointer] * 2 + [self.entry] * 4 + [self.byte] * 4
        kinds += [self.record]
        for kind in self.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=30)):
            kind()
        if self.below(10) == 9:
            self.disk.set_super(self.draw(st.sampled_from(Image.SUPER)), self.draw(self.numbers))


class TestRobust(Damage):
    """It ends in an orderly way, soon, whatever it is given."""

    def test_many_findings_are_cut(self) -> None:
        for block in range(1500, 2048, 2):
            self.disk.mark(block, True)
        inodes = struct.pack("<H", 9) + bytes(62)
        for number in range(20, 100):
            place = self.disk.place(number, "type")[0]
            self.disk.data[place:place + 64] = inodes[:16] + struct.pack("<12I", *[3] * 12)
        lines = self.fsck().output.splitlines()
        assert len(lines) == 1002
        assert re.search(r"\.\.\. and \d+ more", lines[-2])

    def test_unreadable(self) -> None:
        for path in (self.dir / "none", self.dir):
            done = run(FSCK, path)
            assert (done.status, done.output) == (2, "")
            assert re.search(r"\Afsck: cannot read .*\n\Z", done.errors)
        assert run(FSCK).status == 2
        assert run(FSCK, "--wrong", self.image).status == 2

    def test_extract(self) -> None:
        self.image.write_bytes(self.base)
        assert self.content("//d/e/../b") == b"z" * (2 * BLOCK + 5)
        absent = "not in the image"
        for path, message in (("/none", absent), ("/d/b/x", absent), ("/d", "is not a file")):
            done = run(FSCK, "--extract", path, self.image)
            assert (done.status, done.output) == (1, "")
            assert message in done.errors
        self.disk.set(self.a, "direct", 0, 1)
        assert "a block is missing at byte 4096" in self.fsck("--extract", "a").errors
        self.disk.set_entry(self.disk.get(self.b, "direct") * BLOCK, self.a, b"x")
        assert "not in the image" in self.fsck("--extract", "/d/b/x").errors

    def test_hostile_counts_take_no_time(self) -> None:
        self.disk.set_super("blocks", 2**32 - 1)
        self.disk.set_super("bitmap_start", 2**20)
        self.disk.set_super("bitmap_blocks", 2**17)
        self.disk.set_super("data_start", 2**21)
        self.expect("superblock: the disk has 4294967295 blocks, the image only 2048")

    @settings(max_examples=int(os.environ.get("DAMAGE_ROUNDS", "60")))
    @given(st.data())
    def test_random_damage(self, data: st.DataObject) -> None:
        """fsck ends in an orderly way whatever it reads."""
        self.disk = Image(self.base)
        Vandal(self.disk, data).damage()
        self.image.write_bytes(self.disk.data)
        cases: list[list[str]] = [[], ["--list"], ["--extract", "/d/e/c"]]
        for options in cases:
            done = run(FSCK, *options, self.image)
            assert done.status in (0, 1), f"{options}: {done.errors}"
            assert re.sub(r"fsck: .*\n", "", done.errors) == "", options
