"""Submissions of every kind: what is brought in, what is refused, and that nothing gets out of its folder."""
from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Dict, List, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from grader.errors import InfraError, SubmissionError  # noqa: E402
from grader.submission import Sizes, collect, fetch  # noqa: E402

TREE = {
    "kernel/main.c": b"int main;\n", "kernel/vm/cow.c": b"int cow;\n", "Makefile": b"all:\n",
    "user/init.c": b"int init;\n",
}
ALLOWED = ["kernel/**/*.c", "kernel/**/*.h"]
SMALL = Sizes(
    files=10, file_bytes=1000, total_bytes=5000, archive_bytes=1 << 20, archive_files=50, unpacked_bytes=20 << 20,
    depth=8,
)


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = Path(self.temporary.name)
        self.work = self.folder / "work"

    def write(self, folder: str, files: Dict[str, bytes]) -> Path:
        """Writes files below a folder."""
        for name, data in files.items():
            path = self.folder / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self.folder / folder

    def tar(self, members: List["tuple[str, bytes]"], mode: str = "w", name: str = "a.tar") -> str:
        """Makes a tar archive."""
        path = self.folder / name
        with tarfile.open(str(path), mode) as tar:
            for member, data in members:
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return str(path)

    def special(self, name: str, kind: bytes, link: str = "") -> str:
        """Makes a tar archive of the tree and one more member of this kind."""
        path = self.tar(list(TREE.items()))
        with tarfile.open(path, "a") as tar:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            tar.addfile(info)
        return path

    def zip(self, members: List["tuple[str, bytes]"], compression: int = zipfile.ZIP_DEFLATED) -> str:
        """Makes a zip archive."""
        path = self.folder / "a.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for member, data in members:
                archive.writestr(member, data)
        return str(path)

    def refused(self, source: str, pattern: str, sizes: Sizes = SMALL) -> None:
        """The source must be refused for the reason."""
        with self.assertRaisesRegex(SubmissionError, pattern):
            fetch(source, self.work, sizes)
        outside = {entry.name for entry in self.folder.iterdir()} - {
            "work", "taken", "a.tar", "a.zip", "tree", "secret", "a.bin"
        }
        self.assertEqual(outside, set())

    def taken(self, source: str, sizes: Sizes = SMALL) -> List[str]:
        """Returns the allowed files of the source."""
        root = fetch(source, self.work, sizes)
        return collect(root, self.folder / "taken", ALLOWED, sizes=sizes).files


