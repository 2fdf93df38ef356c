"""The file of results: written whole, read with care, and no larger than it must be."""
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from grader.errors import InfraError
from grader.results import (
    MAP_PAGES, MAP_PROCESSES, PageRow, ProcessPages, read_results, shorten_map, write_json
)
from grader.score import Score

RESULTS = Score("here", "cow6", 1, {}, []).as_results()


def process(pages: int) -> ProcessPages:
    """Returns a process with so many pages."""
    rows: list[PageRow] = [
        {"va": n << 12, "pa": n << 12, "flags": "VRU", "rsw": 0} for n in range(pages)
    ]
    return {"name": "child", "pid": 2, "root": 0, "pages": rows, "left_out": 1, "problem": ""}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, RESULTS)
    assert read_results(path) == RESULTS
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("private, mode", [(True, 0o600), (False, 0o644)])
def test_private_results_are_for_their_owner(tmp_path: Path, private: bool, mode: int) -> None:
    before = os.umask(0o022)
    try:
        write_json(tmp_path / "results.json", RESULTS, private)
    finally:
        os.umask(before)
    assert (tmp_path / "results.json").stat().st_mode & 0o777 == mode


def test_a_full_disk_leaves_the_old_results() -> None:
    with pytest.raises(InfraError, match="cannot be written"):
        write_json(Path("/dev/full"), RESULTS)


@pytest.mark.parametrize("text", [
    "", "[]", "{}", "null", json.dumps({**RESULTS, "format": 0}), json.dumps(RESULTS)[:-3],
])
def test_other_files_are_not_taken_for_results(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ValueError):
        read_results(tmp_path / "other.json")


def test_a_map_is_shortened_around_the_failing_page() -> None:
    short = shorten_map([process(1000)] * (MAP_PROCESSES + 1), page=500 << 12)
    assert len(short) == MAP_PROCESSES
    assert len(short[0]["pages"]) == MAP_PAGES
    assert short[0]["left_out"] == 1001 - MAP_PAGES
    pages = [row["va"] >> 12 for row in short[0]["pages"]]
    assert pages == sorted(pages) and pages[0] < 500 < pages[-1]


def test_a_small_map_stays_as_it_is() -> None:
    assert shorten_map([process(3)], None) == [process(3)]
