"""Writes a disk image in xv6's file system format, for trees whose own mkfs is missing or does not
work.

Sizes and offsets come from the tree's own headers, as its compiler lays them out; files need at
most the direct blocks and one indirect block. Layout: boot block, super block, log, inodes, bitmap
of used blocks, data.
"""
from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

INODES = 200
ROOT_INODE = 1
DIRECTORY, FILE = 1, 2
MAGIC = 0x10203040
BYTES_MAX = 256 << 20


class ImageError(Exception):
    """The image cannot be made with these parameters."""


class Image:
    """An image being made. `layout` has the numbers named in xv6_disk.LAYOUT."""

    def __init__(self, layout: Mapping[str, int]) -> None:
        self.layout = layout
        self.block = layout["BSIZE"]
        self.blocks = layout["FSSIZE"]
        self.per_block = self.block // layout["dinode"]
        self.log_start = 2
        self.inode_start = self.log_start + layout["log_blocks"]
        self.bitmap_start = self.inode_start + INODES // self.per_block + 1
        self.next_block = self.bitmap_start + self.blocks // (self.block * 8) + 1
        self.data = bytearray(self.blocks * self.block)
        self.next_inode = ROOT_INODE
        sizes = {"magic": MAGIC, "size": self.blocks,
                 "nblocks": self.blocks - self.next_block, "ninodes": INODES,
                 "nlog": layout["log_blocks"], "logstart": self.log_start,
                 "inodestart": self.inode_start,
                 "bmapstart": self.bitmap_start}
        for name, value in sizes.items():
            if layout.get("super." + name, -1) >= 0:
                struct.pack_into("<I", self.data, self.block + layout["super." + name], value)

    def add(self, kind: int, content: bytes) -> int:
        """Adds an inode with its content; returns its number."""
        number = self.next_inode
        self.next_inode += 1
        at = (self.inode_start + number // self.per_block) * self.block
        at += number % self.per_block * self.layout["dinode"]
        size = max(len(content), self.block) if kind == DIRECTORY else len(content)
        for name, form, value in (("type", "<h", kind), ("nlink", "<h", 1), ("size", "<I", size)):
            struct.pack_into(form, self.data, at + self.layout["dinode." + name], value)
        blocks = [self._fill(content[i : i + self.block]) for i in range(0, size, self.block)]
        direct, rest = blocks[: self.layout["NDIRECT"]], blocks[self.layout["NDIRECT"] :]
        if rest:
            if len(rest) > self.block // 4:
                raise ImageError("a program is too large for the file system")
            direct.append(self._fill(struct.pack(f"<{len(rest)}I", *rest)))
        struct.pack_into(f"<{len(direct)}I", self.data, at + self.layout["dinode.addrs"], *direct)
        return number

    def _fill(self, content: bytes) -> int:
        """Puts bytes into the next free block; returns its number."""
        number = self.next_block
        self.next_block += 1
        if self.next_block > self.blocks:
            raise ImageError("the programs do not fit into the file system")
        self.data[number * self.block : number * self.block + len(content)] = content
        return number

    def finish(self) -> bytes:
        """Marks the used blocks in the bitmap; returns the image."""
        for number in range(self.next_block):
            self.data[self.bitmap_start * self.block + number // 8] |= 1 << number % 8
        return bytes(self.data)


def check_layout(layout: Mapping[str, int]) -> None:
    """ImageError unless the numbers could be those of a file system."""
    block = layout["BSIZE"]
    bounds = {
        "BSIZE": (512, 1 << 16), "FSSIZE": (51, 1 << 18), "dinode": (64, block),
        "dirent": (4, block),
        "NDIRECT": (1, block // 4), "DIRSIZ": (1, 255), "log_blocks": (0, layout["FSSIZE"] // 2),
    }
    places = {"super": (4, block), "dinode": (4, layout["dinode"]), "dirent": (2, layout["dirent"])}
    for name, place in layout.items():
        size, end = places.get(name.partition(".")[0], (0, 0)) if "." in name else (0, 0)
        bounds.update({name: (0, end - size)} if size else {})
    wrong = [name for name, (least, most) in bounds.items() if not least <= layout[name] <= most]
    names = layout["dirent.name"] + layout["DIRSIZ"] > layout["dirent"]
    addresses = layout["dinode.addrs"] + 4 * (layout["NDIRECT"] + 1) > layout["dinode"]
    if wrong or names or addresses or block * layout["FSSIZE"] > BYTES_MAX:
        why = wrong[0] if wrong else "dirent" if names else "dinode" if addresses else "FSSIZE"
        raise ImageError(f"the file system's parameters make no sense: {why} is {layout[why]}")


def write(path: Path, files: Mapping[str, Path], layout: dict[str, int]) -> None:
    """Writes an image whose root directory has the files under their names."""
    check_layout(layout)
    image = Image(layout)
    names = {".": ROOT_INODE, "..": ROOT_INODE}
    names.update({name: ROOT_INODE + 1 + i for i, name in enumerate(files)})
    entries: list[bytes] = []
    for name, number in names.items():
        entry = bytearray(layout["dirent"])
        struct.pack_into("<H", entry, layout["dirent.inum"], number)
        text = name.encode()[: layout["DIRSIZ"]]
        entry[layout["dirent.name"] : layout["dirent.name"] + len(text)] = text
        entries.append(bytes(entry))
    image.add(DIRECTORY, b"".join(entries))
    for file in files.values():
        image.add(FILE, file.read_bytes())
    path.write_bytes(image.finish())
