"""The pages in a browser: on a phone and on a desk, in the light and in the dark, by keyboard."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, find_browser
from classes import make_class, make_hostile
from reports.overview import make_overview
from reports.pages import Pages
from reports.students import make_students

pytestmark = pytest.mark.skipif(find_browser() is None, reason="needs chromium")
SIZES = [(360, 740), (1280, 900)]


@pytest.fixture(name="folder", scope="module")
def fixture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pages: of a class, of a student, and hostile ones."""
    folder = tmp_path_factory.mktemp("pages")
    for name, (info, records) in {
        "": make_class(30), "hostile-": make_hostile("<script>x()</script>" + "W" * 290, "x" * 5000)
    }.items():
        writer = Pages(make_overview(info, records))
        student = next(each for each in make_students(info, records) if each.failed)
        (folder / f"{name}index.html").write_text(writer.index(0), encoding="utf-8")
        (folder / f"{name}student.html").write_text(writer.student(student), encoding="utf-8")
    return folder


@pytest.fixture(name="browser", scope="module")
def fixture_browser() -> Iterator[Browser]:
    """A browser."""
    with Browser() as browser:
        yield browser


PAGES = ("index.html", "student.html", "hostile-index.html", "hostile-student.html")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width, height", SIZES)
@pytest.mark.parametrize("dark", [False, True])
def test_a_page_fits_and_complains_of_nothing(
    browser: Browser, folder: Path, page: str, width: int, height: int, dark: bool
) -> None:
    browser.open(folder / page, width, height, dark)
    assert browser.value("document.documentElement.scrollWidth") <= width
    channels = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (int(channels.strip("rgb()").split(",")[0]) < 80) == dark
    browser.value("document.querySelectorAll('details').forEach((each) => each.open = true)")
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.troubles() == []


def test_the_browser_tells_of_trouble(browser: Browser, folder: Path) -> None:
    page = (folder / "index.html").read_text(encoding="utf-8")
    other = folder / "other.html"
    for bad in ("<script>1</script>", '<p style="color: red">', '<img src="https://x.invalid/a">'):
        other.write_text(page.replace("<main>", f"<main>{bad}"), encoding="utf-8")
        browser.open(other, 360, 740)
        assert browser.troubles()


def test_all_can_be_reached_by_keyboard_and_seen_there(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 1280, 900)
    reached: list[list[str]] = []
    while len(reached) < 60 and "words" not in [name for name, _, _ in reached]:
        browser.press("Tab")
        reached.append(browser.value(
            "(() => { const e = document.activeElement;"
            " return [e.name ?? '', getComputedStyle(e).outlineStyle, e.innerText.trim()]; })()"
        ))
    assert reached[0][2] == "Skip to the students"
    assert reached[-1][0] == "words"
    assert [place for place in reached if place[1] == "none"] == []


def test_the_table_can_be_sorted_and_filtered(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 1280, 900)
    rows = "[...document.querySelectorAll('#students tbody tr')]"
    scores = f"{rows}.map((row) => row.cells[3].innerText)"
    press = "document.querySelector('#students th:nth-child(4) button')"
    browser.value(f"{press}.focus()")
    browser.press("Enter", "\r")
    rising = browser.value(scores)
    known = [int(score) for score in rising if score]
    assert known == sorted(known) and rising[-1] == ""
    browser.press("Enter", "\r")
    falling = browser.value(scores)
    assert falling[:len(known)] == [str(score) for score in sorted(known, reverse=True)]
    assert falling[-1] == "" and browser.value(f"{press}.parentNode.ariaSort") == "descending"
    browser.value("document.querySelector('#filter input').focus()")
    browser.ask("Input.insertText", text="does not compile")
    assert browser.value("document.querySelector('#filter output').value") == "1 of 30 students"
    for part in ("#students tbody tr", "#heat tbody tr", ".person"):
        assert browser.value(f"document.querySelectorAll('{part}:not([hidden])').length") == 1


def test_the_heat_map_can_be_sorted_by_a_test(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 1280, 900)
    letters = (
        "[...document.querySelectorAll('#heat tbody tr')].map((row) => row.cells[3].textContent[2])"
    )
    button = "document.querySelectorAll('#heat .names')[1].querySelectorAll('button')[2]"
    browser.value(f"{button}.click()")
    found = browser.value(letters)
    assert "F" in found and found == sorted(found, key=lambda letter: letter != "F")
    browser.value(f"{button}.click()")
    assert browser.value(letters)[-1] == "F"


def test_a_link_to_a_student_opens_the_section(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html", 1280, 900)
    browser.value("document.querySelector('#students tbody a').click()")
    # The browser tells of the new address in an event of its own.
    frame = "new Promise(requestAnimationFrame)"
    browser.ask("Runtime.evaluate", awaitPromise=True, expression=frame)
    assert browser.value("document.querySelector('#s1').open")
    assert browser.value("document.activeElement.tagName") == "SUMMARY"
