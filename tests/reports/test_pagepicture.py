"""Page maps as pictures: true to the map, safe whatever the names are, and readable without
colours or eyes."""
from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ElementTree

import pytest
from grader.results import PageRow, ProcessPages
from hypothesis import given
from hypothesis import strategies as st
from reports.pagemap import LINES_MAX, describe, page_map
from reports.pagepicture import png_of, svg_of

SVG = "{http://www.w3.org/2000/svg}"
PNG = b"\x89PNG\r\n\x1a\n"


def row(va: int, pa: int, flags: str = "VRU", rsw: int = 1) -> PageRow:
    """Returns a page."""
    return {"va": va, "pa": pa, "flags": flags, "rsw": rsw}


def process(name: str, *rows: PageRow, left_out: int = 0, problem: str = "") -> ProcessPages:
    """Returns a process with these pages."""
    return {
        "name": name, "pid": 2, "root": 0x80001000, "pages": list(rows), "left_out": left_out,
        "problem": problem,
    }


PARENT = process(
    "init", row(0x1000, 0x80002000), row(0x2000, 0x80003000), row(0x3000, 0x80004000, "VRWU", 0)
)
CHILD = process("child", row(0x1000, 0x80002000), row(0x2000, 0x80009000, "VRWUAD", 0))


def texts(svg: str) -> list[str]:
    """Returns all texts that can be seen; an error if the picture is not well formed."""
    root = ElementTree.fromstring(svg)
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def boxes(svg: str, kind: str) -> list[str]:
    """Returns the boxes of a kind, without the one that explains it."""
    root = ElementTree.fromstring(svg)
    paths = [path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("class") == kind]
    return [box for path in paths for box in path.split("M")[1:] if "h16v12" not in box]


def test_a_shared_frame_is_one_box_and_others_have_their_own() -> None:
    svg = svg_of([PARENT, CHILD], 0x2000)
    said = texts(svg)
    assert [said.count(f"0x8000{n}000") for n in (2, 3, 4, 9)] == [1, 1, 1, 1]
    assert said.count("0x1000") == 1 and said.count("2 pages") == 1
    assert len(boxes(svg, "p-shared")) == 3
    assert len(boxes(svg, "p-own")) == 6
    assert {"R--U", "RW-U", "-- 01", "AD 00"} <= set(said)


def test_a_writable_page_of_a_shared_frame_is_hatched() -> None:
    child = process("child", row(0x1000, 0x80002000, "VRWU"))
    svg = svg_of([PARENT, child], None)
    assert len(boxes(svg, "p-danger")) == 1
    assert "shared, yet writable" in texts(svg) and 'class="p-hatch"' in svg
    assert "p-danger" not in svg_of([PARENT, CHILD], None)


def test_the_failing_page_is_marked_also_by_its_shape() -> None:
    svg = svg_of([PARENT, CHILD], 0x2ff8)
    assert len(boxes(svg, "p-fail")) == 2
    assert svg.count('class="p-mark"') == 1
    assert "p-mark" not in svg_of([PARENT, CHILD], None)


def test_a_failing_page_that_is_not_mapped_is_shown_as_such() -> None:
    svg = svg_of([PARENT, CHILD], 0x3008)
    assert texts(svg).count("no page") == 2  # the child's, and what it means
    assert "child has no page there." in describe([PARENT, CHILD], 0x3008)
    assert texts(svg_of([PARENT, CHILD], 0x7000)).count("no page") == 3


def test_a_frame_at_two_addresses_says_so() -> None:
    svg = svg_of([process("init", row(0x1000, 0x80002000), row(0x5000, 0x80002000))], None)
    assert {"also 0x5000", "also 0x1000"} <= set(texts(svg))


def test_words_tell_what_the_picture_shows() -> None:
    words = describe([PARENT, CHILD], 0x2000)
    assert "init has 3, child has 2" in words
    assert "The failing page is 0x2000." in words
    assert "child has frame 0x80009000 alone, rights RW-U, marks AD 00." in words
    root = ElementTree.fromstring(svg_of([PARENT, CHILD], 0x2000))
    assert root.get("role") == "img" and words in str(root.get("aria-label"))
    assert root.findtext(f"{SVG}desc") == words


def test_what_is_left_out_and_what_is_wrong_is_told() -> None:
    svg = svg_of([process("child", row(0, 0), left_out=7, problem="an entry leads out of RAM")], 0)
    assert "child has 7 more pages" in texts(svg)
    assert "child: an entry leads out of RAM" in texts(svg)


def test_a_long_map_is_shown_around_the_failing_page() -> None:
    many = process("init", *(row(n << 12, n << 12) for n in range(1000)))
    found = page_map([many], 500 << 12)
    assert len(found.lines) == LINES_MAX and (found.above, found.below) == (468, 468)
    assert found.lines[LINES_MAX // 2].va == 500 << 12
    assert page_map([many], None).above == 0 and page_map([many], 999 << 12).below == 0


def test_an_empty_map_is_a_picture() -> None:
    texts(svg_of([], None))
    texts(svg_of([process("init")], 0x1000))


ROWS = st.builds(
    row, st.integers(0, 1 << 64), st.integers(0, 1 << 64), st.text("VRWXUGAD<"), st.integers(0, 9)
)
PROCESSES = st.builds(
    lambda name, rows, problem: process(name, *rows, problem=problem),
    st.text(), st.lists(ROWS, max_size=5), st.text(),
)


@given(st.lists(PROCESSES, max_size=4), st.none() | st.integers(0, 1 << 64))
def test_no_name_and_no_number_breaks_the_picture(
    pages: list[ProcessPages], page: int | None
) -> None:
    svg = svg_of(pages, page)
    root = ElementTree.fromstring(svg.encode())
    allowed = {f"{SVG}{name}" for name in ("svg", "title", "desc", "g", "path", "text")}
    assert {element.tag for element in root.iter()} <= allowed
    assert not re.search(r"[\x00-\x1f\u202a-\u202e\u2066-\u2069]", svg)


def test_names_cannot_become_markup() -> None:
    svg = svg_of([process("<script>", problem='"><script>alert(1)</script>')], None)
    assert "<script" not in svg
    assert "<script>" in texts(svg)


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="needs rsvg-convert")
def test_png() -> None:
    png = png_of(svg_of([PARENT, CHILD], 0x2000))
    assert png is not None and png.startswith(PNG)
    assert png_of("no picture") is None


def test_no_png_without_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert png_of(svg_of([PARENT], None)) is None
