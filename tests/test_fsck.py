"""fsck names each kind of damage: where it is and what is wrong."""
from __future__ import annotations

import re
import pytest
from image import BLOCK, DEVICE, FILE, POINTERS, Image
from workplace import Damage


class TestSuperblock(Damage):
    """Where the areas are."""

    def test_base_is_clean(self) -> None:
        assert self.fsck("--strict").status == 0

    def test_magic(self) -> None:
        self.disk.set_super("magic", 0x12345678)
        self.expect("superblock: magic number is 0x12345678, not 0x38776f63")

    def test_other_version(self) -> None:
        self.disk.set_super("magic", 0x37776F63)
        self.expect("superblock: the image was made by another version of cow6; build it again")

    def test_short_image(self) -> None:
        del self.disk.data[BLOCK * 100:]
        self.expect("superblock: the disk has 2048 blocks, the image only 100")
        del self.disk.data[BLOCK - 1:]
        self.expect("superblock: the image is shorter than a block")

    @pytest.mark.parametrize("count", [0, 1, 65536, 2**32 - 1])
    def test_inode_count(self, count: int) -> None:
        self.disk.set_super("inode_count", count)
        self.expect(f"superblock: {count} inodes, must be 2 to 65535")

    def test_inode_count_without_room(self) -> None:
        self.disk.set_super("inode_count", 129)
        self.expect("superblock: area inodes has 2 blocks, at least 3 are needed")

    @pytest.mark.parametrize("name, area, needed", [
        ("log_blocks", "log", 2), ("bitmap_blocks", "bitmap", 1),
    ])
    def test_area_sizes(self, name: str, area: str, needed: int) -> None:
        self.disk.set_super(name, 0)
        self.expect(f"superblock: area {area} has 0 blocks, at least {needed} are needed")

    @pytest.mark.parametrize("name, area", [
        ("log_start", "log"), ("inode_start", "inodes"), ("bitmap_start", "bitmap"),
        ("data_start", "data"),
    ])
    def test_area_order(self, name: str, area: str) -> None:
        self.disk.set_super(name, 0)
        self.expect(
            f"superblock: area {area} starts at block 0, but what is before it ends at .*"
        )

    def test_area_bounds(self) -> None:
        self.disk.set_super("bitmap_start", 2048)
        self.disk.set_super("data_start", 2**32 - 1)
        self.expect("superblock: area bitmap ends at block 2049, the disk at 2048",
                    "superblock: area data has 0 blocks, at least 1 are needed",
                    "superblock: area data ends at block 4294967295, the disk at 2048")


