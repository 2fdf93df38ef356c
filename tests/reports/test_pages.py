"""The web pages: complete, alone, and nothing of a student but text in them."""
from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from classes import TESTS, make_class, make_hostile
from classroom.record import ClassInfo, Record
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import pages
from reports.overview import make_overview
from reports.pages import Pages, digest
from reports.students import Student, make_students

CLASS = make_class(30)
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><script>x</script>",
    "javascript:alert(1)", "{{ 7*7 }}", "{% include 'x' %}", "' onmouseover='x", "</script><b>",
    "\x1b[31m\x00\u202e", "&lt;b&gt;", "<!--", "]]>",
)
LINK = re.compile(r"(students|files)/[\w.%/+-]+|results\.(csv|json)|feedback\.zip")
VOID = {"meta", "input", "img", "br", "link"}


class Page(HTMLParser):
    """A page as a browser reads it: tags with their attributes, ids, and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data

    def attributes(self, name: str) -> list[str]:
        """Returns the values of an attribute."""
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def index_of(info: ClassInfo, records: list[Record], page_bytes: int = 0) -> str:
    """Returns the page about a class."""
    return Pages(make_overview(info, records)).index(page_bytes)


def student_pages(info: ClassInfo, records: list[Record]) -> dict[str, str]:
    """Returns the students' pages."""
    writer = Pages(make_overview(info, records))
    return {each.id: writer.student(each) for each in make_students(info, records)
            if each.score is not None}


def someone(passed: bool) -> Student:
    """Returns a student who was graded and lost nothing, or something."""
    return next(each for each in make_students(*CLASS)
                if each.status == "graded" and passed == (not each.failed))


# ---- What a page may do ----


def check_harmless(html: str, is_index: bool) -> None:
    """The page has no script but its own, no handler, no style in an attribute, and asks no other
    host for anything; all its ids are different, and its links lead to what is there."""
    page = Page(html)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == int(is_index) and tags.count("style") == 1
    assert not {"iframe", "object", "embed", "base", "link", "img", "image", "use"} & set(tags)
    for tag, attributes in page.tags:
        names = {name for name in attributes if name.startswith("on") or name == "style"}
        assert not names and "src" not in attributes, (tag, attributes)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    for link in page.attributes("href"):
        if link.startswith("#"):
            assert link[1:] in ids
        else:
            assert LINK.fullmatch(link)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", html.replace("\n", ""))


def check_policy(html: str) -> None:
    """The policy names the style sheet and the script that are in the page, and nothing else."""
    allowed = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert allowed
    words = allowed.group(1).replace("&#39;", "'")
    assert words.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in words
    for tag in ("style", "script"):
        for content in re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL):
            assert f"{tag}-src '{digest(content)}'" in words


def test_pages_are_harmless_and_have_a_policy() -> None:
    html = index_of(*CLASS)
    check_harmless(html, True)
    check_policy(html)
    for page in student_pages(*CLASS).values():
        check_harmless(page, False)
        check_policy(page)
        assert "script-src" not in page


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_a_student_becomes_markup(text: str) -> None:
    hostile = make_hostile(text, text)
    for page_bytes in (0, pages.PICTURES_MAX + 1):
        check_harmless(index_of(*hostile, page_bytes), True)
    for page in student_pages(*hostile).values():
        check_harmless(page, False)


@settings(max_examples=25)
@given(st.text(), st.text())
def test_no_text_becomes_markup(text: str, raw: str) -> None:
    hostile = make_hostile(text, raw)
    check_harmless(index_of(*hostile), True)
    for page in student_pages(*hostile).values():
        check_harmless(page, False)


def test_hostile_text_can_still_be_read() -> None:
    assert "<script>alert(1)</script>" in Page(index_of(*make_hostile(HOSTILE[0], "x"))).text


# ---- A student's own page ----


def test_a_students_page_tells_all_about_the_student() -> None:
    student = someone(passed=False)
    html = Pages(make_overview(*CLASS)).student(student)
    text = Page(html).text
    assert f"{student.score} of 100 points" in text and student.name in text
    assert all(test["id"] in text for test in TESTS)
    for test in student.failed:
        card = dict(test["card"])
        assert card["seen"] in text and card["likely"] in text
    assert html.count("<svg") - html.count('class="bar"') == len(student.failed)
    assert "What went wrong" not in Pages(make_overview(*CLASS)).student(someone(passed=True))


