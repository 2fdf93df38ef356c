"""Submissions of every kind: what is fetched from them, and what is left out."""
from __future__ import annotations

import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from grader import cow6_tree
from grader.archives import Sizes
from grader.cow6_tree import detect
from grader.errors import InfraError, SubmissionError
from grader.repositories import GIT_OPTIONS, main_repository
from grader.submission import bring, split_revision
from submissions import SMALL, TREE, WANTED, Case


def test_a_folder_with_an_at_sign_is_not_a_revision_of_another(tmp_path: Path) -> None:
    for name in ("ada", "ada@example.org"):
        (tmp_path / name).mkdir()
    for place, revision in (("ada", "HEAD@{1}"), ("ada@example.org", "1a2b3c4"), ("ada", "x@y")):
        source = f"{tmp_path}/{place}@{revision}"
        assert split_revision(source) == (f"{tmp_path}/{place}", revision)


class TestKinds(Case):
    """Each kind of source gives the same files."""

    def test_directory(self) -> None:
        assert self.taken(str(self.write("tree", TREE))) == WANTED

    @pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
    def test_tar(self, mode: str) -> None:
        assert self.taken(self.tar(list(TREE.items()), mode)) == WANTED

    def test_zip(self) -> None:
        assert self.taken(self.zip(list(TREE.items()))) == WANTED

    def test_zip_with_backslashes(self) -> None:
        members = [(name.replace("/", "\\"), data) for name, data in TREE.items()]
        assert self.taken(self.zip(members)) == WANTED

    @pytest.mark.parametrize("top", ["cow/", "./", "a/b/c/"])
    def test_one_top_folder_and_deeper(self, top: str) -> None:
        members = [(top + name, data) for name, data in TREE.items()]
        assert self.taken(self.tar(members)) == WANTED

    KERNEL = {
        "main.c": b"int main;\n", "vm/cow.c": b"int cow;\n", "mem/frame.c": b"int frame;\n"
    }
    WANTED_OF_KERNEL = ["kernel/main.c", "kernel/mem/frame.c", "kernel/vm/cow.c"]

    @pytest.mark.parametrize("top", ["kernel/", "my/work/"])
    def test_the_folder_kernel_alone(self, top: str) -> None:
        """Its content is as good as the folder, whatever it is called."""
        folder = self.write(f"bare/{top}", self.KERNEL)
        assert self.taken_of(str(folder)) == self.WANTED_OF_KERNEL

    @pytest.mark.parametrize("top", ["", "work/"])
    def test_the_folder_kernel_alone_in_an_archive(self, top: str) -> None:
        members = [(top + name, data) for name, data in self.KERNEL.items()]
        assert self.taken_of(self.zip(members)) == self.WANTED_OF_KERNEL
        assert self.taken_of(self.tar(members)) == self.WANTED_OF_KERNEL

    def taken_of(self, source: str) -> list[str]:
        """Returns the allowed files of the source, as they lie in the folder they were copied
        to."""
        assert detect(self.fetch(source, SMALL)) == "cow6"
        files = self.taken(source)
        for name in files:
            assert (self.folder / "taken" / name).is_file()
        return files

    def test_junk_of_other_systems_is_left_out(self) -> None:
        junk = [
            ("__MACOSX/kernel/main.c", b"x"), ("kernel/._main.c", b"x"),
            (".git/kernel/main.c", b"x")
        ]
        assert self.taken(self.tar([*TREE.items(), *junk])) == WANTED

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
            ("first", WANTED[:1]), ("work/two", WANTED), ("HEAD", WANTED),
            ("HEAD~1", WANTED[:1]), ("main^", WANTED[:1]),
        ):
            assert self.taken(f"{tree}@{revision}") == wanted
        assert self.taken(f"file://{tree}") == WANTED
        assert self.taken(f"file://{tree}@first") == WANTED[:1]

    def test_git_with_other_hashes(self) -> None:
        tree = self.repository("--object-format=sha256")
        assert self.taken(f"{tree}@first") == WANTED[:1]
        assert self.taken(f"{tree}@HEAD~1") == WANTED[:1]
        assert self.taken(f"file://{tree}") == WANTED

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
        assert self.taken(f"{tree}@HEAD") == WANTED
        assert not (self.folder / "trapped").exists()

    def test_git_of_others(self) -> None:
        """A repository that belongs to another user is as good; none is trusted for that."""
        tree = self.repository()
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "12345", tree], check=True)
        assert self.taken(f"{tree}@first") == WANTED[:1]
        assert "safe.directory" not in GIT_OPTIONS

    def test_git_linked_work_tree(self) -> None:
        """It needs its main repository, which must know of it."""
        tree = self.repository()
        self.git("worktree", "add", "-q", str(self.folder / "secret/linked"), "first")
        assert self.taken(f"{self.folder}/secret/linked@HEAD") == WANTED[:1]
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
        assert main_repository(other) == []
        os.mkfifo(own / "gitdir")
        assert main_repository(other) == []
        (own / "gitdir").unlink()
        (own / "gitdir").symlink_to("/dev/zero")
        assert main_repository(other) == []
        (own / "gitdir").unlink()
        (own / "gitdir").write_text(f"{other}/.git\n")
        assert main_repository(other) == [], "it is no repository, but perhaps a class"
        (other / "objects").mkdir()
        assert main_repository(other) == [other]
        deep = other / "d"
        (deep / "e").mkdir(parents=True)
        (other / "link").symlink_to(deep / "e")
        (deep / "repository/worktrees").mkdir(parents=True)
        own.rename(deep / "repository/worktrees/x")
        (other / ".git").write_text(f"gitdir: {other}/link/../repository/worktrees/x\n")
        assert main_repository(other) == []

    def test_git_bomb(self) -> None:
        """Trees of trees, hundreds of thousands of files of few bytes."""
        tree = self.repository()
        made = self.git("rev-parse", "HEAD^{tree}")
        for _ in range(5):
            lines = "".join(f"040000 tree {made}\td{i}\n" for i in range(10))
            made = self.git("mktree", text=lines)
        bomb = self.git("commit-tree", "-m", "bomb", made)
        self.git("branch", "bomb", bomb)
        self.refused(f"{tree}@bomb", "takes too much")

    def test_git_deep_names(self) -> None:
        """A branch whose name is deeper than Python's recursion goes."""
        tree = self.repository()
        head = self.git("rev-parse", "HEAD")
        (self.folder / "tree/.git/packed-refs").write_text(f"{head} refs/heads/{'a/' * 1500}b\n")
        assert self.taken(f"{tree}@HEAD~1") == WANTED[:1]

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
            self.refused(source, pattern)
        assert not (self.folder / "trapped").exists()

    @pytest.mark.parametrize("source", [
        "https://127.0.0.1:9/x.git", "https://127.0.0.1:9/x.git@first",
        "ssh://127.0.0.1:9/x.git",
    ])
    def test_unreachable_url_is_infrastructure_error(self, source: str) -> None:
        with pytest.raises(InfraError, match="cannot fetch"):
            self.fetch(source, Sizes())


