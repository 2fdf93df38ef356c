"""mkfs makes images of many shapes, all of them clean, and refuses what cannot be."""
from __future__ import annotations

import random
import re

import pytest
from image import BLOCK, POINTERS, Image
from workplace import MKFS, Workplace, run


class TestShapes(Workplace):
    """mkfs makes what it is asked for."""

    def test_empty(self) -> None:
        self.make(self.image)
        assert self.image.stat().st_size == 32 << 20
        summary = "clean; 1 of 2048 inodes and 1 of 7902 data blocks used, 0 log records replayed\n"
        assert self.check_clean() == f"{self.image}: {summary}"
        assert re.search(r"\Alog +1 +256 blocks\ninodes +257 +32 blocks\n", self.check_clean("-v"))
        assert self.names() == {"/": ["1", "dir", "1", "32"]}

    def test_areas(self) -> None:
        self.make("-s", "64M", "-i", "100", "-l", "50", self.image)
        areas = Image(self.image.read_bytes()[:BLOCK]).areas
        assert list(areas.values()) == [0x38776F63, 16384, 1, 50, 51, 2, 100, 53, 1, 54]

    @pytest.mark.parametrize("size, inodes, log", [
        ("1M", 64, 48), ("16M", 1024, 256), ("2G", 65535, 256),
    ])
    def test_usual_numbers(self, size: str, inodes: int, log: int) -> None:
        self.make("-s", size, self.image)
        with self.image.open("rb") as file:
            areas = Image(file.read(BLOCK)).areas
        assert (areas["inode_count"], areas["log_blocks"]) == (inodes, log)
        self.check_clean()

    def test_tiny(self) -> None:
        self.make("-s", "224K", self.image, self.host_file("a", b"x" * 4 * BLOCK))
        self.check_clean()
        self.make("-s", "208K", self.image)
        self.check_clean()
        self.make("-i", "2", self.image)
        assert "1 of 2 inodes" in self.check_clean()

    def test_sparse(self) -> None:
        self.make("-s", "1G", self.image, self.host_file("a", b"hello"))
        assert self.image.stat().st_size == 1 << 30
        assert self.image.stat().st_blocks * 512 < 2 << 20
        self.check_clean()

    def test_double_indirect(self) -> None:
        content = random.Random(1).randbytes(20 << 20) + b"end"
        self.make(self.image, self.host_file("big", content))
        self.check_clean()
        assert self.content("/big") == content

    def test_file_sizes_at_the_edges(self) -> None:
        edges = [0, 10 * BLOCK, (10 + POINTERS) * BLOCK, (10 + 2 * POINTERS) * BLOCK]
        sizes = [size + more for size in edges for more in (-1, 0, 1, BLOCK) if size + more >= 0]
        content = random.Random(2).randbytes(max(sizes))
        files = [self.host_file(f"f{size}", content[:size]) for size in sizes]
        self.make("-s", "128M", self.image, *files)
        self.check_clean()
        for size in sizes:
            assert self.content(f"f{size}") == content[:size]

    def test_many_files(self) -> None:
        source = self.host_file("x", b"content")
        self.make("-i", "1500", self.image, *[f"{source}:file{i}" for i in range(1400)])
        self.check_clean()
        assert len(self.names()) == 1401
        assert self.content("/file1399") == b"content"

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
        assert rows == {**directories, **files}
        assert self.content("a/b/c") == b"content"

    def test_only_one_underscore_goes(self) -> None:
        self.make(self.image, self.host_file("__x", b""), self.host_file("y_", b""))
        assert sorted(self.names()) == ["/", "/_x", "/y_"]

    def test_name_of_fourteen_bytes(self) -> None:
        self.make(self.image, self.host_file("abcdefghijklmn", b"long"))
        self.check_clean()
        assert self.content("abcdefghijklmn") == b"long"

    def test_same_input_same_image(self) -> None:
        source = self.host_file("x", b"content" * 9999)
        other = self.dir / "other.img"
        for image in (self.image, other):
            self.make("-s", "2M", image, source, f"{source}:d/y")
        assert self.image.read_bytes() == other.read_bytes()

    def test_replaces_the_old_image(self) -> None:
        self.image.write_bytes(b"old" * 999999)
        self.make("-s", "1M", self.image)
        assert self.image.stat().st_size == 1 << 20
        assert [path.name for path in self.dir.iterdir()] == ["fs.img"]


class TestErrors(Workplace):
    """mkfs refuses in one line, with status 1, and leaves the old image alone."""

    def check_fails(self, message: str, *arguments: object) -> None:
        self.image.write_bytes(b"old")
        before = sorted(self.dir.iterdir())
        done = run(MKFS, *arguments)
        assert done.status == 1
        assert re.search(rf"\Amkfs: .*{message}.*\n\Z", done.errors)
        assert sorted(self.dir.iterdir()) == before
        assert self.image.read_bytes() == b"old"

    @pytest.mark.parametrize("size", [
        "", "x", "0", "-1", "1T", "5000", "1MM", "16384G", "99999999999G", "9" * 20,
    ])
    def test_sizes(self, size: str) -> None:
        self.check_fails("invalid size", "-s", size, self.image)

    @pytest.mark.parametrize("number", ["", "0", "1", "x", "5x", "-9", "65536", "9" * 20])
    def test_numbers_of_inodes(self, number: str) -> None:
        self.check_fails("invalid number of inodes", "-i", number, self.image)

    @pytest.mark.parametrize("message, option, number", [
        ("invalid number of log blocks", "-l", "0"),
        ("too small", "-l", "100000"),
        ("too small: it takes 52 for log, inodes and bitmap", "-s", "204K"),
    ])
    def test_numbers(self, message: str, option: str, number: str) -> None:
        self.check_fails(message, option, number, self.image)

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
            self.check_fails("cannot be the name", self.image, f"{source}:{name}")
        self.check_fails("cannot be the name", self.image, f"{source}:a/../b")
        self.check_fails("cannot be the name", self.image, self.host_file("_", b""))

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

    @pytest.mark.parametrize("words", [[], ["-x", "fs.img"], ["-s"]])
    def test_usage(self, words: list[str]) -> None:
        done = run(MKFS, *words)
        assert done.status == 1
        assert "usage: mkfs" in done.errors
