"""Submissions of every kind: what is brought in, what is refused, and that nothing gets out of its
folder."""
from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
import unittest
import zipfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from grader import cow6_tree
from grader.archives import Sizes
from grader.cow6_tree import Collected, collect, detect, find_root
from grader.errors import InfraError, SubmissionError
from grader.repositories import GIT_OPTIONS, main_repository
from grader.sandbox import Sandbox
from grader.submission import fetch

TREE = {
    "kernel/main.c": b"int main;\n", "kernel/vm/cow.c": b"int cow;\n", "Makefile": b"all:\n",
    "user/init.c": b"int init;\n",
}
ALLOWED = ["kernel/**/*.c", "kernel/**/*.h"]
SMALL = Sizes(
    files=10, file_bytes=1000, total_bytes=5000, archive_bytes=1 << 20, archive_files=50,
    unpacked_bytes=20 << 20,
    depth=8,
)


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = Path(self.temporary.name)
        self.work = self.folder / "work"
        try:
            self.sandbox = Sandbox()
        except InfraError:
            self.sandbox = Sandbox(unsafe=True)

    def fetch(self, source: str, sizes: Sizes) -> Path:
        """Fetches, and finds the tree in what came."""
        folder = Path(source) if os.path.isdir(source) else fetch(
            source, self.work, self.sandbox, sizes
        )
        return find_root(folder, source)

    def collect_from(
        self, tree: Path, required: Sequence[str] = (), sizes: Sizes = SMALL
    ) -> Collected:
        """Collects into an empty folder."""
        taken = self.folder / "taken"
        shutil.rmtree(taken, ignore_errors=True)
        taken.mkdir()
        return collect(tree, taken, ALLOWED, required, sizes)

    def write(self, folder: str, files: dict[str, bytes]) -> Path:
        """Writes files below a folder."""
        for name, data in files.items():
            path = self.folder / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self.folder / folder

    def tar(self, members: list[tuple[str, bytes]], mode: str = "w", name: str = "a.tar") -> str:
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

    def zip(self, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> str:
        """Makes a zip archive."""
        path = self.folder / "a.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for member, data in members:
                archive.writestr(member, data)
        return str(path)

    def refused(self, source: str, pattern: str, sizes: Sizes = SMALL) -> None:
        """The source must be refused for the reason."""
        with self.assertRaisesRegex(SubmissionError, pattern):
            self.fetch(source, sizes)
        outside = {entry.name for entry in self.folder.iterdir()} - {
            "work", "taken", "a.tar", "a.zip", "tree", "secret", "a.bin"
        }
        self.assertEqual(outside, set())

    def taken(self, source: str, sizes: Sizes = SMALL) -> list[str]:
        """Returns the allowed files of the source."""
        return self.collect_from(self.fetch(source, sizes), sizes=sizes).files


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
            self.taken(self.zip([(name.replace("/", "\\"), data) for name, data in TREE.items()])),
            self.WANTED
        )

    def test_one_top_folder_and_deeper(self) -> None:
        for top in ("cow/", "./", "a/b/c/"):
            with self.subTest(top):
                self.assertEqual(
                    self.taken(self.tar([(top + name, data) for name, data in TREE.items()])),
                    self.WANTED
                )

    def test_the_folder_kernel_alone(self) -> None:
        """Its content is as good as the folder, whatever it is called."""
        content = {
            "main.c": b"int main;\n", "vm/cow.c": b"int cow;\n", "mem/frame.c": b"int frame;\n"
        }
        wanted = ["kernel/main.c", "kernel/mem/frame.c", "kernel/vm/cow.c"]
        for top in ("kernel/", "my/work/"):
            with self.subTest(top):
                folder = self.write(f"bare/{top}", content)
                self.assertEqual(self.taken_of(str(folder)), wanted)
        for top in ("", "work/"):
            members = [(top + name, data) for name, data in content.items()]
            with self.subTest(f"archive, {top}"):
                self.assertEqual(self.taken_of(self.zip(members)), wanted)
                self.assertEqual(self.taken_of(self.tar(members)), wanted)

    def taken_of(self, source: str) -> list[str]:
        """Returns the allowed files of the source, as they lie in the folder they were copied
        to."""
        self.assertEqual(detect(self.fetch(source, SMALL)), "cow6")
        files = self.taken(source)
        for name in files:
            self.assertTrue((self.folder / "taken" / name).is_file())
        return files

    def test_junk_of_other_systems_is_left_out(self) -> None:
        junk = [
            ("__MACOSX/kernel/main.c", b"x"), ("kernel/._main.c", b"x"),
            (".git/kernel/main.c", b"x")
        ]
        self.assertEqual(self.taken(self.tar([*TREE.items(), *junk])), self.WANTED)

    def git(self, *arguments: str) -> None:
        """Runs git in the tree."""
        identity = {
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a"
        }
        environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(
            ["git", "-C", str(self.folder / "tree"), *arguments], check=True, capture_output=True,
            env=environment
        )

    def repository(self, *options: str) -> str:
        """Makes a repository: `first` is a tag of the tree without cow.c, `work/two` a branch with
        it, HEAD is that branch."""
        files = dict(TREE)
        cow = files.pop("kernel/vm/cow.c")
        self.write("tree", files)
        self.git("init", "-q", "-b", "main", *options)
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

    def test_git_with_other_hashes(self) -> None:
        tree = self.repository("--object-format=sha256")
        self.assertEqual(self.taken(f"{tree}@first"), self.WANTED[:1])
        self.assertEqual(self.taken(f"{tree}@HEAD~1"), self.WANTED[:1])
        self.assertEqual(self.taken(f"file://{tree}"), self.WANTED)

    def test_git_runs_nothing_of_the_repository(self) -> None:
        tree = self.repository()
        trap = f"touch {self.folder}/trapped; false"
        self.write(
            "tree", {
                ".gitattributes": b"* filter=x\n",
                ".gitmodules": b'[submodule "x"]\npath = x\nurl = ext::sh\n'
            }
        )
        self.git("add", ".")
        self.git("commit", "-qm", "3")
        for setting in (
            "core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "filter.x.smudge",
            "core.pager",
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

    def test_git_of_others(self) -> None:
        """A repository that belongs to another user is as good; none is trusted for that."""
        tree = self.repository()
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "12345", tree], check=True)
        self.assertEqual(self.taken(f"{tree}@first"), self.WANTED[:1])
        self.assertNotIn("safe.directory", GIT_OPTIONS)

    def test_git_linked_work_tree(self) -> None:
        """It needs its main repository, which must know of it."""
        tree = self.repository()
        self.git("worktree", "add", "-q", str(self.folder / "secret/linked"), "first")
        self.assertEqual(self.taken(f"{self.folder}/secret/linked@HEAD"), self.WANTED[:1])
        other = self.folder / "secret/other"
        other.mkdir()
        (other / ".git").write_text(f"gitdir: {tree}/.git/worktrees/linked\n")
        self.refused(f"{other}@HEAD", "git cannot fetch")

    def test_git_links_to_others(self) -> None:
        """What a folder says of its main repository is a stranger's: it may be no file, endless, or
        a way to what is another's."""
        other = self.folder / "secret/other"
        own = other / "worktrees/x"
        own.mkdir(parents=True)
        (other / ".git").write_text(f"gitdir: {own}\n")
        self.assertEqual(main_repository(other), [])
        os.mkfifo(own / "gitdir")
        self.assertEqual(main_repository(other), [])
        (own / "gitdir").unlink()
        (own / "gitdir").symlink_to("/dev/zero")
        self.assertEqual(main_repository(other), [])
        (own / "gitdir").unlink()
        (own / "gitdir").write_text(f"{other}/.git\n")
        self.assertEqual(main_repository(other), [other])
        deep = other / "d"
        (deep / "e").mkdir(parents=True)
        (other / "link").symlink_to(deep / "e")
        (deep / "repository/worktrees").mkdir(parents=True)
        own.rename(deep / "repository/worktrees/x")
        (other / ".git").write_text(f"gitdir: {other}/link/../repository/worktrees/x\n")
        self.assertEqual(main_repository(other), [])

    def test_git_bomb(self) -> None:
        """Trees of trees, hundreds of thousands of files of few bytes."""
        tree = self.repository()
        made = self.output("rev-parse", "HEAD^{tree}")
        for _ in range(5):
            lines = "".join(f"040000 tree {made}\td{i}\n" for i in range(10))
            made = self.output("mktree", text=lines)
        bomb = self.output("commit-tree", "-m", "bomb", made)
        self.git("branch", "bomb", bomb)
        self.refused(f"{tree}@bomb", "takes too much")

    def test_git_deep_names(self) -> None:
        """A branch whose name is deeper than Python's recursion goes."""
        tree = self.repository()
        head = self.output("rev-parse", "HEAD")
        (self.folder / "tree/.git/packed-refs").write_text(f"{head} refs/heads/{'a/' * 1500}b\n")
        self.assertEqual(self.taken(f"{tree}@HEAD~1"), self.WANTED[:1])

    def output(self, *arguments: str, text: str = "") -> str:
        """Returns what git says in the tree."""
        identity = ["-c", "user.name=a", "-c", "user.email=a"]
        command = ["git", "-C", str(self.folder / "tree"), *identity, *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, input=text
        ).stdout.strip()

    def test_git_refuses(self) -> None:
        tree = self.repository()
        trap = f"ext::sh -c touch% {self.folder}/trapped"
        for source, pattern in (
            (f"{tree}@", "nothing cannot be a revision"),
            (f"{tree}@{'a' * 130_000}", "cannot be a revision"),
            (f"{tree}@HEAD@{{u}}", "git cannot fetch"), (f"{tree}@@@", "git cannot fetch"),
            (f"{tree}@nosuch", "git cannot fetch"),
            (f"{tree}@--upload-pack=x", "cannot be a revision"),
            (trap, "is no directory"), (f"file://{self.folder}/none", "git cannot fetch"),
            (f"file://{tree}@first:kernel", "cannot be a revision"),
        ):
            with self.subTest(source):
                self.refused(source, pattern)
        self.assertFalse((self.folder / "trapped").exists())

    def test_a_network_that_fails_is_nobodys_fault(self) -> None:
        for source in (
            "https://127.0.0.1:9/x.git", "https://127.0.0.1:9/x.git@first",
            "ssh://127.0.0.1:9/x.git"
        ):
            with self.subTest(source), self.assertRaisesRegex(InfraError, "cannot fetch"):
                self.fetch(source, Sizes())


