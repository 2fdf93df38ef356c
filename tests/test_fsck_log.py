"""fsck replays the log as the kernel does."""
from __future__ import annotations

from image import BLOCK, SECTOR, SEGMENT, Image
from workplace import Damage


class TestLog(Damage):
    """Which records count, and what they change."""

    def test_log_is_replayed(self) -> None:
        inodes = self.disk.areas["inode_start"]
        whole, start = self.disk.block(inodes), self.disk.areas["log_start"]
        self.disk.set(self.a, "nlink", 7)
        first = self.disk.block(inodes)
        at = self.disk.write_record(start, 41, {inodes: first, 1000: self.disk.block(1000)})
        assert "1 log records replayed" in self.fsck().output
        self.disk.write_record(at, 42, {inodes: whole})
        done = self.fsck()
        assert done.status == 0
        assert "2 log records replayed" in done.output
        assert self.image.read_bytes() == self.disk.data, "fsck changed the image"
        done = self.fsck("-n")
        assert done.status == 1
        assert "2 log records ignored" in done.output

    def test_log_ends_at_what_is_not_committed(self) -> None:
        inodes, start = self.disk.areas["inode_start"], self.disk.areas["log_start"]
        self.disk.set(self.a, "nlink", 7)
        broken = self.disk.block(inodes)
        self.disk.set(self.a, "nlink", 1)
        at = self.disk.write_record(start, 5, {})
        for sequence in (4, 5, 7):
            self.disk.write_record(at, sequence, {inodes: broken})
            assert "1 log records" in self.fsck().output
        self.disk.write_record(at, 6, {inodes: broken})
        assert self.fsck().status == 1
        for place in (at * BLOCK, at * BLOCK + 24, at * BLOCK + 40, (at + 1) * BLOCK + 7):
            self.disk.data[place] ^= 1
            done = self.fsck()
            assert done.status == 0
            assert "1 log records" in done.output
            self.disk.data[place] ^= 1

    def test_sectors_get_their_first_words_back(self) -> None:
        start, home = self.disk.areas["log_start"], self.disk.get(self.a, "direct")
        content = bytes(index * 7 % 251 for index in range(BLOCK))
        self.disk.write_record(start, 7, {home: content})
        assert "1 log records replayed" in self.fsck().output
        assert self.content("/a")[:BLOCK] == content

    def test_each_sector_of_a_record_counts(self) -> None:
        start = self.disk.areas["log_start"]
        blocks = {number: self.disk.block(number) for number in range(1000, 1000 + SEGMENT + 1)}
        end = self.disk.write_record(start, 7, blocks)
        assert end == start + 2 + len(blocks)
        for block in (start, start + 1, start + SEGMENT, start + SEGMENT + 1, end - 1):
            for sector in range(block * BLOCK, (block + 1) * BLOCK, SECTOR):
                self.disk.data[sector] ^= 1
                assert "0 log records" in self.fsck().output
                self.disk.data[sector] ^= 1
        assert "1 log records" in self.fsck().output

    def test_longest_log_segment(self) -> None:
        self.make("-l", "1100", self.image)
        self.disk = Image(self.image.read_bytes())
        blocks = {number: self.disk.block(number) for number in range(1300, 1300 + SEGMENT + 1)}
        self.disk.write_record(1, 1, blocks, SEGMENT + 1)
        assert "0 log records" in self.fsck().output
        self.disk.write_record(1, 1, blocks)
        found = self.fsck().output
        assert "clean; 1 of 2048 inodes and 1 of 7058 data blocks used, 1 log records" in found

    def test_log_at_the_end_of_its_area(self) -> None:
        self.disk.set_super("log_blocks", 3)
        inodes, start = self.disk.areas["inode_start"], self.disk.areas["log_start"]
        content = self.disk.block(inodes)
        self.disk.write_record(start, 1, {inodes: content, inodes + 1: self.disk.block(inodes + 1)})
        assert "1 log records" in self.fsck().output
        self.disk.write_record(
            start, 1, {inodes: content, inodes + 1: self.disk.block(inodes + 1), 1000: content}
        )
        assert "0 log records" in self.fsck().output

    def test_log_home(self) -> None:
        for home in (0, 1, self.disk.areas["inode_start"] - 1, 2048, 2**32 - 1):
            self.disk.write_record(self.disk.areas["log_start"], 9, {home: bytes(BLOCK)})
            self.expect(f"log: record 9 has a block for {home}, which the log must not change")