class Kinds(Case):
    """Each kind of source gives the same files."""

    WANTED = ["kernel/main.c", "kernel/vm/cow.c"]

    def test_directory(self) -> None:
        self.assertEqual(self.taken(str(self.write("tree", TREE))), self.WANTED)

    def test_tar(self) -> None:
        for mode in ("w", "w:gz", "w:bz2", "w:xz"):
            with self.subTest(mode):
                self.assertEqual(self.taken(self.tar(list(TREE.items()), mode)), self.WANTED)

    def test_zip(self) -> None:
        self.assertEqual(self.taken(self.zip(list(TREE.items()))), self.WANTED)

    def test_zip_with_backslashes(self) -> None:
        self.assertEqual(
            self.taken(self.zip([(name.replace("/", "\\"), data) for name, data in TREE.items()])), self.WANTED
        )

    def test_one_top_folder_and_deeper(self) -> None:
        for top in ("cow/", "./", "a/b/c/"):
            with self.subTest(top):
                self.assertEqual(self.taken(self.tar([(top + name, data) for name, data in TREE.items()])), self.WANTED)

    def test_junk_of_other_systems_is_left_out(self) -> None:
        junk = [("__MACOSX/kernel/main.c", b"x"), ("kernel/._main.c", b"x"), (".git/kernel/main.c", b"x")]
        self.assertEqual(self.taken(self.tar([*TREE.items(), *junk])), self.WANTED)

    def git(self, *arguments: str) -> None:
        """Runs git in the tree."""
        identity = {
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"
        }
        environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(
            ["git", "-C", str(self.folder / "tree"), *arguments], check=True, capture_output=True, env=environment
        )

    def repository(self) -> str:
        """Makes a repository: `first` is a tag of the tree without cow.c, `work/two` a branch with it,
        HEAD is that branch."""
        files = dict(TREE)
        cow = files.pop("kernel/vm/cow.c")
        self.write("tree", files)
        self.git("init", "-q", "-b", "main")
        self.git("add", ".")
        self.git("commit", "-qm", "1")
        self.git("tag", "first")
        self.write("tree", {"kernel/vm/cow.c": cow})
        self.git("add", ".")
        self.git("commit", "-qm", "2")
        self.git("branch", "work/two")
        return str(self.folder / "tree")

    def test_git(self) -> None:
        tree = self.repository()
        for revision, wanted in (
            ("first", self.WANTED[:1]), ("work/two", self.WANTED), ("HEAD", self.WANTED),
            ("HEAD~1", self.WANTED[:1]), ("main^", self.WANTED[:1]),
        ):
            with self.subTest(revision):
                self.assertEqual(self.taken(f"{tree}@{revision}"), wanted)
        self.assertEqual(self.taken(f"file://{tree}"), self.WANTED)
        self.assertEqual(self.taken(f"file://{tree}@first"), self.WANTED[:1])

    def test_git_runs_nothing_of_the_repository(self) -> None:
        tree = self.repository()
        trap = f"touch {self.folder}/trapped; false"
        self.write(
            "tree", {".gitattributes": b"* filter=x\n", ".gitmodules": b'[submodule "x"]\npath = x\nurl = ext::sh\n'}
        )
        self.git("add", ".")
        self.git("commit", "-qm", "3")
        for setting in (
            "core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "filter.x.smudge", "core.pager",
            "tar.tar.command",
        ):
            self.git("config", setting, trap)
        for hook in ("post-checkout", "pre-auto-gc", "reference-transaction", "post-upload-pack"):
            path = self.folder / "tree/.git/hooks" / hook
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{trap}\n")
            path.chmod(0o755)
        self.assertEqual(self.taken(f"{tree}@HEAD"), self.WANTED)
        self.assertFalse((self.folder / "trapped").exists())

    def test_git_refuses(self) -> None:
        tree = self.repository()
        trap = f"ext::sh -c touch% {self.folder}/trapped"
        for source, pattern in (
            (f"{tree}@nosuch", "git cannot fetch"), (f"{tree}@--upload-pack=x", "cannot be a revision"),
            (trap, "is no directory"), (f"file://{self.folder}/none", "git cannot fetch"),
            (f"file://{tree}@first:kernel", "cannot be a revision"),
        ):
            with self.subTest(source):
                self.refused(source, pattern)
        self.assertFalse((self.folder / "trapped").exists())

    def test_a_network_that_fails_is_nobodys_fault(self) -> None:
        for source in ("https://127.0.0.1:9/x.git", "https://127.0.0.1:9/x.git@first", "ssh://127.0.0.1:9/x.git"):
            with self.subTest(source), self.assertRaisesRegex(InfraError, "cannot fetch"):
                fetch(source, self.work, Sizes())