class Litter(Case):
    """What editors and file managers leave beside the files that are meant: nobody handed it in."""

    FILES = [
        ".DS_Store", "._kernel", ".vscode/settings.json", ".backup/kernel/main.c",
        ".git/kernel/main.c", "__MACOSX/kernel/._main.c", "__MACOSX/kernel/main.c",
        "kernel/._main.c", "kernel/vm/._cow.c", "kernel/vm/.cow.c", "kernel/vm/.cow.c.swp",
        "kernel/vm/cow.c~", "kernel/vm/#cow.c#", "kernel/vm/.history/cow.c", "kernel/vm/.cow.h",
        "kernel/#vm.c#/cow.c", "kernel/vm~/cow.c", "kernel/vm/__pycache__/cow.c",
    ]
    MEMBERS = [(name, b"\0litter") for name in FILES]
    LOCK = "kernel/vm/.#cow.c"  # a link to nowhere that says who edits cow.c

    def everything(self, top: str = "") -> list[tuple[str, bytes]]:
        """Returns the tree's members with the litter before and after them."""
        members = [*self.MEMBERS[::2], *TREE.items(), *self.MEMBERS[1::2]]
        return [(top + name, data) for name, data in members]

    def littered(self, files: dict[str, bytes]) -> str:
        """Writes these files, the litter and a lock into a folder."""
        tree = self.write("tree", {**files, **dict(self.MEMBERS)})
        (tree / self.LOCK).symlink_to("student@home.4711:1700000000")
        return str(tree)

    def test_directory(self) -> None:
        tree = self.littered(TREE)
        self.assertEqual(self.taken(tree), Kinds.WANTED)
        collected = self.collect_from(Path(tree))
        self.assertLessEqual({"__MACOSX/", self.LOCK, "kernel/vm/cow.c~"}, set(collected.ignored))
        copied = [str(path) for path in (self.folder / "taken").rglob("*") if path.is_file()]
        self.assertEqual(len(copied), len(Kinds.WANTED))

    def test_archives(self) -> None:
        for top in ("", "./", "student/cow/"):
            with self.subTest(top):
                self.assertEqual(self.taken(self.zip(self.everything(top))), Kinds.WANTED)
                self.assertEqual(self.taken(self.tar(self.everything(top), "w:gz")), Kinds.WANTED)
                paths = (self.work / "unpacked").rglob("*")
                self.assertEqual(len([path for path in paths if path.is_file()]), len(TREE))

    def test_links_in_archives(self) -> None:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            for name in (self.LOCK, "kernel/vm/.cow.c", "kernel/.old/link", "__MACOSX/kernel/x"):
                with self.subTest(name):
                    path = self.special(name, kind, "me@here.1")
                    self.assertEqual(self.taken(path), Kinds.WANTED)
        path = self.zip(list(TREE.items()))
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo(self.LOCK)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "me@here.1")
        self.assertEqual(self.taken(path), Kinds.WANTED)

    def test_git(self) -> None:
        repository = Kinds("test_git")
        repository.folder = self.folder
        self.littered({**TREE, ".git/kernel/main.c": b""})
        repository.git("init", "-q", "-b", "main")
        repository.git("add", "-f", ".")
        repository.git("commit", "-qm", "everything")
        self.assertEqual(self.taken(f"{self.folder}/tree@main"), Kinds.WANTED)

    def test_limits(self) -> None:
        """They are for what is handed in."""
        many = {f"kernel/.{i}.c": b"" for i in range(60)}
        long = {"__MACOSX/" + "d/" * 20 + "x.c": b"", "." + "n" * 300: b""}
        large = {"kernel/vm/._cow.c": bytes(1 << 20)}
        for litter in (many, long, large):
            archive = self.tar([*TREE.items(), *litter.items()], "w:gz")
            self.assertEqual(self.taken(archive), Kinds.WANTED)
        tree = self.write("tree", {**TREE, **many, "kernel/vm/._cow.c": bytes(6000)})
        with mock.patch.object(cow6_tree, "WALK_MOST", 10):
            self.assertEqual(self.taken(str(tree)), Kinds.WANTED)

    def test_paths_outside(self) -> None:
        """Hidden or not, a path that leads out is refused."""
        for name in ("__MACOSX/../../x", "../.x", "/.x"):
            self.refused(self.tar([*TREE.items(), (name, b"x")]), "leads out")

    def test_nothing_else(self) -> None:
        """A submission of litter alone is an empty one, and no required file is there."""
        self.refused(self.tar(self.MEMBERS), "holds no folder kernel/")
        self.refused(self.zip(self.MEMBERS), "holds no folder kernel/")
        tree = self.littered({})
        self.refused(tree, "holds no folder kernel/")
        self.write("tree", {"kernel/main.c": b""})
        with self.assertRaisesRegex(SubmissionError, "has no kernel/vm/cow.c"):
            self.collect_from(Path(tree), ["kernel/vm/cow.c"])

    def test_root(self) -> None:
        """Neither what is hidden nor what is in it makes a folder the tree."""
        members = [("kernel/._main.c", b""), ("my/kernel/main.c", b""), (".my/kernel/main.c", b"")]
        members += [("my~/kernel/main.c", b""), ("#my#/kernel/main.c", b"")]
        self.assertEqual(self.taken(str(self.write("tree", dict(members)))), ["kernel/main.c"])
        self.assertEqual(self.taken(self.tar(members)), ["kernel/main.c"])


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
            tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "link", tarfile.CHRTYPE: "special",
            tarfile.FIFOTYPE: "special"
        }
        for kind, word in kinds.items():
            with self.subTest(kind):
                self.refused(self.special("kernel/x.c", kind, "/etc/passwd"), word)
                self.assertEqual(
                    self.taken(self.special("notes", kind, "/etc/passwd")), Kinds.WANTED
                )
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
        self.refused(
            self.tar([("kernel/main.c", b""), ("fs.img", zeros)], "w:gz"),
            "more than 20 MiB|far more"
        )
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
        self.assertEqual(
            self.taken(self.tar([*TREE.items(), ("fs.img", bytes(1 << 20))], "w:gz")), Kinds.WANTED
        )

    def test_damaged(self) -> None:
        whole = Path(self.tar(list(TREE.items()), "w:gz")).read_bytes()
        path = self.folder / "a.bin"
        for data in (
            whole[: len(whole) // 2], b"", b"hello", b"PK\3\4nothing", os.urandom(3000),
            b"\x1f\x8b" + os.urandom(500)
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
        self.refused(
            self.tar([("kernel/vm", b"x"), ("kernel/vm/cow.c", b"x")]),
            "both as a file and as a folder"
        )

    def test_no_source(self) -> None:
        for source in (str(self.folder / "none"), "-", "x@y"):
            with self.subTest(source):
                self.refused(source, "is no directory")

    def test_no_tree_or_two(self) -> None:
        self.refused(self.tar([("main.c", b"")]), "no folder kernel")
        self.refused(
            self.tar([("a/kernel/main.c", b""), ("b/kernel/main.c", b"")]), "several trees"
        )


class Collecting(Case):
    """Only allowed files are taken."""

    def collect(self, files: dict[str, bytes], required: list[str] | None = None) -> tuple[
        list[str], list[str]
    ]:
        """Collects from these files."""
        collected = self.collect_from(self.write("tree", files), required or [])
        return collected.files, collected.ignored

    def test_ignored(self) -> None:
        files = {**TREE, "kernel/kernel.ld": b"", "kernel/notes/a.txt": b""}
        self.assertEqual(
            self.collect(files),
            (
                ["kernel/main.c", "kernel/vm/cow.c"],
                ["Makefile", "kernel/kernel.ld", "kernel/notes/", "user/"]
            ),
        )

    def test_copies(self) -> None:
        """What a file manager calls a copy is left out beside the file itself, and nothing else."""
        copies = [
            "kernel/vm/Copy of cow.c", "kernel/vm/cow (1).c", "kernel/vm/cow - Copy (2).c",
            "kernel/vm/cow - Copy.c", "kernel/vm/cow copy.c",
        ]
        names = ("kernel/vm/my part.c", "kernel/vm/table (1).c", "kernel/vm/cow-2.c")
        others = {name: b"" for name in names}
        tree = self.write("tree", {**TREE, **others, **{name: b"int cow;\n" for name in copies}})
        collected = self.collect_from(tree, sizes=Sizes())
        self.assertEqual(sorted(collected.copies), sorted(copies))
        self.assertEqual(collected.files, sorted([*Kinds.WANTED, *others]))

    def test_a_copy_alone_is_not_the_file(self) -> None:
        files = {"kernel/main.c": b"", "kernel/vm/cow (1).c": b""}
        with self.assertRaisesRegex(SubmissionError, "has no kernel/vm/cow.c"):
            self.collect(files, ["kernel/vm/cow.c"])

    def test_line_ends(self) -> None:
        """What an editor or git on another system made of a source is undone."""
        text = "#define A \\\n    1 // \u00e9\n"
        for data in (
            text.replace("\n", "\r\n").encode(), text.encode("utf-8-sig"), text.encode("utf-16")
        ):
            self.collect({**TREE, "kernel/vm/cow.c": data})
            self.assertEqual(
                (self.folder / "taken/kernel/vm/cow.c").read_text(encoding="utf-8"), text
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
