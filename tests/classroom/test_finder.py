"""Finding submissions in folders as platforms and people make them."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
from classroom.finder import HandedIn, find_submissions

TREE = ("kernel/main.c", "kernel/vm/cow.c", "Makefile")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns the folder of the submissions."""
    place = tmp_path / "submissions"
    place.mkdir()
    return place


def add(folder: Path, *names: str) -> None:
    """Makes files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def add_tree(folder: Path) -> None:
    """Makes a tree."""
    add(folder, *TREE)


def found(folder: Path) -> dict[str, HandedIn]:
    """Returns the attempts by login, one for each."""
    attempts = find_submissions(folder).attempts
    logins = [attempt.login for attempt in attempts]
    assert len(set(logins)) == len(logins), logins
    return {attempt.login: attempt for attempt in attempts}


def sources(folder: Path) -> dict[str, str]:
    """Returns what is graded of each student, relative to the folder."""
    return {
        login: os.path.relpath(attempt.source, folder) if attempt.source else ""
        for login, attempt in found(folder).items()
    }


def test_archives_folders_and_checkouts_may_be_mixed(folder: Path) -> None:
    add(folder, "ada.zip", "bob.tar.gz", "dan/.git/HEAD")
    add_tree(folder / "eve")
    add_tree(folder / "dan")
    add_tree(folder / "kim/cow")
    assert sources(folder) == {
        "ada": "ada.zip", "bob": "bob.tar.gz", "dan": "dan", "eve": "eve", "kim": "kim",
    }


def test_moodle(folder: Path) -> None:
    add(folder, "Ada L_1_assignsubmission_file_/cow.zip")
    add(folder, "Bob_2_assignsubmission_file_/deep/er/cow.tgz")
    (folder / "Eve_3_assignsubmission_file_").mkdir()
    add(folder, "Kim_4_assignsubmission_file_cow.zip")
    add_tree(folder / "Lee_5_assignsubmission_file_/cow")
    assert sources(folder) == {
        "1": "Ada L_1_assignsubmission_file_/cow.zip",
        "2": "Bob_2_assignsubmission_file_/deep/er/cow.tgz", "3": "",
        "4": "Kim_4_assignsubmission_file_cow.zip", "5": "Lee_5_assignsubmission_file_",
    }
    assert found(folder)["1"].name == "Ada L"
    assert "empty" in found(folder)["3"].problem


def test_an_online_text_is_no_submission_but_its_student_is_known(folder: Path) -> None:
    add(folder, "Ada_1_assignsubmission_onlinetext_/onlinetext.html")
    add(folder, "Ada_1_assignsubmission_file_/cow.zip")
    add(folder, "Bob_2_assignsubmission_onlinetext_/onlinetext.html")
    attempts = find_submissions(folder).attempts
    assert {attempt.login for attempt in attempts if attempt.source} == {"1"}
    assert [a.problem for a in attempts if a.login == "2"] == ["no file was handed in"]


def test_canvas(folder: Path) -> None:
    add(folder, "lovelaceada_1_11_cow.zip", "bytebob_LATE_2_12_cow-3.tar.gz", "evee_3_13_cow.c")
    assert sources(folder) == {
        "1": "lovelaceada_1_11_cow.zip", "2": "bytebob_LATE_2_12_cow-3.tar.gz", "3": "",
    }
    assert found(folder)["2"].is_late
    assert "cow.c is no archive" in found(folder)["3"].problem


def test_nobody_hands_in_for_somebody_else(folder: Path) -> None:
    """A student's file has the name that another platform would give to a neighbour's."""
    add(folder, "adal_1_11_cow.zip", "evee_2_12_x_1_assignsubmission_file_cow.zip")
    assert sources(folder)["1"] == "adal_1_11_cow.zip"
    assert len(sources(folder)) == 2


def test_blackboard(folder: Path) -> None:
    add(folder, "Lab_ada_attempt_2026-11-29-12-00-00_cow.zip")
    add(folder, "Lab_ada_attempt_2026-11-29-12-00-00.txt")
    add(folder, "Lab_bob_attempt_2026-11-29-13-00-00.txt")
    attempts = find_submissions(folder).attempts
    assert {attempt.login for attempt in attempts if attempt.source} == {"ada"}
    assert any(attempt.login == "bob" and attempt.problem for attempt in attempts)


def test_github(folder: Path) -> None:
    add(folder, "cow-ada-main.zip", "cow-bob-main.zip")
    add_tree(folder / "cow-eve-1a2b3c4")
    assert sorted(sources(folder)) == ["ada", "bob", "eve"]


def test_clones_are_named_after_their_students(folder: Path) -> None:
    for name in ("cow-ada", "cow-bob"):
        add(folder, f"{name}/.git/HEAD")
        add_tree(folder / name)
    assert sorted(sources(folder)) == ["ada", "bob"]


def test_litter_of_file_managers_is_nobodys(folder: Path) -> None:
    add(folder, "ada.zip", "__MACOSX/._ada.zip", ".DS_Store", "._ada.zip", "Thumbs.db", "notes.pdf")
    assert sources(folder) == {"ada": "ada.zip"}
    assert find_submissions(folder).left_out == ["Thumbs.db", "notes.pdf"]


def test_a_student_whose_name_begins_with_a_dot(folder: Path) -> None:
    add(folder, ".Dot Dot_7_assignsubmission_file_/cow.zip", "._adal_8_1_cow.zip")
    assert list(sources(folder)) == ["7"]


def test_one_extra_top_folder(folder: Path) -> None:
    add(folder, "submissions/ada.zip", "submissions/bob.zip", "__MACOSX/._x")
    assert sorted(sources(folder)) == ["ada", "bob"]


@pytest.mark.parametrize("names", [
    ["ada/kernel/main.c"], ["ada/cow/kernel/main.c"], ["ada/cow.zip"],
    ["ada/cow.zip", "ada/notes.txt"], ["ada/main.c"],
    ["ada/cow/kernel/main.c", "ada/doc/a.txt", "ada/readme.txt"],
])
def test_a_class_of_one(folder: Path, names: list[str]) -> None:
    """The folder of a single student is not taken for a folder around the submissions."""
    add(folder, *names)
    assert list(sources(folder)) == ["ada"]


def test_sections(folder: Path) -> None:
    for section in ("monday", "friday"):
        add(folder, f"{section}/ada-{section}.zip", f"{section}/bob-{section}.zip")
        add_tree(folder / f"{section}/eve-{section}")
    attempts = found(folder)
    assert sorted(attempts) == sorted(
        f"{name}-{section}" for name in ("ada", "bob", "eve") for section in ("monday", "friday")
    )
    assert {attempt.section for attempt in attempts.values()} == {"monday", "friday"}


def test_a_student_with_several_archives_among_students(folder: Path) -> None:
    """It is a student's folder, since most others are, and the student hears of it."""
    add(folder, "ada/cow.zip", "bob/cow.zip", "eve/old.zip", "eve/new.zip")
    assert "several archives were handed in (new.zip, old.zip)" in found(folder)["eve"].problem
    assert len(found(folder)) == 3