class TestInodes(Damage):
    """Types, sizes, devices and link counts."""

    def test_inode_zero(self) -> None:
        self.disk.set(0, "type", FILE)
        self.expect("inode 0 is not free")

    def test_type(self) -> None:
        self.disk.set(self.a, "type", 9)
        self.expect(rf"inode {self.a} \(/a\): bad type 9")

    def test_root_type(self) -> None:
        self.disk.set(1, "type", 0)
        done = self.fsck()
        assert done.status == 1
        assert "violation: inode 1 (/): the root is free\n" in done.output
        self.disk.set(1, "type", FILE)
        assert "violation: inode 1 (/): the root is not a directory\n" in self.fsck().output

    def test_sizes(self) -> None:
        self.disk.set(self.a, "size", 2**63)
        missing = "1049607 blocks missing below its size, the first is number 3 of the file"
        size = f"size {2**63} is too large"
        self.expect(rf"inode {self.a} \(/a\): {size}", rf"inode {self.a} \(/a\): {missing}")

    def test_largest_size(self) -> None:
        largest = (10 + POINTERS + POINTERS * POINTERS) * BLOCK
        for size, lines in ((largest, 2), (largest + 1, 3)):
            self.disk.set(self.a, "size", size)
            assert len(self.fsck().output.splitlines()) == lines

    def test_directory_size(self) -> None:
        self.disk.set(self.d, "size", self.disk.get(self.d, "size") + 8)
        self.expect(rf"inode {self.d} \(/d\): size 72 of a directory, must be a multiple of 16")

    def test_large_directory(self) -> None:
        self.disk.set(self.d, "size", (4 << 20) + 16)
        assert "/d): size 4194320 of a directory, at most 4194304" in self.fsck().output

    def test_device(self) -> None:
        self.disk.add_inode(self.free_inode, DEVICE, 1, major=1, size=5)
        self.disk.add_entry(1, self.free_inode, b"console")
        self.expect(r"inode 50 \(/console\): size 5 of a device, must be 0")
        self.disk.set(self.free_inode, "size", 0)
        assert self.fsck("--strict").status == 0
        assert self.names()["/console"] == ["50", "device", "1", "0"]
        self.disk.set(self.free_inode, "major", 77)
        self.expect_warning(
            r"inode 50 \(/console\): bad device number: no device has major number 77"
        )

    def test_device_number_of_a_file(self) -> None:
        self.disk.set(self.a, "minor", 3)
        self.expect(rf"inode {self.a} \(/a\): bad device number: 0, 3, but it is not a device")

    def test_link_counts(self) -> None:
        for inode, path, links in (
            (self.a, "/a", 1), (self.d, "/d", 2), (self.e, "/d/e", 1), (1, "/", 2),
        ):
            for wrong in (links - 1, links + 1):
                if wrong == 0:
                    continue
                self.disk = Image(self.base)
                self.disk.set(inode, "nlink", wrong)
                message = f"nlink is {wrong}, but {links} directory entries name it"
                self.expect(rf"inode {inode} \({path}\): {message}")
        self.disk.set(1, "nlink", 2)
        self.disk.set(self.a, "nlink", 0)
        self.expect(rf"inode {self.a} \(/a\): nlink is 0, but 1 directory entries name it")

    def test_link_count_too_large(self) -> None:
        self.disk.set(self.a, "nlink", 32767)
        self.expect(rf"inode {self.a} \(/a\): nlink is 32767, but 1 directory entries name it")
        self.disk.set(self.a, "nlink", 32768)
        self.expect(rf"inode {self.a} \(/a\): nlink is 32768, more than 32767",
                    rf"inode {self.a} \(/a\): nlink is 32768, but 1 directory entries name it")

    def test_hard_link(self) -> None:
        self.disk.add_entry(self.d, self.a, b"again")
        self.disk.set(self.a, "nlink", 2)
        assert self.fsck("--strict").status == 0
        assert self.names()["/d/again"] == self.names()["/a"]

    def test_orphan_file(self) -> None:
        self.disk.set_entry(self.disk.entry(1, "a"), 0)
        self.expect(rf"inode {self.a}: nlink is 1, but 0 directory entries name it")
        self.disk.set(self.a, "nlink", 0)
        self.expect_warning(rf"inode {self.a}: orphan: was open when the machine stopped")

    def test_orphan_directory(self) -> None:
        self.disk.set_entry(self.disk.entry(self.d, "e"), 0)
        self.disk.set(self.e, "nlink", 0)
        self.disk.set(self.d, "nlink", 1)
        self.disk.set_entry(self.disk.entry(self.e, "c"), 0)
        self.disk.set(self.c, "nlink", 0)
        done = self.fsck()
        assert (done.status, done.output.count("orphan: was open")) == (0, 2), done.output
        self.disk.set_entry(self.disk.entry(self.e, ".."), 99)
        self.disk.set_entry(self.disk.entry(self.e, "."), 0)
        assert self.fsck().status == 0
        self.disk.add_entry(self.e, self.a, b"x")
        assert "removed directory is not empty: 1 entries" in self.fsck().output


