"""Submissions that are hard to read: each is read or refused in bounded time, and the right side is
blamed: the submission or the machine."""
from __future__ import annotations

import contextlib
import errno
import io
import os
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from command import run
from grader import reader, reading, submission, xv6
from grader.errors import InfraError, SubmissionError
from grader.folders import remove
from grader.reading import read_limited
from grader.sandbox import NONE, Sandbox
from grader.watch import Finished
from submissions import need_sandbox

SECONDS = 60  # of CPU time, for the worst of them
KERNEL = {
    f"kernel/{name}": "int x;\n" for name in ("vm.c", "trap.c", "proc.c", "entry.S", "main.c")
}


class Case:
    """A test with a sandbox and a folder."""

    @pytest.fixture(autouse=True)
    def set_up(self) -> Iterator[None]:
        self.sandbox = need_sandbox().with_budget(600.0)
        self.folder = Path(tempfile.mkdtemp())
        self.tree = self.folder / "tree"
        yield
        remove(self.folder)  # some of the trees are too deep for pytest

    def write(self, files: dict[str, str]) -> None:
        """Writes files into the tree."""
        for name, text in files.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(text)

    def stage(self) -> object:
        """Reads the tree as an xv6 kernel."""
        before = self.sandbox.budget.spent
        try:
            return xv6.stage(self.tree, self.folder / "staged", self.sandbox)
        finally:
            assert self.sandbox.budget.spent - before < SECONDS + 10


class TestTrees(Case):
    """Folders and sources."""

    def test_many_kernels(self) -> None:
        """Thousands of vm.c, with and without what makes a kernel of them."""
        self.write(KERNEL)
        self.write({f"old/{i // 50}/{i}/vm.c": "" for i in range(3000)})
        self.stage()
        self.write({f"more/{i}/{name}": "" for i in range(300) for name in KERNEL})
        with pytest.raises(SubmissionError, match="kernels: hand in one"):
            self.stage()

    def test_deep(self) -> None:
        """Deeper than Python's recursion goes, and than a path may be long."""
        self.write(KERNEL)
        here = os.getcwd()
        try:
            os.chdir(self.tree)
            for _ in range(3000):
                os.mkdir("d")
                os.chdir("d")
        finally:
            os.chdir(here)
        self.stage()
        tree, kind = submission.bring(str(self.tree), self.folder / "work", None, self.sandbox)
        assert (tree, kind) == (self.tree, "xv6")

    def test_what_is_no_file(self) -> None:
        """Pipes, links in a circle, links to devices: none of them is waited for or followed."""
        self.write({**KERNEL, "user/x.h": ""})
        os.mkfifo(self.tree / "Makefile")
        os.mkfifo(self.tree / "kernel/wait.c")
        os.mkfifo(self.tree / "mkfs.c")
        (self.tree / "kernel/round.c").symlink_to("round.c")
        (self.tree / "kernel/zero.h").symlink_to("/dev/zero")
        (self.tree / "include").symlink_to(".")
        self.stage()

    def test_makefile(self) -> None:
        """Whatever it includes, it is read or it is said that it cannot be."""
        self.write(KERNEL)
        for text in (
            "include a\0b\n", "include Makefile\n" * 300, f"include {'x' * 5000}\n",
            "include /etc/passwd\n"
        ):
            (self.tree / "Makefile").write_text(text)
            self.stage()
        (self.tree / "Makefile").unlink()
        (self.tree / "Makefile").symlink_to("/dev/zero")
        self.stage()

    def test_scans(self) -> None:
        """Sources that made regular expressions quadratic."""
        texts = {
            "kernel/vm.c": "/*" * 500_000, "kernel/trap.c": "scause" * 200_000,
            "kernel/proc.c": "cow" * 300_000,
            "kernel/a.c": "#define X " * 200_000, "kernel/b.c": '"' * 999_999,
            "kernel/c.c": "128 *" * 200_000,
            "kernel/d.c": "incbin " * 200_000, "kernel/e.c": "NCPU = (" * 200_000,
            "kernel/f.c": "\\\n" * 500_000,
            "kernel/g.c": " " * 1_000_000, "kernel/h.c": "VIRTIO_MMIO_VERSION " * 50_000,
        }
        self.write({**KERNEL, **texts})
        start = self.sandbox.budget.spent
        self.stage()
        assert self.sandbox.budget.spent - start < 40

    def test_too_large(self) -> None:
        self.write({**KERNEL, **{f"kernel/{i}.c": " " * (1 << 20) for i in range(20)}})
        with pytest.raises(SubmissionError, match="too large or too many"):
            self.stage()

    def test_names(self) -> None:
        """Names that are no text."""
        self.write(KERNEL)
        name = os.fsencode(self.tree) + b"/kernel/\xff\xfe\n\x1b[31m.c"
        with open(name, "w", encoding="utf-8") as file:
            file.write("int x;\n")
        self.stage()


