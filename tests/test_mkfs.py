"""mkfs and fsck: images of many shapes are clean, and each kind of damage is named.

The programs are those that the environment variables MKFS and FSCK name.
"""

from __future__ import annotations

import os
import random
import re
import struct
import subprocess
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

from products import product

MKFS = os.environ.get("MKFS", str(product("mkfs/mkfs")))
FSCK = os.environ.get("FSCK", str(product("mkfs/fsck")))

BLOCK = 4096
POINTERS = BLOCK // 4
LOG_MAGIC = 0x676F6C36
SECTOR, HOMES = 512, 97
PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63)
DIRECTORY, FILE, DEVICE = 1, 2, 3


def run(*command: object) -> subprocess.CompletedProcess[bytes]:
    """Runs a program and returns its output and status."""
    return subprocess.run(
        [str(word) for word in command], capture_output=True, timeout=3600, check=False
    )


def rotate(number: int, by: int) -> int:
    """Rotates 64 bits to the left."""
    return (number << by | number >> (64 - by)) % 2**64


def checksum(data: bytes) -> int:
    """XXH64 of whole stripes of 32 bytes, with seed 0: abi/checksum.h, written a second time."""
    first, second, third, fourth = PRIMES
    lanes = [(first + second) % 2**64, second, 0, -first % 2**64]
    for words in struct.iter_unpack("<4Q", data):
        lanes = [
            rotate((lane + word * second) % 2**64, 31) * first % 2**64
            for lane, word in zip(lanes, words)
        ]
    total = sum(rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18))) % 2**64
    for lane in lanes:
        total = (
            (total ^ rotate(lane * second % 2**64, 31) * first % 2**64) * first + fourth
        ) % 2**64
    total = (total + len(data)) % 2**64
    total = (total ^ total >> 33) * second % 2**64
    total = (total ^ total >> 29) * third % 2**64
    return total ^ total >> 32


