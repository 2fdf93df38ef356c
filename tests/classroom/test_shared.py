"""Tests of what makes a folder safe to share between machines."""
from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from classroom.shared import append_line, refresh
from classroom.unit import find_newest_record, lock
from grader.errors import InfraError
from products import ROOT

WRITER = (
    "import sys; from pathlib import Path; from classroom.shared import append_line\n"
    "for number in range(200): append_line(Path(sys.argv[1]), sys.argv[2] * 5000)"
)


def test_refreshing_changes_the_folder(tmp_path: Path) -> None:
    """That is what makes NFS look again; nothing is left behind."""
    os.utime(tmp_path, (0, 0))
    refresh(tmp_path, 100)
    assert tmp_path.stat().st_mtime > 0 and not list(tmp_path.iterdir())


def test_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        refresh(tmp_path / "nothing")
    with pytest.raises(InfraError, match="cannot be written to"):
        find_newest_record(tmp_path / "nothing", "ada")


def test_lines_of_several_writers_stay_whole(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(journal), name], cwd=ROOT / "tools")
        for name in "abc"
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = Counter(journal.read_text().splitlines())
    assert lines == Counter({name * 5000: 200 for name in "abc"})


def test_half_a_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("one\ntw")
    append_line(tmp_path / "journal", "three")
    append_line(tmp_path / "journal", "four")
    assert (tmp_path / "journal").read_text() == "one\ntw\nthree\nfour\n"


def test_lock_is_not_blamed_for_what_happens_under_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"):
        with lock(tmp_path, "ada"):
            raise OSError("full")