class TestBlocks(Damage):
    """Pointers to blocks: out of bounds, twice, missing, too many."""

    def test_pointer_bounds(self) -> None:
        data = self.disk.areas["data_start"]
        cases = [(2048, "past the end of the disk"), (2**32 - 1, "past the end of the disk"),
                 (data - 1, "not in the data area"), (1, "not in the data area")]
        for block, what in cases:
            old = self.disk.get(self.a, "direct", 1)
            self.disk.mark(old, False)
            self.disk.set(self.a, "direct", block, 1)
            self.expect(rf"inode {self.a} \(/a\): pointer to block {block}, which is {what}")
            self.disk = Image(self.base)
        last = self.disk.get(self.big, "double")
        self.disk.set_pointer(self.disk.pointer(last, 0), 0, 5000)
        assert "pointer to block 5000, which is past" in self.fsck().output

    def test_block_used_twice(self) -> None:
        block, old = self.disk.get(self.a, "direct"), self.disk.get(self.c, "direct", 1)
        self.disk.set(self.c, "direct", block, 1)
        self.disk.mark(old, False)
        assert self.a < self.c
        self.expect(
            rf"inode {self.c} \(/d/e/c\): block {block} is also used by inode {self.a} \(/a\)"
        )

    def test_indirect_used_twice(self) -> None:
        double = self.disk.get(self.big, "double")
        self.disk.set_pointer(double, 5, self.disk.get(self.big, "indirect"))
        done = self.fsck()
        twice = r"\(/big\): block \d+ is also used by inode \d+ \(/big\)\n"
        assert re.search(twice, done.output)

    def test_hole(self) -> None:
        block = self.disk.get(self.a, "direct", 1)
        self.disk.set(self.a, "direct", 0, 1)
        self.disk.mark(block, False)
        missing = "1 blocks missing below its size, the first is number 1 of the file"
        self.expect(rf"inode {self.a} \(/a\): {missing}")

    def test_holes_in_trees(self) -> None:
        double = self.disk.get(self.big, "double")
        self.disk.set(self.big, "double", 0)
        self.disk.set_pointer(self.disk.get(self.big, "indirect"), 7, 0)
        found = self.fsck().output
        missing = "7 blocks missing below its size, the first is number 17 of the file"
        assert f"(/big): {missing}\n" in found
        assert re.search(rf"blocks? {double}\b.* marked used, but nothing uses it", found)

    def surplus(self) -> str:
        """Returns the message about the free block, where a file has it after its end."""
        return f"1 blocks beyond its size, the first is block {self.free_block}"

    def test_surplus(self) -> None:
        self.disk.set(self.a, "direct", self.free_block, 3)
        self.disk.mark(self.free_block, True)
        self.expect(rf"inode {self.a} \(/a\): {self.surplus()}")

    def test_surplus_pointer_block(self) -> None:
        self.disk.set(self.a, "indirect", self.free_block)
        self.disk.mark(self.free_block, True)
        self.expect(rf"inode {self.a} \(/a\): {self.surplus()}")

    def test_surplus_block_of_a_directory_is_not_read(self) -> None:
        self.disk.set(self.d, "direct", self.free_block, 1)
        self.disk.mark(self.free_block, True)
        self.disk.set_entry(self.free_block * BLOCK, self.a, b"stale")
        self.disk.set_entry(self.get_end(self.d), self.a, b"stale")
        self.expect(rf"inode {self.d} \(/d\): {self.surplus()}")

    def get_end(self, directory: int) -> int:
        return self.disk.get(directory, "direct") * BLOCK + self.disk.get(directory, "size")

    def test_size_cut(self) -> None:
        self.disk.set(self.a, "size", 1)
        second = self.disk.get(self.a, "direct", 1)
        self.expect(
            rf"inode {self.a} \(/a\): 2 blocks beyond its size, the first is block {second}"
        )

    def test_device_with_blocks(self) -> None:
        self.disk.add_inode(self.free_inode, DEVICE, 1, major=1, direct=self.free_block)
        self.disk.mark(self.free_block, True)
        self.disk.add_entry(1, self.free_inode, b"console")
        self.expect(rf"inode 50 \(/console\): {self.surplus()}")


class TestBitmap(Damage):
    """Which blocks are in use."""

    def test_leaked_blocks(self) -> None:
        self.disk.mark(2000, True)
        self.expect("block 2000 is marked used, but nothing uses it")
        self.disk.mark(2001, True)
        self.expect("blocks 2000 to 2001, each is marked used, but nothing uses it")

    def test_used_but_free(self) -> None:
        block = self.disk.get(self.a, "direct", 2)
        self.disk.mark(block, False)
        self.expect(rf"inode {self.a} \(/a\): block {block} is in use, but marked free")

    def test_metadata_marked_free(self) -> None:
        for block in (0, 1, self.disk.areas["inode_start"], self.disk.areas["data_start"] - 1):
            self.disk = Image(self.base)
            self.disk.mark(block, False)
            self.expect(f"block {block} is of metadata, but marked free")

    def test_bits_past_the_end(self) -> None:
        self.disk.mark(32767, True)
        self.expect("bitmap marks block 32767, which is past the end of the disk")
