"""An image of a disk as the tests of mkfs and fsck read and damage it."""
from __future__ import annotations

import struct

BLOCK = 4096
POINTERS = BLOCK // 4
SECTOR, ENTRIES, ENTRY, STRIPE = 512, 6, 72, 32
SECTORS = BLOCK // SECTOR
SEGMENT = SECTORS * ENTRIES  # blocks of a segment of the log
PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63)
DIRECTORY, FILE, DEVICE = 1, 2, 3


def rotate(number: int, by: int) -> int:
    """Rotates 64 bits to the left."""
    return (number << by | number >> (64 - by)) % 2**64


def checksum(data: bytes) -> int:
    """XXH64 of whole stripes of 32 bytes, with seed 0, independent of abi/checksum.h."""
    first, second, third, fourth = PRIMES
    lanes = [(first + second) % 2**64, second, 0, -first % 2**64]
    for words in struct.iter_unpack("<4Q", data):
        lanes = [
            rotate((lane + word * second) % 2**64, 31) * first % 2**64
            for lane, word in zip(lanes, words)
        ]
    total = sum(rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18))) % 2**64
    for lane in lanes:
        total ^= rotate(lane * second % 2**64, 31) * first % 2**64
        total = (total * first + fourth) % 2**64
    total = (total + len(data)) % 2**64
    total = (total ^ total >> 33) * second % 2**64
    total = (total ^ total >> 29) * third % 2**64
    return total ^ total >> 32


class Image:
    """The bytes of an image, with access to its fields to damage them."""

    INODE = {
        "type": (0, "H"),
        "major": (2, "H"),
        "minor": (4, "H"),
        "nlink": (6, "H"),
        "size": (8, "Q"),
        "direct": (16, "I"),
        "indirect": (56, "I"),
        "double": (60, "I"),
    }
    SUPER = [
        "magic", "blocks", "log_start", "log_blocks", "inode_start", "inode_blocks", "inode_count",
        "bitmap_start", "bitmap_blocks", "data_start",
    ]

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.areas = dict(zip(self.SUPER, struct.unpack_from("<10I", self.data)))

    def set_super(self, name: str, value: int) -> None:
        struct.pack_into("<I", self.data, 4 * self.SUPER.index(name), value)

    def number(self, code: str, place: int) -> int:
        (value,) = struct.unpack_from("<" + code, self.data, place)
        return int(value)

    def place(self, inode: int, name: str, index: int = 0) -> tuple[int, str]:
        offset, code = self.INODE[name]
        start = self.areas["inode_start"] * BLOCK + 64 * inode
        return start + offset + 4 * index, code

    def get(self, inode: int, name: str, index: int = 0) -> int:
        place, code = self.place(inode, name, index)
        return self.number(code, place)

    def set(self, inode: int, name: str, value: int, index: int = 0) -> None:
        place, code = self.place(inode, name, index)
        struct.pack_into("<" + code, self.data, place, value)

    def block(self, number: int) -> bytes:
        return bytes(self.data[number * BLOCK:(number + 1) * BLOCK])

    def pointer(self, block: int, index: int) -> int:
        return self.number("I", block * BLOCK + 4 * index)

    def set_pointer(self, block: int, index: int, value: int) -> None:
        struct.pack_into("<I", self.data, block * BLOCK + 4 * index, value)

    def mark(self, block: int, used: bool) -> None:
        place = self.areas["bitmap_start"] * BLOCK + block // 8
        bit = 1 << block % 8
        self.data[place] = self.data[place] | bit if used else self.data[place] & ~bit

    def entry(self, directory: int, name: str) -> int:
        """The offset in the image of a directory's entry."""
        start = self.get(directory, "direct") * BLOCK
        for offset in range(start, start + self.get(directory, "size"), 16):
            if self.data[offset + 2:offset + 16].rstrip(b"\0") == name.encode():
                return offset
        raise KeyError(name)

    def lookup(self, directory: int, name: str) -> int:
        return self.number("H", self.entry(directory, name))

    def set_entry(self, offset: int, inode: int, name: bytes | None = None) -> None:
        struct.pack_into("<H", self.data, offset, inode)
        if name is not None:
            struct.pack_into("14s", self.data, offset + 2, name)

    def add_entry(self, directory: int, inode: int, name: bytes) -> None:
        size = self.get(directory, "size")
        self.set_entry(self.get(directory, "direct") * BLOCK + size, inode, name)
        self.set(directory, "size", size + 16)

    def add_inode(self, number: int, kind: int, nlink: int, **fields: int) -> None:
        for name, value in {"type": kind, "nlink": nlink, **fields}.items():
            self.set(number, name, value)

    def write_segment(
        self, at: int, number: int, blocks: list[tuple[int, bytes]], more: bool
    ) -> int:
        """Writes a segment of a record; returns where the next one goes."""
        header = bytearray(BLOCK + SECTOR)  # a segment that is too long shall be possible, too
        contents, end = bytearray(), 24
        for sector in range(0, BLOCK, SECTOR):
            struct.pack_into("<Q", header, sector, number)
        struct.pack_into("<II", header, 16, len(blocks), more)
        for index, (home, content) in enumerate(blocks):
            place = index // ENTRIES * SECTOR + 24 + index % ENTRIES * ENTRY
            block = bytearray(content)
            words = [block[at:at + 8] for at in range(0, BLOCK, SECTOR)]
            struct.pack_into("<II64s", header, place, home, 0, b"".join(words))
            for sector in range(0, BLOCK, SECTOR):
                struct.pack_into("<Q", block, sector, number)
            contents += block
            end = place + ENTRY
        used = -(-end // STRIPE) * STRIPE
        struct.pack_into("<Q", header, 8, checksum(header[:used]))
        segment = bytes(header[:BLOCK]) + contents
        self.data[at * BLOCK:at * BLOCK + len(segment)] = segment
        return at + 1 + len(blocks)

    def write_record(
        self, at: int, number: int, blocks: dict[int, bytes], limit: int = SEGMENT
    ) -> int:
        """Writes a record, in segments of at most `limit` blocks, into the log; returns where the
        next one goes."""
        left = list(blocks.items())
        while True:
            at = self.write_segment(at, number, left[:limit], len(left) > limit)
            left = left[limit:]
            if not left:
                return at