class Hostile(Case):
    """Archives that want out, or are too much."""

    def test_paths_outside(self) -> None:
        for name in ("/etc/x", "../x", "kernel/../../x", "C:\\x", "a/../../../x"):
            with self.subTest(name):
                self.refused(self.tar([*TREE.items(), (name, b"x")]), "leads out")
        for name in ("../x", "..\\x", "/x"):
            with self.subTest(zip=name):
                self.refused(self.zip([*TREE.items(), (name, b"x")]), "leads out")

    def test_links_and_special_files(self) -> None:
        kinds = {
            tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "link", tarfile.CHRTYPE: "special", tarfile.FIFOTYPE: "special"
        }
        for kind, word in kinds.items():
            with self.subTest(kind):
                self.refused(self.special("kernel/x.c", kind, "/etc/passwd"), word)
                self.assertEqual(self.taken(self.special("notes", kind, "/etc/passwd")), Kinds.WANTED)
                self.assertFalse(os.path.lexists(self.work / "unpacked/notes"))

    def test_write_through_a_link(self) -> None:
        path = self.special("out", tarfile.SYMTYPE, str(self.folder))
        with tarfile.open(path, "a") as tar:
            info = tarfile.TarInfo("out/escaped")
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
        self.taken(path)
        self.assertFalse((self.folder / "escaped").exists())

    def test_link_in_zip(self) -> None:
        path = self.zip(list(TREE.items()))
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo("kernel/x.c")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "/etc/passwd")
        self.refused(path, "is a link")

    def test_too_many_files(self) -> None:
        self.refused(self.tar([(f"kernel/{i}.c", b"") for i in range(60)]), "more than 50 files")

    def test_too_deep(self) -> None:
        self.refused(self.tar([("kernel/" + "d/" * 9 + "x.c", b"")]), "too deep")

    def test_bombs(self) -> None:
        zeros = bytes(30 << 20)
        self.refused(self.tar([("kernel/main.c", b""), ("fs.img", zeros)], "w:gz"), "more than 20 MiB|far more")
        self.refused(self.zip([("kernel/main.c", b""), ("fs.img", zeros)]), "more than 20 MiB")

    def test_bomb_in_a_header(self) -> None:
        info = tarfile.TarInfo("pax")
        info.type, info.size = tarfile.XHDTYPE, 15 << 20
        path = self.folder / "a.tar"
        path.write_bytes(info.tobuf() + bytes(16 << 20))
        self.refused(str(path), "far more", Sizes(archive_bytes=100 << 20))

    def test_zip_that_lies_about_sizes(self) -> None:
        path = Path(self.zip([("kernel/main.c", b"x" * 900)], zipfile.ZIP_STORED))
        data = path.read_bytes().replace(struct.pack("<I", 900), struct.pack("<I", 10))
        path.write_bytes(data)
        self.refused(str(path), "damaged")

    def test_large_files_that_are_not_wanted_do_no_harm(self) -> None:
        self.assertEqual(self.taken(self.tar([*TREE.items(), ("fs.img", bytes(1 << 20))], "w:gz")), Kinds.WANTED)

    def test_damaged(self) -> None:
        whole = Path(self.tar(list(TREE.items()), "w:gz")).read_bytes()
        path = self.folder / "a.bin"
        for data in (
            whole[: len(whole) // 2], b"", b"hello", b"PK\3\4nothing", os.urandom(3000), b"\x1f\x8b" + os.urandom(500)
        ):
            path.write_bytes(data)
            with self.subTest(data[:8]):
                self.refused(str(path), "damaged")

    def test_encrypted(self) -> None:
        path = Path(self.zip(list(TREE.items())))
        data = bytearray(path.read_bytes())
        for start, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            place = data.find(start)
            while place >= 0:
                data[place + offset] |= 1
                place = data.find(start, place + 1)
        path.write_bytes(data)
        self.refused(str(path), "encrypted")

    def test_file_and_folder_of_one_name(self) -> None:
        self.refused(self.tar([("kernel/vm", b"x"), ("kernel/vm/cow.c", b"x")]), "both as a file and as a folder")

    def test_no_source(self) -> None:
        for source in (str(self.folder / "none"), "-", "x@y"):
            with self.subTest(source):
                self.refused(source, "is no directory")

    def test_no_tree_or_two(self) -> None:
        self.refused(self.tar([("main.c", b"")]), "no folder kernel")
        self.refused(self.tar([("a/kernel/main.c", b""), ("b/kernel/main.c", b"")]), "several trees")


class Collecting(Case):
    """Only allowed files are taken."""

    def collect(self, files: Dict[str, bytes], required: Optional[List[str]] = None) -> "tuple[List[str], List[str]]":
        """Collects from these files."""
        collected = collect(self.write("tree", files), self.folder / "taken", ALLOWED, required or [], SMALL)
        return collected.files, collected.ignored

    def test_ignored(self) -> None:
        files = {**TREE, "kernel/kernel.ld": b"", "kernel/notes/a.txt": b""}
        self.assertEqual(
            self.collect(files),
            (["kernel/main.c", "kernel/vm/cow.c"], ["Makefile", "kernel/kernel.ld", "kernel/notes/", "user/"]),
        )

    def test_required(self) -> None:
        with self.assertRaisesRegex(SubmissionError, "has no kernel/vm/cow.h"):
            self.collect(TREE, ["kernel/vm/cow.h"])

    def test_links(self) -> None:
        self.write("secret", {"key": b"answer"})
        self.write("tree", TREE)
        (self.folder / "tree/kernel/key.c").symlink_to(self.folder / "secret/key")
        with self.assertRaisesRegex(SubmissionError, "key.c is a link"):
            self.collect({})
        (self.folder / "tree/kernel/key.c").unlink()
        (self.folder / "tree/kernel/more").symlink_to(self.folder / "secret")
        self.assertIn("kernel/more", self.collect({})[1])
        self.assertFalse((self.folder / "taken/kernel/more").exists())

    def test_fifo(self) -> None:
        self.write("tree", TREE)
        os.mkfifo(self.folder / "tree/kernel/wait.c")
        with self.assertRaisesRegex(SubmissionError, "wait.c is not a plain file"):
            self.collect({})

    def test_too_large(self) -> None:
        with self.assertRaisesRegex(SubmissionError, "kernel/main.c has more than 1000 bytes"):
            self.collect({"kernel/main.c": bytes(1001)})
        self.collect({"kernel/main.c": bytes(1000)})
        with self.assertRaisesRegex(SubmissionError, "too large"):
            self.collect({f"kernel/{i}.c": bytes(900) for i in range(6)})
        with self.assertRaisesRegex(SubmissionError, "too large"):
            self.collect({f"kernel/{i}.c": b"" for i in range(11)})
        with self.assertRaisesRegex(SubmissionError, "kernel/main.c has more than"):
            self.taken(self.tar([("kernel/main.c", bytes(1 << 20))], "w:gz"))


if __name__ == "__main__":
    unittest.main()
