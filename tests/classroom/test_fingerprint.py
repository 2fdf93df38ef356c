"""Fingerprints change with what is graded, and with nothing else."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from classroom import fingerprint as module
from classroom.fingerprint import fingerprint, grader_version
from grader.folders import remove


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """Yields a small tree."""
    place = tmp_path / "tree"
    (place / "kernel/vm").mkdir(parents=True)
    (place / "kernel/main.c").write_text("int main;\n")
    (place / "kernel/vm/cow.c").write_text("int cow;\n")
    yield place
    remove(place)  # it may be too deep for pytest


def test_names_and_contents_count(tree: Path) -> None:
    seen = {fingerprint(str(tree))}
    (tree / "kernel/main.c").write_text("int Main;\n")
    seen.add(fingerprint(str(tree)))
    (tree / "kernel/main.c").rename(tree / "kernel/start.c")
    seen.add(fingerprint(str(tree)))
    (tree / "kernel/link.c").symlink_to("start.c")
    seen.add(fingerprint(str(tree)))
    os.mkfifo(tree / "kernel/pipe.c")
    seen.add(fingerprint(str(tree)))
    assert len(seen) == 5


def test_times_and_litter_do_not_count(tree: Path) -> None:
    before = fingerprint(str(tree))
    os.utime(tree / "kernel/main.c", (1, 1))
    (tree / "kernel/._main.c").write_text("x")
    (tree / ".git").mkdir()
    (tree / ".git/index").write_text("x")
    assert fingerprint(str(tree)) == before


def test_a_boundary_between_files_cannot_be_moved(tree: Path) -> None:
    """The end of one file is not the beginning of the next."""
    before = fingerprint(str(tree))
    (tree / "kernel/main.c").write_text("int main;\nint")
    (tree / "kernel/vm/cow.c").write_text(" cow;\n")
    assert fingerprint(str(tree)) != before


def test_archives(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"1")
    before = fingerprint(str(archive))
    os.utime(archive, (1, 1))
    assert fingerprint(str(archive)) == before
    archive.write_bytes(b"2")
    assert fingerprint(str(archive)) != before


def test_what_is_missing_or_hidden_has_a_fingerprint(tree: Path) -> None:
    assert fingerprint(str(tree / "nowhere")) != fingerprint("")
    (tree / "loop").symlink_to("loop")
    assert fingerprint(str(tree / "loop"))
    (tree / "hidden").mkdir(mode=0)
    assert fingerprint(str(tree))


def test_large_files_are_not_read(tree: Path) -> None:
    with (tree / "huge").open("wb") as file:
        file.truncate(1 << 40)
    before = fingerprint(str(tree))
    os.utime(tree / "huge", (1, 1))
    assert fingerprint(str(tree)) != before


def test_the_graders_version_depends_on_its_sources_alone(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOT", tree)

    def version() -> str:
        grader_version.cache_clear()
        return grader_version()

    first = version()
    (tree / "kernel/kernel").write_text("a product")
    (tree / "docs").mkdir()
    (tree / "docs/a.md").write_text("a text")
    assert version() == first
    (tree / "kernel/vm/cow.c").write_text("int Cow;\n")
    assert version() != first
    grader_version.cache_clear()


def test_folders_may_be_as_deep_as_paths_are_long(tree: Path) -> None:
    """Deeper than Python's functions may call each other."""
    before, place = fingerprint(str(tree)), str(tree)
    for _ in range(sys.getrecursionlimit()):
        place += "/d"
        os.mkdir(place)
    Path(place, "a.c").write_text("x")
    seen = {before, fingerprint(str(tree))}
    Path(place, "a.c").write_text("y")
    assert len(seen | {fingerprint(str(tree))}) == 3
