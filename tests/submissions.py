"""Submissions to fetch, unpack and collect, for the tests of that."""
from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from grader.archives import Sizes
from grader.cow6_tree import Collected, collect, find_root
from grader.errors import InfraError, SubmissionError
from grader.sandbox import FULL, NONE, Sandbox
from grader.submission import fetch

TREE = {
    "kernel/main.c": b"int main;\n", "kernel/vm/cow.c": b"int cow;\n", "Makefile": b"all:\n",
    "user/init.c": b"int init;\n",
}
WANTED = ["kernel/main.c", "kernel/vm/cow.c"]  # of the tree
ALLOWED = ["kernel/**/*.c", "kernel/**/*.h"]
SMALL = Sizes(
    files=10, file_bytes=1000, total_bytes=5000, archive_bytes=1 << 20, archive_files=50,
    unpacked_bytes=20 << 20, depth=8,
)


def find_sandbox() -> Sandbox:
    """Returns a sandbox that only limits commands where bubblewrap cannot make one."""
    return Sandbox(find_sandbox_mode())


def find_sandbox_mode() -> str:
    """Returns that sandbox's mode."""
    try:
        Sandbox()
    except InfraError:
        return NONE
    return FULL


def need_sandbox(mode: str = FULL) -> Sandbox:
    """Returns a sandbox; skips the test where bubblewrap cannot make one."""
    try:
        return Sandbox(mode)
    except InfraError as error:
        pytest.skip(str(error))


class Case:
    """A test with a folder of its own."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.work = tmp_path / "work"
        self.sandbox = find_sandbox()

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

    def git(self, *arguments: str, text: str = "") -> str:
        """Runs git in the folder `tree`; returns what it says."""
        identity = ["-c", "user.name=a", "-c", "user.email=a"]
        command = ["git", "-C", str(self.folder / "tree"), *identity, *arguments]
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        return subprocess.run(
            command, check=True, capture_output=True, text=True, input=text, env=environment
        ).stdout.strip()

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
        with pytest.raises(SubmissionError, match=pattern):
            self.fetch(source, sizes)
        outside = {entry.name for entry in self.folder.iterdir()} - {
            "work", "taken", "a.tar", "a.zip", "tree", "secret", "a.bin"
        }
        assert outside == set()

    def taken(self, source: str, sizes: Sizes = SMALL) -> list[str]:
        """Returns the allowed files of the source."""
        return self.collect_from(self.fetch(source, sizes), sizes=sizes).files