class TestLitter(Case):
    """What editors and file managers leave beside the files: it does not belong to the
    submission."""

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
        assert self.taken(tree) == WANTED
        collected = self.collect_from(Path(tree))
        assert {"__MACOSX/", self.LOCK, "kernel/vm/cow.c~"} <= set(collected.ignored)
        copied = [str(path) for path in (self.folder / "taken").rglob("*") if path.is_file()]
        assert len(copied) == len(WANTED)

    @pytest.mark.parametrize("top", ["", "./", "student/cow/"])
    def test_archives(self, top: str) -> None:
        assert self.taken(self.zip(self.everything(top))) == WANTED
        assert self.taken(self.tar(self.everything(top), "w:gz")) == WANTED
        paths = (self.work / "unpacked").rglob("*")
        assert len([path for path in paths if path.is_file()]) == len(TREE)

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
    @pytest.mark.parametrize("name", [
        LOCK, "kernel/vm/.cow.c", "kernel/.old/link", "__MACOSX/kernel/x",
    ])
    def test_special_file_in_a_tar_archive(self, name: str, kind: bytes) -> None:
        assert self.taken(self.special(name, kind, "me@here.1")) == WANTED

    def test_link_in_a_zip_archive(self) -> None:
        path = self.zip(list(TREE.items()))
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo(self.LOCK)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "me@here.1")
        assert self.taken(path) == WANTED

    def test_git(self) -> None:
        self.littered({**TREE, ".git/kernel/main.c": b""})
        self.git("init", "-q", "-b", "main")
        self.git("add", "-f", ".")
        self.git("commit", "-qm", "everything")
        assert self.taken(f"{self.folder}/tree@main") == WANTED

    def test_limits(self) -> None:
        """They are for what is handed in."""
        many = {f"kernel/.{i}.c": b"" for i in range(60)}
        long = {"__MACOSX/" + "d/" * 20 + "x.c": b"", "." + "n" * 300: b""}
        large = {"kernel/vm/._cow.c": bytes(1 << 20)}
        for litter in (many, long, large):
            archive = self.tar([*TREE.items(), *litter.items()], "w:gz")
            assert self.taken(archive) == WANTED
        tree = self.write("tree", {**TREE, **many, "kernel/vm/._cow.c": bytes(6000)})
        with mock.patch.object(cow6_tree, "WALK_MAX", 10):
            assert self.taken(str(tree)) == WANTED

    @pytest.mark.parametrize("name", ["__MACOSX/../../x", "../.x", "/.x"])
    def test_paths_outside(self, name: str) -> None:
        """Hidden or not, a path that leads out is refused."""
        self.refused(self.tar([*TREE.items(), (name, b"x")]), "leads out")

    def test_nothing_else(self) -> None:
        """A submission of litter alone is an empty one, and no required file is there."""
        self.refused(self.tar(self.MEMBERS), "holds no folder kernel/")
        self.refused(self.zip(self.MEMBERS), "holds no folder kernel/")
        tree = self.littered({})
        self.refused(tree, "holds no folder kernel/")
        self.write("tree", {"kernel/main.c": b""})
        with pytest.raises(SubmissionError, match="has no kernel/vm/cow.c"):
            self.collect_from(Path(tree), ["kernel/vm/cow.c"])

    def test_root(self) -> None:
        """Neither what is hidden nor what is in it makes a folder the tree."""
        members = [("kernel/._main.c", b""), ("my/kernel/main.c", b""), (".my/kernel/main.c", b"")]
        members += [("my~/kernel/main.c", b""), ("#my#/kernel/main.c", b"")]
        assert self.taken(str(self.write("tree", dict(members)))) == ["kernel/main.c"]
        assert self.taken(self.tar(members)) == ["kernel/main.c"]

    def test_an_archive_is_called_by_its_name(self) -> None:
        """The folders around it are the machine's."""
        with pytest.raises(SubmissionError, match=r"^a\.tar holds no folder kernel/"):
            bring(self.tar(self.MEMBERS), self.work, None, self.sandbox)
