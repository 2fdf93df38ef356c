"""Grading in a student's tree: over the originals, and with or without a sandbox."""
from __future__ import annotations

import io
import tarfile
from pathlib import Path
from unittest import mock

import pytest
from grader import cli, home
from grader.errors import InfraError
from grader.sandbox import FULL, NONE
from products import ROOT

FILES = {"Makefile": b"all:\n", "kernel/main.c": b"int main;\n", "kernel/abi/x.h": b"int x;\n"}
ALLOWED = ["kernel/*.c", "kernel/vm/*.c"]


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student's tree as it was handed out; home takes it for the tree that it is in."""
    monkeypatch.setattr(home, "ROOT", tmp_path)
    (tmp_path / "labs/cow").mkdir(parents=True)
    with tarfile.open(tmp_path / "labs/cow" / home.ORIGINALS, "w:gz") as tar:
        for name, content in FILES.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return tmp_path


def test_originals_are_what_submissions_are_laid_over(tree: Path) -> None:
    """Whatever the student has made of them."""
    (tree / "Makefile").write_text("broken")
    pristine = home.pristine_tree("cow", tree / "work")
    found = [path for path in pristine.rglob("*") if path.is_file()]
    assert {str(path.relative_to(pristine)): path.read_bytes() for path in found} == FILES


def test_an_instructors_tree_is_pristine_itself(tree: Path) -> None:
    """It has no originals, so nothing in it is a student's own work."""
    (tree / "labs/cow" / home.ORIGINALS).unlink()
    assert home.pristine_tree("cow", tree / "work") == tree
    assert home.not_used("cow", ALLOWED) == []
    assert not home.is_own_work("cow", str(tree))


def test_changes_that_do_not_count_are_named(tree: Path) -> None:
    """Not those in files that are handed in, and none that an editor's line ends make."""
    (tree / "kernel/main.c").write_text("int changed;\n")
    (tree / "kernel/abi/x.h").write_bytes(b"int x;\r\n")
    assert home.not_used("cow", ALLOWED) == []
    (tree / "kernel/abi/x.h").write_text("int y;\n")
    (tree / "kernel/main.c").unlink()
    assert home.not_used("cow", ALLOWED) == [
        "kernel/main.c is missing: the original is used",
        "kernel/abi/x.h is not handed in: the original is used instead of yours",
    ]


def test_broken_originals_are_no_fault_of_the_submission(tree: Path) -> None:
    (tree / "labs/cow" / home.ORIGINALS).write_bytes(b"\x1f\x8b, cut short")
    with pytest.raises(InfraError, match="original.tar.gz cannot be read"):
        home.pristine_tree("cow", tree / "work")


class TestSandbox:
    """Where bubblewrap cannot make one."""

    @staticmethod
    def make_sandbox(source: Path, mode: str = FULL) -> mock.Mock:
        """Returns the stand-in that cli asks for a sandbox."""
        options = cli.Options(sandbox=mode, lab="cow")
        refusing = mock.Mock(side_effect=refuse)
        with mock.patch.object(cli, "Sandbox", refusing):
            cli.make_sandbox(options, str(source))
        return refusing

    def test_own_work_needs_none(self, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """It says so once."""
        refusing = self.make_sandbox(tree)
        assert refusing.call_args == mock.call(NONE)
        assert capsys.readouterr().out == f"note: {home.NO_SANDBOX}\n"

    def test_other_work_is_not_graded(self, tree: Path) -> None:
        """Neither another's in a student's tree, nor anything in an instructor's."""
        other = tree / "other"
        other.mkdir()
        with pytest.raises(InfraError):
            self.make_sandbox(other)
        (tree / "labs/cow" / home.ORIGINALS).unlink()
        with pytest.raises(InfraError):
            self.make_sandbox(tree)
        assert not home.is_own_work("cow", str(ROOT))
        self.make_sandbox(other, NONE)


def refuse(mode: str) -> mock.Mock:
    """Stands in for Sandbox where there is no bubblewrap."""
    if mode == FULL:
        raise InfraError("bubblewrap (bwrap) was not found")
    return mock.Mock()
