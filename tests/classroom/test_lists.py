"""Lists of submissions: CSV files, and what Gradescope exports."""
from __future__ import annotations

from pathlib import Path

import pytest
from classroom.finder import Found
from classroom.gradescope_export import find_metadata, read_export
from classroom.listing import BadList, read_list
from classroom.plan import read_submissions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a folder with two submissions."""
    (tmp_path / "bob/kernel").mkdir(parents=True)
    (tmp_path / "bob/kernel/main.c").write_text("")
    (tmp_path / "ada.zip").write_text("")
    return tmp_path


def read(folder: Path, text: str | bytes) -> Found:
    """Reads a list with this text."""
    file = folder / "list.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_list(file)


# ---- CSV ----


def test_paths_are_relative_to_the_list(folder: Path) -> None:
    attempts = read(folder, "id,path\nada,ada.zip\nbob,bob\n").attempts
    assert [attempt.source for attempt in attempts] == [
        str(folder / "ada.zip"), str(folder / "bob")
    ]


def test_git_urls_and_revisions(folder: Path) -> None:
    text = "id,path\na,https://example.org/a/cow.git\nb,git@example.org:b/cow\nc,bob@v1\n"
    attempts = read(folder, text).attempts
    assert [attempt.source for attempt in attempts] == [
        "https://example.org/a/cow.git", "git@example.org:b/cow", f"{folder}/bob@v1"
    ]


def test_all_columns(folder: Path) -> None:
    text = "ID;Name;path;section;time;seed\n7;Ada, L.;ada.zip;monday;2026-11-29T12:00Z;42\n"
    attempt = read(folder, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()).attempts[0]
    assert (attempt.login, attempt.name, attempt.section, attempt.seed) == (
        "7", "Ada, L.", "monday", 42
    )
    assert attempt.submitted is not None
    assert attempt.submitted.isoformat() == "2026-11-29T12:00:00+00:00"


def test_what_is_missing_is_the_students_result(folder: Path) -> None:
    attempts = read(folder, "id,path\na,a.zip\nb,\n").attempts
    assert attempts[0].problem == "nothing was handed in: a.zip does not exist"
    assert attempts[1].problem == "nothing was handed in: the list has no path"


@pytest.mark.parametrize("text, complaint", [
    ("", "no column id and no column path"), ("id,file\n1,x\n", "no column path"),
    ("id,path\n,x\n", "line 2: the id is missing"),
    ("id,path,time\n1,ada.zip,soon\n", "line 2: soon is no time"),
    ("id,path,seed\n1,ada.zip,x\n", "line 2: x is no seed"),
    ("id,path\n1,\"" + "x" * 200_000 + "\"\n", "field larger"),
])
def test_lists_that_make_no_sense(folder: Path, text: str, complaint: str) -> None:
    with pytest.raises(BadList, match=complaint):
        read(folder, text)


def test_bytes_that_are_no_text(folder: Path) -> None:
    assert read(folder, b"id,path\nk\xff,ada.zip\n").attempts[0].login == "k\udcff"


# ---- Gradescope ----

EXPORT = """---
submission_11:
  :submitters:
  - :name: Ada Lovelace
    :sid: '1001'
    :email: ada@example.org
  - :name: Bob Byte
    :email: bob@example.org
  :created_at: 2026-11-29 03:21:17.484510000 Z
  :score: 3.0
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    tests: []
submission_12:
  :submitters:
  - :name: Eve
    :email: eve@example.org
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: 2026-11-29
submission_13:
  :submitters: []
"""


@pytest.fixture
def export(folder: Path) -> Path:
    """Returns an export of two submissions and one without files."""
    place = folder / "assignment_7_export"
    for number in (11, 12):
        (place / f"submission_{number}/kernel").mkdir(parents=True)
        (place / f"submission_{number}/kernel/main.c").write_text("")
    (place / "submission_metadata.yml").write_text(EXPORT)
    return place


def test_the_export_says_who_and_when(export: Path) -> None:
    metadata = find_metadata(export)
    assert metadata is not None
    first, second, third = read_export(metadata).attempts
    assert (first.login, first.name) == ("1001", "Ada Lovelace, Bob Byte")
    assert first.source == str(export / "submission_11")
    assert first.submitted is not None
    assert first.submitted.isoformat() == "2026-11-29T03:21:17.484510+00:00"
    assert (second.login, second.submitted) == ("eve@example.org", None)
    assert (third.login, third.source) == ("submission_13", "")
    assert "nothing was handed in" in third.problem


def test_the_export_may_be_in_a_folder(export: Path, tmp_path: Path) -> None:
    (tmp_path / "unpacked").mkdir()
    export.rename(tmp_path / "unpacked/export")
    (tmp_path / "unpacked/.DS_Store").touch()
    metadata = tmp_path / "unpacked/export/submission_metadata.yml"
    assert find_metadata(tmp_path / "unpacked") == metadata


def test_a_student_cannot_describe_the_class(folder: Path) -> None:
    (folder / "bob/submission_metadata.yml").write_text(EXPORT)
    assert {attempt.login for attempt in read_submissions(folder).attempts} == {"ada", "bob"}


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "7: {}\n", "submission_1: x\n", "\0"])
def test_descriptions_that_make_no_sense(export: Path, text: str) -> None:
    (export / "submission_metadata.yml").write_text(text)
    with pytest.raises(BadList):
        read_export(export / "submission_metadata.yml")


def test_a_description_cannot_lead_out_of_its_folder_or_run_code(export: Path) -> None:
    hacked = export.parent / "hacked"
    text = f"../bob:\n  :submitters: !!python/object/apply:os.system ['touch {hacked}']\n"
    (export / "submission_metadata.yml").write_text(text)
    assert read_export(export / "submission_metadata.yml").attempts[0].source == ""
    assert not hacked.exists()


def test_the_kind_of_place_is_recognised(folder: Path, export: Path) -> None:
    assert len(read_submissions(export).attempts) == 3
    (folder / "list.csv").write_text("id,path\nada,ada.zip\n")
    assert len(read_submissions(folder / "list.csv").attempts) == 1


@pytest.mark.parametrize("name", ["nowhere", "empty", "/dev/null"])
def test_places_without_submissions(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadList):
        read_submissions(tmp_path / name)