class Image:
    """An image's bytes with access to its fields, for making damage."""

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
        "magic",
        "blocks",
        "log_start",
        "log_blocks",
        "inode_start",
        "inode_blocks",
        "inode_count",
        "bitmap_start",
        "bitmap_blocks",
        "data_start",
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

    def write_record(
        self,
        at: int,
        sequence: int,
        blocks: dict[int, bytes],
        magic: int = LOG_MAGIC,
        escaped: int = 0,
    ) -> int:
        """Puts a log record into the log, returns where the next one goes."""
        header = bytearray(BLOCK + SECTOR)  # a record that is too long shall be possible, too
        for sector in range(0, BLOCK, SECTOR):
            struct.pack_into("<IIQ", header, sector, magic, 0, sequence)
        struct.pack_into("<I", header, 4, len(blocks))
        for index, home in enumerate(blocks):
            sector = index // HOMES * SECTOR
            struct.pack_into("<I", header, sector + 24 + index % HOMES * 4, home)
            header[sector + 24 + HOMES * 4 + index % HOMES] = escaped
        contents = b"".join(blocks.values())
        used = SECTOR * max(1, -(-len(blocks) // HOMES))
        struct.pack_into("<Q", header, 16, checksum(contents + header[:used]))
        record = bytes(header[:BLOCK]) + contents
        self.data[at * BLOCK:at * BLOCK + len(record)] = record
        return at + 1 + len(blocks)


class Workplace(unittest.TestCase):
    """A directory of its own for each test, and shorthands."""

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
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def check_clean(self, *options: str) -> str:
        done = run(FSCK, "--strict", *options, self.image)
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        return done.stdout.decode()

    def names(self) -> dict[str, list[str]]:
        done = run(FSCK, "--list", self.image)
        self.assertEqual(done.returncode, 0)
        rows = [line.split(maxsplit=4) for line in done.stdout.decode().splitlines()]
        return {row[4]: row[:4] for row in rows}

    def content(self, path: str) -> bytes:
        done = run(FSCK, "--extract", path, self.image)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout


class Shapes(Workplace):
    """mkfs makes what it is asked for."""

    def test_empty(self) -> None:
        self.make(self.image)
        self.assertEqual(self.image.stat().st_size, 32 << 20)
        summary = "clean; 1 of 2048 inodes and 1 of 7902 data blocks used, 0 log records replayed\n"
        self.assertEqual(self.check_clean(), f"{self.image}: {summary}")
        self.assertRegex(self.check_clean("-v"), r"\Alog +1 +256 blocks\ninodes +257 +32 blocks\n")
        self.assertEqual(self.names(), {"/": ["1", "dir", "1", "32"]})

    def test_areas(self) -> None:
        self.make("-s", "64M", "-i", "100", "-l", "50", self.image)
        areas = Image(self.image.read_bytes()[:BLOCK]).areas
        self.assertEqual(list(areas.values()), [0x37776F63, 16384, 1, 50, 51, 2, 100, 53, 1, 54])

    def test_usual_numbers(self) -> None:
        for size, inodes, log in [("1M", 64, 48), ("16M", 1024, 256), ("2G", 65535, 256)]:
            self.make("-s", size, self.image)
            with self.image.open("rb") as file:
                areas = Image(file.read(BLOCK)).areas
            self.assertEqual((areas["inode_count"], areas["log_blocks"]), (inodes, log), size)
            self.check_clean()

    def test_tiny(self) -> None:
        self.make("-s", "224K", self.image, self.host_file("a", b"x" * 4 * BLOCK))
        self.check_clean()
        self.make("-s", "208K", self.image)
        self.check_clean()
        self.make("-i", "2", self.image)
        self.assertIn("1 of 2 inodes", self.check_clean())

    def test_sparse(self) -> None:
        self.make("-s", "1G", self.image, self.host_file("a", b"hello"))
        self.assertEqual(self.image.stat().st_size, 1 << 30)
        self.assertLess(self.image.stat().st_blocks * 512, 2 << 20)
        self.check_clean()

    def test_double_indirect(self) -> None:
        content = random.Random(1).randbytes(20 << 20) + b"end"
        self.make(self.image, self.host_file("big", content))
        self.check_clean()
        self.assertEqual(self.content("/big"), content)

    def test_file_sizes_at_the_edges(self) -> None:
        edges = [0, 10 * BLOCK, (10 + POINTERS) * BLOCK, (10 + 2 * POINTERS) * BLOCK]
        sizes = [size + more for size in edges for more in (-1, 0, 1, BLOCK) if size + more >= 0]
        content = random.Random(2).randbytes(max(sizes))
        files = [self.host_file(f"f{size}", content[:size]) for size in sizes]
        self.make("-s", "128M", self.image, *files)
        self.check_clean()
        for size in sizes:
            self.assertEqual(self.content(f"f{size}"), content[:size])

    def test_many_files(self) -> None:
        source = self.host_file("x", b"content")
        self.make("-i", "1500", self.image, *[f"{source}:file{i}" for i in range(1400)])
        self.check_clean()
        self.assertEqual(len(self.names()), 1401)
        self.assertEqual(self.content("/file1399"), b"content")

    def test_directories(self) -> None:
        source = self.host_file("_x", b"content")
        paths = ["a/b/c", "/a/d", "a//b/_e", "g/h"]
        self.make(self.image, source, *[f"{source}:{path}" for path in paths])
        self.check_clean()
        rows = {path: (row[1], row[2]) for path, row in self.names().items()}
        directories = {
            "/": ("dir", "3"),
            "/a": ("dir", "2"),
            "/a/b": ("dir", "1"),
            "/g": ("dir", "1"),
        }
        files = {path: ("file", "1") for path in ("/x", "/a/b/c", "/a/b/_e", "/a/d", "/g/h")}
        self.assertEqual(rows, {**directories, **files})
        self.assertEqual(self.content("a/b/c"), b"content")

    def test_only_one_underscore_goes(self) -> None:
        self.make(self.image, self.host_file("__x", b""), self.host_file("y_", b""))
        self.assertEqual(sorted(self.names()), ["/", "/_x", "/y_"])

    def test_name_of_fourteen_bytes(self) -> None:
        self.make(self.image, self.host_file("abcdefghijklmn", b"long"))
        self.check_clean()
        self.assertEqual(self.content("abcdefghijklmn"), b"long")

    def test_same_input_same_image(self) -> None:
        source = self.host_file("x", b"content" * 9999)
        other = self.dir / "other.img"
        for image in (self.image, other):
            self.make("-s", "2M", image, source, f"{source}:d/y")
        self.assertEqual(self.image.read_bytes(), other.read_bytes())

    def test_replaces_the_old_image(self) -> None:
        self.image.write_bytes(b"old" * 999999)
        self.make("-s", "1M", self.image)
        self.assertEqual(self.image.stat().st_size, 1 << 20)
        self.assertEqual([path.name for path in self.dir.iterdir()], ["fs.img"])


class Errors(Workplace):
    """mkfs refuses in one line, with status 1, and leaves the old image alone."""

    def check_fails(self, message: str, *arguments: object) -> None:
        self.image.write_bytes(b"old")
        before = sorted(self.dir.iterdir())
        done = run(MKFS, *arguments)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(), rf"\Amkfs: .*{message}.*\n\Z")
        self.assertEqual(sorted(self.dir.iterdir()), before)
        self.assertEqual(self.image.read_bytes(), b"old")

    def test_sizes(self) -> None:
        sizes = ["", "x", "0", "-1", "1T", "5000", "1MM", "16384G", "99999999999G", "9" * 20]
        for size in sizes:
            self.check_fails("invalid size", "-s", size, self.image)

    def test_numbers(self) -> None:
        for number in ["", "0", "1", "x", "5x", "-9", "65536", "9" * 20]:
            self.check_fails("invalid number of inodes", "-i", number, self.image)
        self.check_fails("invalid number of log blocks", "-l", "0", self.image)
        self.check_fails("too small", "-l", "100000", self.image)
        self.check_fails(
            "too small: it takes 52 for log, inodes and bitmap", "-s", "204K", self.image
        )

    def test_names(self) -> None:
        source = self.host_file("x", b"")
        long = self.host_file("abcdefghijklmno", b"")
        self.check_fails(
            "name too long: 'abcdefghijklmno' has 15 bytes, 14 are possible", self.image, long
        )
        self.check_fails("name too long", self.image, f"{source}:abcdefghijklmno/x")
        self.check_fails("duplicate name 'x'", self.image, source, source)
        self.check_fails("duplicate name 'd'", self.image, f"{source}:d/x", f"{source}:d")
        self.check_fails("'x' is a file already", self.image, source, f"{source}:x/y")
        for name in ["", "/", "."]:
            self.check_fails("no name", self.image, f"{source}:{name}")
        self.check_fails("no name", self.image, f"{source}:a/../b")
        self.check_fails("no name", self.image, self.host_file("_", b""))

    def test_files(self) -> None:
        self.check_fails("cannot read .*none: No such file", self.image, self.dir / "none")
        self.check_fails("cannot read .*Is a directory", self.image, f"{self.dir}:d")

    def test_what_does_not_fit(self) -> None:
        big = self.host_file("big", b"x" * 2000000)
        self.check_fails(
            "big does not fit: the image has only 256 blocks", "-s", "1M", self.image, big
        )
        files = [self.host_file(f"f{i}", b"") for i in range(9)]
        self.check_fails(
            "f8 does not fit: the image has only 10 inodes", "-i", "10", self.image, *files
        )
        self.make("-i", "10", self.dir / "ok.img", *files[:8])

    def test_unwritable(self) -> None:
        self.check_fails("cannot write", self.dir / "none" / "fs.img")
        self.check_fails("cannot write", self.dir)
        self.check_fails("cannot write", "/dev/null")

    def test_usage(self) -> None:
        cases: list[list[str]] = [[], ["-x", str(self.image)], ["-s"]]
        for arguments in cases:
            done = run(MKFS, *arguments)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"usage: mkfs", done.stderr)