def test_a_students_page_tells_nothing_about_others_and_the_machine() -> None:
    info, records = CLASS
    for identity, html in student_pages(info, records).items():
        text = Page(html).text
        others = {each["id"] for each in info["submissions"]} - {identity}
        assert not others & set(re.findall(r"\d+", text))
        for word in ("/home", "prof", "grading-host", "/tmp", "mean", "median", "report/files"):
            assert word not in html


@pytest.mark.parametrize("reason", [
    "/home/prof/os/handed-in/cow.zip is no archive", "in /tmp/grade-x1/unpacked/kernel/main.c:3: x",
    "cannot read '/scratch/u1/class/cow.zip'", "(/var/lib/x/y.c)", "a:/b/c/d/e.c",
])
def test_no_folder_of_the_machine_is_told(reason: str) -> None:
    info, records = make_hostile(reason, "/home/prof/os/handed-in/cow.zip")
    for submission in info["submissions"]:
        submission["name"] = "Ada"
    for html in student_pages(info, records).values():
        text = Page(html).text
        assert not re.search(r"(?<![\w.])/(home|tmp|scratch|var|b)\b", text), text


def test_paths_in_the_tree_and_addresses_stay() -> None:
    reason = "kernel/vm/cow.c:12: error; ./kernel/main.c, https://example.org/a/b, exec(/init)"
    for html in student_pages(*make_hostile(reason, "/home/x/cow.zip")).values():
        assert reason in Page(html).text


def test_refused_work_gets_its_reason() -> None:
    student = next(each for each in make_students(*CLASS) if each.status == "does-not-compile")
    text = Page(Pages(make_overview(*CLASS)).student(student)).text
    assert "0 of 100 points" in text and "does not compile" in text and "cow.c:12" in text


# ---- The page about the class ----


def test_the_class_page_has_everybody() -> None:
    info, records = CLASS
    html = index_of(info, records)
    text, ids = Page(html).text, Page(html).attributes("id")
    for student in make_students(info, records):
        assert f"s{student.number}" in ids and student.label in text
    assert all(test["id"] in text for test in TESTS)
    assert "no space left on /scratch/grading" in text
    assert html.count('role="img"') > 1  # pictures, and the histogram


def test_the_heat_map_has_a_letter_for_each_test() -> None:
    html = index_of(*CLASS)
    row = r"<tr data-n=\"(\d+)\"><th.*?((?:<td class=\"v.*?</td>)+)"
    rows = re.findall(row, html.partition("id=\"heat\"")[2], re.DOTALL)
    verdicts = {"passed": "·", "failed": "F", "not run": "-"}
    for number, cells in rows:
        student = make_students(*CLASS)[int(number) - 1]
        letters = re.sub("<.*?>", "", cells)
        assert letters == "".join(verdicts[test["status"]] for test in student.tests)
    assert len(rows) == 30


def test_a_large_class_has_its_pictures_and_cards_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = index_of(*CLASS)
    without_pictures = index_of(*CLASS, pages.PICTURES_MAX + 1)
    monkeypatch.setattr(pages, "CARDS_MAX", 10)
    short = index_of(*CLASS)
    assert len(short) < len(without_pictures) < len(whole)
    assert "<figure" in whole and "<figure" not in without_pictures
    assert "8 of 4096 bytes differ" in without_pictures
    assert "8 of 4096 bytes differ" not in short
    for html in (without_pictures, short):
        assert "students' own pages" in Page(html).text
        check_harmless(html, True)


def test_a_class_of_nobody_is_a_page() -> None:
    check_harmless(index_of(make_class(0)[0], []), True)
    check_harmless(index_of(make_class(3)[0], []), True)


def test_everything_has_a_name_for_those_who_cannot_see() -> None:
    for html in (index_of(*CLASS), *list(student_pages(*CLASS).values())[:3]):
        for tag, attributes in Page(html).tags:
            if tag == "svg":
                assert attributes.get("aria-hidden") == "true" or attributes.get("aria-label")
            if attributes.get("tabindex"):
                assert attributes["tabindex"] == "0" and attributes["aria-label"]
        assert '<html lang="en">' in html and "<h1>" in html and "<main>" in html


def test_templates_escape_by_default() -> None:
    folder = Path(pages.__file__).with_name("templates")
    texts = [file.read_text(encoding="utf-8") for file in folder.glob("*.j2")]
    assert len(texts) == 4
    assert not any(re.search(r"autoescape|\bsafe\b|Markup", text) for text in texts)