def test_what_is_missing_is_said(folder: Path) -> None:
    add(folder, "ada/cow.zip", "bob/answers.pdf", "dan/cow.zip")
    (folder / "eve/sub").mkdir(parents=True)
    assert found(folder)["bob"].problem == (
        "no archive and no sources were handed in, only answers.pdf"
    )
    assert found(folder)["eve"].problem == "the folder is empty: nothing was handed in"


def test_links_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    """Neither to another student's files nor into a loop."""
    add(tmp_path / "secret", "kernel/main.c", "secret.zip")
    add(folder, "ada/cow.zip", "bob/x.zip")
    (folder / "eve").symlink_to(tmp_path / "secret")
    (folder / "zed.zip").symlink_to(tmp_path / "secret/secret.zip")
    for name, target in (("kernel", tmp_path / "secret/kernel"), ("loop", folder)):
        (folder / "dan").mkdir(exist_ok=True)
        (folder / "dan" / name).symlink_to(target)
    assert sources(folder) == {"ada": "ada/cow.zip", "bob": "bob/x.zip", "dan": ""}


def test_special_files_and_odd_names(folder: Path) -> None:
    os.mkfifo(folder / "pipe.zip")
    os.mkfifo(folder / "fifo")
    raw = os.fsdecode(b"k\xffm.zip")
    add(folder, raw, "a\nb.zip", "=cmd|x.zip", "<b>.zip")
    assert set(sources(folder)) == {os.fsdecode(b"k\xffm"), "a\nb", "=cmd|x", "<b>"}


def test_a_folder_of_a_million_files_is_not_walked_to_the_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classroom.finder.ENTRIES_MAX", 100)
    add(folder, "ada/cow.zip", *(f"eve/{n:04}.txt" for n in range(300)))
    assert len(found(folder)) == 2


def test_a_folder_without_submissions(folder: Path) -> None:
    add(folder, "a.txt")
    assert found(folder) == {}