class Damage(Workplace):
    """fsck names each kind of damage: where it is and what is wrong."""

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
        """fsck finds exactly these violations, given as regular expressions."""
        done = self.fsck()
        found = done.stdout.decode().splitlines()
        self.assertEqual(done.returncode, 1, found)
        self.assertEqual(done.stderr, b"")
        self.assertEqual(len(found), len(lines) + 1, found)
        for pattern in lines:
            matches = [line for line in found if re.fullmatch(r"violation: " + pattern, line)]
            self.assertEqual(len(matches), 1, (pattern, found))
        self.assertRegex(found[-1], rf": {len(lines)} violations")
        self.assertEqual(self.fsck("-q").stdout.decode().splitlines(), found[:-1])

    def expect_warning(self, pattern: str) -> None:
        """fsck finds nothing but this."""
        done = self.fsck()
        found = done.stdout.decode().splitlines()
        self.assertEqual((done.returncode, len(found)), (0, 2), found)
        self.assertRegex(found[0], r"\Awarning: " + pattern + r"\Z")
        self.assertEqual(self.fsck("-q").stdout, b"")
        self.assertEqual(self.fsck("--strict").returncode, 1)

    def test_base_is_clean(self) -> None:
        self.assertEqual(self.fsck("--strict").returncode, 0)

    # Superblock.

    def test_magic(self) -> None:
        self.disk.set_super("magic", 0x12345678)
        self.expect("superblock: magic number is 0x12345678, not 0x37776f63")

    def test_other_version(self) -> None:
        self.disk.set_super("magic", 0x36776F63)
        self.expect("superblock: the image was made by another version of cow6; build it again")

    def test_short_image(self) -> None:
        del self.disk.data[BLOCK * 100:]
        self.expect("superblock: the disk has 2048 blocks, the image only 100")
        del self.disk.data[BLOCK - 1:]
        self.expect("superblock: the image is shorter than a block")

    def test_inode_count(self) -> None:
        for count in (0, 1, 65536, 2**32 - 1):
            self.disk.set_super("inode_count", count)
            self.expect(f"superblock: {count} inodes, must be 2 to 65535")
        self.disk.set_super("inode_count", 129)
        self.expect("superblock: area inodes has 2 blocks, at least 3 are needed")

    def test_area_sizes(self) -> None:
        for name, area, needed in (("log_blocks", "log", 2), ("bitmap_blocks", "bitmap", 1)):
            self.disk = Image(self.base)
            self.disk.set_super(name, 0)
            self.expect(f"superblock: area {area} has 0 blocks, at least {needed} are needed")

    def test_area_order(self) -> None:
        for name, area in (
            ("log_start", "log"),
            ("inode_start", "inodes"),
            ("bitmap_start", "bitmap"),
            ("data_start", "data"),
        ):
            self.disk = Image(self.base)
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

    # Log.

    def test_log_is_replayed(self) -> None:
        inodes = self.disk.areas["inode_start"]
        whole, start = self.disk.block(inodes), self.disk.areas["log_start"]
        self.disk.set(self.a, "nlink", 7)
        first = self.disk.block(inodes)
        at = self.disk.write_record(start, 41, {inodes: first, 1000: self.disk.block(1000)})
        self.assertIn(b"1 log records replayed", self.fsck().stdout)
        self.disk.write_record(at, 42, {inodes: whole})
        done = self.fsck()
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"2 log records replayed", done.stdout)
        self.assertEqual(self.image.read_bytes(), self.disk.data, "fsck changed the image")
        done = self.fsck("-n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"2 log records ignored", done.stdout)

    def test_log_ends_at_what_is_not_committed(self) -> None:
        inodes, start = self.disk.areas["inode_start"], self.disk.areas["log_start"]
        self.disk.set(self.a, "nlink", 7)
        broken = self.disk.block(inodes)
        self.disk.set(self.a, "nlink", 1)
        at = self.disk.write_record(start, 5, {})
        for sequence in (4, 5, 7):
            self.disk.write_record(at, sequence, {inodes: broken})
            self.assertIn(b"1 log records", self.fsck().stdout)
        self.disk.write_record(at, 6, {inodes: broken})
        self.assertEqual(self.fsck().returncode, 1)
        for place in (at * BLOCK, at * BLOCK + 24, (at + 1) * BLOCK + 99):
            self.disk.data[place] ^= 1
            done = self.fsck()
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"1 log records", done.stdout)
            self.disk.data[place] ^= 1

    def test_escaped_sectors_get_their_first_word_back(self) -> None:
        start, home = self.disk.areas["log_start"], self.disk.get(self.a, "direct")
        content = bytearray(self.disk.block(home))
        self.disk.write_record(start, 7, {home: bytes(content)}, escaped=1)
        struct.pack_into("<I", content, 0, LOG_MAGIC)
        self.assertIn(b"1 log records replayed", self.fsck().stdout)
        self.assertEqual(self.fsck("--extract", "/a").stdout[:4], bytes(content[:4]))

    def test_each_sector_of_a_log_header_counts(self) -> None:
        start = self.disk.areas["log_start"]
        self.disk.write_record(start, 7, {1000: self.disk.block(1000)})
        for sector in range(start * BLOCK, (start + 1) * BLOCK, SECTOR):
            for offset in (0, 8):
                self.disk.data[sector + offset] ^= 1
                self.assertIn(b"0 log records", self.fsck().stdout)
                self.disk.data[sector + offset] ^= 1
        self.assertIn(b"1 log records", self.fsck().stdout)

    def test_log_magic_counts(self) -> None:
        self.disk.write_record(
            self.disk.areas["log_start"], 1, {1000: self.disk.block(1000)}, magic=LOG_MAGIC + 1
        )
        self.assertIn(b"0 log records", self.fsck().stdout)

    def test_longest_log_record(self) -> None:
        self.make("-l", "1100", self.image)
        self.disk = Image(self.image.read_bytes())
        blocks = {number: self.disk.block(number) for number in range(1300, 2077)}
        self.disk.write_record(1, 1, blocks)
        self.assertIn(b"0 log records", self.fsck().stdout)
        del blocks[2076]
        self.disk.write_record(1, 1, blocks)
        found = self.fsck().stdout
        self.assertIn(
            b"clean; 1 of 2048 inodes and 1 of 7058 data blocks used, 1 log records", found
        )

    def test_log_at_the_end_of_its_area(self) -> None:
        self.disk.set_super("log_blocks", 3)
        inodes, start = self.disk.areas["inode_start"], self.disk.areas["log_start"]
        content = self.disk.block(inodes)
        self.disk.write_record(start, 1, {inodes: content, inodes + 1: self.disk.block(inodes + 1)})
        self.assertIn(b"1 log records", self.fsck().stdout)
        self.disk.write_record(
            start, 1, {inodes: content, inodes + 1: self.disk.block(inodes + 1), 1000: content}
        )
        self.assertIn(b"0 log records", self.fsck().stdout)

    def test_log_home(self) -> None:
        for home in (0, 1, self.disk.areas["inode_start"] - 1, 2048, 2**32 - 1):
            self.disk.write_record(self.disk.areas["log_start"], 9, {home: bytes(BLOCK)})
            self.expect(f"log: record 9 has a block for {home}, which the log must not change")

    # Inodes.

    def test_inode_zero(self) -> None:
        self.disk.set(0, "type", FILE)
        self.expect("inode 0 is not free")

    def test_type(self) -> None:
        self.disk.set(self.a, "type", 9)
        self.expect(rf"inode {self.a} \(/a\): bad type 9")

    def test_root_type(self) -> None:
        self.disk.set(1, "type", 0)
        done = self.fsck()
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"violation: inode 1 (/): the root is free\n", done.stdout)
        self.disk.set(1, "type", FILE)
        self.assertIn(b"violation: inode 1 (/): the root is not a directory\n", self.fsck().stdout)

    def test_sizes(self) -> None:
        self.disk.set(self.a, "size", 2**63)
        missing = "1049607 blocks missing below its size, the first is number 3 of the file"
        size = f"size {2**63} is too large"
        self.expect(rf"inode {self.a} \(/a\): {size}", rf"inode {self.a} \(/a\): {missing}")

    def test_largest_size(self) -> None:
        largest = (10 + POINTERS + POINTERS * POINTERS) * BLOCK
        for size, lines in ((largest, 2), (largest + 1, 3)):
            self.disk.set(self.a, "size", size)
            self.assertEqual(len(self.fsck().stdout.splitlines()), lines)

    def test_directory_size(self) -> None:
        self.disk.set(self.d, "size", self.disk.get(self.d, "size") + 8)
        self.expect(rf"inode {self.d} \(/d\): size 72 of a directory, must be a multiple of 16")

    def test_large_directory(self) -> None:
        self.disk.set(self.d, "size", (4 << 20) + 16)
        self.assertIn(
            "/d): size 4194320 of a directory, at most 4194304", self.fsck().stdout.decode()
        )

    def test_device(self) -> None:
        self.disk.add_inode(self.free_inode, DEVICE, 1, major=1, size=5)
        self.disk.add_entry(1, self.free_inode, b"console")
        self.expect(r"inode 50 \(/console\): size 5 of a device, must be 0")
        self.disk.set(self.free_inode, "size", 0)
        self.assertEqual(self.fsck("--strict").returncode, 0)
        self.assertEqual(self.names()["/console"], ["50", "device", "1", "0"])
        self.disk.set(self.free_inode, "major", 77)
        self.expect_warning(
            r"inode 50 \(/console\): bad device number: no device has major number 77"
        )

    def test_device_number_of_a_file(self) -> None:
        self.disk.set(self.a, "minor", 3)
        self.expect(rf"inode {self.a} \(/a\): bad device number: 0, 3, but it is no device")

    def test_link_counts(self) -> None:
        for inode, path, links in (
            (self.a, "/a", 1),
            (self.d, "/d", 2),
            (self.e, "/d/e", 1),
            (1, "/", 2),
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
        self.assertEqual(self.fsck("--strict").returncode, 0)
        self.assertEqual(self.names()["/d/again"], self.names()["/a"])

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
        self.assertEqual(
            (done.returncode, done.stdout.count(b"orphan: was open")), (0, 2), done.stdout
        )
        self.disk.set_entry(self.disk.entry(self.e, ".."), 99)
        self.disk.set_entry(self.disk.entry(self.e, "."), 0)
        self.assertEqual(self.fsck().returncode, 0)
        self.disk.add_entry(self.e, self.a, b"x")
        self.assertIn(b"removed directory is not empty: 1 entries", self.fsck().stdout)

    # Blocks.

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
        self.assertIn(b"pointer to block 5000, which is past", self.fsck().stdout)

    def test_block_used_twice(self) -> None:
        block, old = self.disk.get(self.a, "direct"), self.disk.get(self.c, "direct", 1)
        self.disk.set(self.c, "direct", block, 1)
        self.disk.mark(old, False)
        self.assertLess(self.a, self.c)
        self.expect(
            rf"inode {self.c} \(/d/e/c\): block {block} is also used by inode {self.a} \(/a\)"
        )

    def test_indirect_used_twice(self) -> None:
        double = self.disk.get(self.big, "double")
        self.disk.set_pointer(double, 5, self.disk.get(self.big, "indirect"))
        done = self.fsck()
        self.assertRegex(
            done.stdout.decode(), r"\(/big\): block \d+ is also used by inode \d+ \(/big\)\n"
        )

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
        found = self.fsck().stdout.decode()
        self.assertIn(
            "(/big): 7 blocks missing below its size, the first is number 17 of the file\n", found
        )
        self.assertRegex(found, rf"blocks? {double}\b.* marked used, but nothing uses it")

    def test_surplus(self) -> None:
        self.disk.set(self.a, "direct", self.free_block, 3)
        self.disk.mark(self.free_block, True)
        self.expect(
            rf"inode {self.a} \(/a\): 1 blocks beyond its size, the first is block {self.free_block}"
        )

    def test_surplus_pointer_block(self) -> None:
        self.disk.set(self.a, "indirect", self.free_block)
        self.disk.mark(self.free_block, True)
        self.expect(
            rf"inode {self.a} \(/a\): 1 blocks beyond its size, the first is block {self.free_block}"
        )

    def test_surplus_block_of_a_directory_is_not_read(self) -> None:
        self.disk.set(self.d, "direct", self.free_block, 1)
        self.disk.mark(self.free_block, True)
        self.disk.set_entry(self.free_block * BLOCK, self.a, b"stale")
        self.disk.set_entry(self.get_end(self.d), self.a, b"stale")
        self.expect(
            rf"inode {self.d} \(/d\): 1 blocks beyond its size, the first is block {self.free_block}"
        )

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
        self.expect(
            rf"inode 50 \(/console\): 1 blocks beyond its size, the first is block {self.free_block}"
        )

    # Bitmap.

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

    # Directories.

    def test_dot(self) -> None:
        self.disk.set_entry(self.disk.entry(self.d, "."), 1)
        self.expect(rf"inode {self.d} \(/d\): '\.' names inode 1")

    def test_dot_dot(self) -> None:
        self.disk.set_entry(self.disk.entry(self.e, ".."), 1)
        parent = rf"inode {self.d} \(/d\)"
        self.expect(rf"inode {self.e} \(/d/e\): '\.\.' names inode 1, but the parent is {parent}",
                    rf"inode {self.d} \(/d\): nlink is 2, but 1 directory entries name it",
                    r"inode 1 \(/\): nlink is 2, but 3 directory entries name it")

    def test_root_dot_dot(self) -> None:
        self.disk.set_entry(self.disk.entry(1, ".."), self.d)
        self.disk.set(1, "nlink", 1)
        self.disk.set(self.d, "nlink", 3)
        self.expect(rf"inode 1 \(/\): '\.\.' names inode {self.d}, but the parent is inode 1 \(/\)")

    def test_dots_missing(self) -> None:
        self.disk.set_entry(self.disk.entry(self.e, "."), 0)
        self.expect(rf"inode {self.e} \(/d/e\): '\.' or '\.\.' missing")

    def test_dot_dot_elsewhere(self) -> None:
        dot, dot_dot = self.disk.entry(self.e, "."), self.disk.entry(self.e, "..")
        self.disk.set_entry(dot, self.d, b"..")
        self.disk.set_entry(dot_dot, self.e, b".")
        self.expect(rf"inode {self.e} \(/d/e\): '\.\.' is not the second entry")

    def test_empty_name(self) -> None:
        self.disk.set_entry(self.disk.entry(1, "a"), self.a, b"")
        self.expect(rf"inode 1 \(/\): entry for inode {self.a} has an empty name")

    def test_slash_in_name(self) -> None:
        self.disk.set_entry(self.disk.entry(1, "a"), self.a, b"x/y")
        self.expect(r"inode 1 \(/\): name 'x/y' has a slash")

    def test_name_twice(self) -> None:
        self.disk.add_entry(1, self.big, b"big")
        self.disk.set(self.big, "nlink", 2)
        self.expect(r"inode 1 \(/\): name 'big' appears twice")

    def test_junk_in_free_entries(self) -> None:
        self.disk.add_entry(1, 0, b"/\xff\0junk")
        self.assertEqual(self.fsck("--strict").returncode, 0)

    def test_junk_behind_a_name(self) -> None:
        self.disk.set_entry(self.disk.entry(1, "a"), self.a, b"a\0/junk")
        self.expect(r"inode 1 \(/\): name 'a' is not filled up with zeros")

    def test_entry_of_no_inode(self) -> None:
        self.disk.add_entry(1, 60, b"free")
        self.disk.add_entry(1, 100, b"after")
        self.expect(r"inode 1 \(/\): 'free' names inode 60, which is free",
                    r"inode 1 \(/\): 'after' names inode 100, which is past the last one")

    def test_directory_with_two_names(self) -> None:
        self.disk.add_entry(1, self.e, b"second")
        self.disk.set(self.e, "nlink", 2)
        done = self.fsck()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(
            done.stdout.decode(), rf"inode {self.e} \(\S+\): directory has 1 names too many\n"
        )

    def test_root_with_a_name(self) -> None:
        self.disk.add_entry(self.d, 1, b"top")
        self.disk.set(1, "nlink", 3)
        self.expect(r"inode 1 \(/\): directory has 1 names too many")

    def test_directory_without_a_name(self) -> None:
        self.disk.set_entry(self.disk.entry(1, "d"), 0)
        self.disk.set(self.d, "nlink", 1)
        self.disk.set(self.e, "nlink", 1)
        self.expect(rf"inode {self.d}: directory cannot be reached from the root",
                    rf"inode {self.e} \(\.\.\./e\): directory cannot be reached from the root")

    def test_loop(self) -> None:
        self.disk.set_entry(self.disk.entry(1, "d"), 0)
        self.disk.add_entry(self.e, self.d, b"d")
        self.disk.set_entry(self.disk.entry(self.d, ".."), self.e)
        self.disk.set(1, "nlink", 1)
        self.disk.set(self.e, "nlink", 2)
        loop = "directory cannot be reached from the root: its parents form a loop"
        self.expect(rf"inode {self.d} \(.*\): {loop}", rf"inode {self.e} \(.*\): {loop}")
        self.assertEqual(run(FSCK, "--list", self.image).returncode, 0)

    # The whole program.

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

    def test_random_damage(self) -> None:
        """fsck ends in an orderly way whatever it reads."""
        for seed in range(int(os.environ.get("DAMAGE_ROUNDS", "60"))):
            self.disk = Image(self.base)
            damage_randomly(self.disk, random.Random(seed))
            self.image.write_bytes(self.disk.data)
            cases: list[list[str]] = [[], ["--list"], ["--extract", "/d/e/c"]]
            for options in cases:
                done = run(FSCK, *options, self.image)
                self.assertIn(
                    done.returncode, (0, 1), f"seed {seed} {options}: {done.stderr.decode()}"
                )
                self.assertEqual(
                    re.sub(rb"fsck: .*\n", b"", done.stderr), b"", f"seed {seed} {options}"
                )


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
