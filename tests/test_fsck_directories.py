"""fsck names what is wrong with directories."""
from __future__ import annotations

import re

from workplace import FSCK, Damage, run


class TestDirectories(Damage):
    """Entries, names, and the tree that they form."""

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
        assert self.fsck("--strict").status == 0

    def test_junk_after_a_name(self) -> None:
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
        assert done.status == 1
        surplus = rf"inode {self.e} \(\S+\): directory has 1 names too many\n"
        assert re.search(surplus, done.output)

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
        assert run(FSCK, "--list", self.image).status == 0