class TestArchives(Case):
    """Archives that take long, or much."""

    def refused(self, data: bytes) -> str:
        """Returns why the archive is refused."""
        (self.folder / "a").write_bytes(data)
        with pytest.raises(SubmissionError) as caught:
            submission.bring(str(self.folder / "a"), self.folder / "work", None, self.sandbox)
        return str(caught.value)

    @pytest.mark.parametrize("start, repeated, times", [
        ("", "1", 900_000), ("10 a=", "b", 900_000), ("", "é=1\n", 100_000),
        ("", "GNU.sparse.major=1\n", 40_000),
    ])
    def test_headers(self, start: str, repeated: str, times: int) -> None:
        """Long headers that say how to read others: tarfile takes a time that grows with their
        square."""
        text = (start + repeated * times).encode()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo("x")
            member.type, member.size = tarfile.XHDTYPE, len(text)
            tar.addfile(member, io.BytesIO(text))
        with mock.patch.object(reading, "LIMITS", replace(reading.LIMITS, cpu_seconds=3)):
            self.refused(packed.getvalue())

    def test_many_members(self) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for number in range(101_000):
                archive.writestr(f"{number}", "")
        assert "more than" in self.refused(packed.getvalue())

    def test_zip_with_wrong_offsets(self) -> None:
        """A zip archive whose directory points anywhere."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("kernel/main.c", "x" * 100)
        data = bytearray(packed.getvalue())
        place = data.rfind(b"PK\5\6")
        for offset, form, value in (
            (16, "<I", 0xFFFFFFFF), (12, "<I", 0xFFFFFFFF), (10, "<H", 0xFFFF)
        ):
            changed = bytearray(data)
            struct.pack_into(form, changed, place + offset, value)
            (self.folder / "a").write_bytes(changed)
            with contextlib.suppress(SubmissionError):
                submission.bring(str(self.folder / "a"), self.folder / "work", None, self.sandbox)


class TestBlame(Case):
    """The submission's fault and the machine's."""

    def answer(self, job: Callable[..., object]) -> dict[str, object]:
        """Returns what the child says of a job."""
        with mock.patch.dict(reader.JOBS, {"job": job}):
            return reader.answer({"job": "job", "memory": 1 << 30, "arguments": {}})

    @pytest.mark.parametrize("error", [
        errno.ENOSPC, errno.EMFILE, errno.ENOMEM, errno.EDQUOT, errno.EIO,
    ], ids=errno.errorcode.get)
    def test_no_space_is_the_machines_fault(self, error: int) -> None:
        """Nor too many open files, no memory, a quota or a broken disk."""
        assert "failed" in self.answer(mock.Mock(side_effect=OSError(error, "no")))

    @pytest.mark.parametrize("error", [
        OSError(errno.ENAMETOOLONG, "no"), OSError(errno.EFBIG, "no"), RecursionError("deep"),
        KeyError("x"), ValueError("x"), UnicodeError("x"), AssertionError(), MemoryError(),
        struct.error("x"),
    ], ids=repr)
    def test_other_errors_are_the_submissions_fault(self, error: Exception) -> None:
        """Whatever reading it raises."""
        assert "refused" in self.answer(mock.Mock(side_effect=error))

    def test_memory_that_the_machine_lacks(self) -> None:
        """Its limit may be lower than the one that the child was to have."""
        with mock.patch("resource.getrlimit", return_value=(1 << 29, 1 << 29)):
            assert "failed" in self.answer(mock.Mock(side_effect=MemoryError()))

    @pytest.mark.parametrize("done, error", [
        (Finished(137, reading.STARTED, "cpu"), SubmissionError),
        (Finished(137, reading.STARTED, "disk"), SubmissionError),
        (Finished(137, reading.STARTED, "signal"), InfraError),
        (Finished(1, "", "memory"), InfraError),
        (Finished(1, "bwrap: no such thing\n", "memory"), InfraError),
        (Finished(1, "Traceback: MemoryError\n", "memory"), InfraError),
    ])
    def test_limits(self, done: Finished, error: type[Exception]) -> None:
        """A child that needs too much was given too much, if it has started."""
        with mock.patch.object(self.sandbox, "run", return_value=done), pytest.raises(error):
            read_limited("survey", {}, self.sandbox, read=[])

    def test_no_space_for_real(self) -> None:
        """A disk that is full: the archive is not to blame."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo("kernel/main.c")
            member.size = 3 << 20
            tar.addfile(member, io.BytesIO(bytes(member.size)))
        (self.folder / "a").write_bytes(packed.getvalue())
        full = self.folder / "full"
        full.mkdir()
        if not run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", full]).succeeded:
            pytest.skip("only root can make a small disk")
        sizes = submission.Sizes(file_bytes=4 << 20)
        try:
            with pytest.raises(InfraError, match="No space left"):
                submission.fetch(str(self.folder / "a"), full / "work", self.sandbox, sizes)
        finally:
            assert run(["umount", full]).succeeded

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_files_of_others(self) -> None:
        """Root reads what is private to another user; another grader says that it cannot."""
        self.write({**KERNEL, "Makefile": "CFLAGS = -DX\n"})
        assert run(["chown", "-R", "12345", self.tree]).succeeded
        assert run(["chmod", "-R", "go-rwx", self.tree]).succeeded
        assert getattr(self.stage(), "defines") == ["-DX"]
        self.sandbox.is_root = False
        with pytest.raises(InfraError, match="readable for another user only"):
            self.stage()

    def test_file_that_its_owner_cannot_read(self) -> None:
        """It is the submission's fault."""
        self.write(KERNEL)
        (self.tree / "kernel/vm.c").chmod(0)
        with pytest.raises(SubmissionError, match="kernel/vm.c cannot be read"):
            self.stage()

    def test_without_walls(self) -> None:
        self.write(KERNEL)
        self.sandbox = Sandbox(NONE)
        self.stage()
