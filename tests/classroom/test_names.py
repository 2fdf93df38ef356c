"""Names of files and folders as course platforms write them."""
from __future__ import annotations

from datetime import datetime

import pytest
from classroom.names import (
    Label, archive_stem, is_archive, read_label, read_labels, repository_logins
)

NOON = datetime(2026, 11, 29, 12, 0, 0)


@pytest.mark.parametrize("name, label", [
    ("Ada Lovelace_1001_assignsubmission_file_", Label("1001", "Ada Lovelace")),
    ("Ada Lovelace_1001_assignsubmission_file_cow.zip",
     Label("1001", "Ada Lovelace", rest="cow.zip")),
    ("Kim_Lee_77_assignsubmission_file_a_b.zip", Label("77", "Kim_Lee", rest="a_b.zip")),
    ("김 철수_3_assignsubmission_file_", Label("3", "김 철수")),
    ("Ada_1_assignsubmission_onlinetext_", Label("1", "Ada", is_note=True)),
    ("lovelaceada_12345_678901_cow.tar.gz",
     Label("12345", "lovelaceada", number=678901, rest="cow.tar.gz")),
    ("lovelaceada_LATE_12345_678901_my_cow-2.zip",
     Label("12345", "lovelaceada", is_late=True, number=678901, rest="my_cow-2.zip")),
    ("CoW Lab_ada7_attempt_2026-11-29-12-00-00_cow.zip",
     Label("ada7", submitted=NOON, rest="cow.zip")),
    ("CoW Lab_ada7_attempt_2026-11-29-12-00-00.txt",
     Label("ada7", submitted=NOON, is_note=True)),
    ("CoW_Lab_ada7_attempt_2026-13-99-12-00-00_cow.zip", Label("ada7", rest="cow.zip")),
])
def test_platforms_say_whose_a_file_is(name: str, label: Label) -> None:
    assert read_label(name) == label


@pytest.mark.parametrize("name, login", [
    ("Eve_1_assignsubmission_file_x_2_assignsubmission_file_cow.zip", "1"),
    ("Lab_eve_attempt_2026-11-29-12-00-00_x_ada_attempt_2026-11-28-12-00-00_cow.zip", "eve"),
    ("Lab_eve_attempt_2026-11-29-12-00-00_x_ada_attempt_2026-11-28-12-00-00.txt", "eve"),
    ("evee_1_11_x_2_22_cow.zip", "1"),
])
def test_the_name_that_a_student_gave_means_nobody_else(name: str, login: str) -> None:
    label = read_label(name)
    assert label is not None and label.login == login


def test_a_students_own_name_means_nobody_else() -> None:
    name = "x_2_assignsubmission_file_y_1_assignsubmission_file_"
    label = read_label(name, is_folder=True)
    assert label is not None and label.login == "1"


CANVAS_FILES = ["adal_2_22_cow.zip", "bobb_3_33_cow.zip"]
BLACKBOARD_FILES = [f"Lab_{name}_attempt_2026-11-29-12-00-00_cow.zip" for name in ("ada", "bob")]


@pytest.mark.parametrize("others, forged, login", [
    (CANVAS_FILES, "evee_1_11_x_2_assignsubmission_file_cow.zip", "1"),
    (CANVAS_FILES, "evee_1_11_x_2_attempt_2026-11-29-12-00-00_cow.zip", "1"),
    (BLACKBOARD_FILES, "Lab_eve_attempt_2026-11-29-12-00-00_2_assignsubmission_file_x.zip", "eve"),
])
def test_a_file_is_of_the_platform_of_the_others(
    others: list[str], forged: str, login: str
) -> None:
    """A student can name a file as another platform would name somebody else's."""
    *_, label = read_labels([(name, False) for name in [*others, forged]])
    assert label is not None and label.login == login


def test_logins_that_end_alike_are_not_taken_for_one() -> None:
    """Blackboard separates by what a login may contain."""
    names = [f"CoW_Lab_{who}_attempt_2026-11-29-12-00-00_cow.zip" for who in ("j_li", "k_li", "bo")]
    labels = read_labels([(name, False) for name in [*names, names[0]]])
    assert [label and label.login for label in labels] == [
        "CoW_Lab_j_li", "CoW_Lab_k_li", "bo", "CoW_Lab_j_li",
    ]


def test_platforms_may_be_mixed() -> None:
    names = [*CANVAS_FILES, BLACKBOARD_FILES[0], "Kim_7_assignsubmission_file_cow.zip", "eve.zip"]
    labels = read_labels([(name, False) for name in names])
    assert [label and label.login for label in labels] == ["2", "3", "ada", "7", None]


@pytest.mark.parametrize("name", ["ada.zip", "ada", "ada_cow.zip", "12345.tar.gz", "_", "a_1_b.c"])
def test_other_names_say_nothing(name: str) -> None:
    assert read_label(name) is None


@pytest.mark.parametrize("name, stem", [
    ("ada.zip", "ada"), ("a.b.TAR.GZ", "a.b"), ("ada.tgz", "ada"), ("ada.7z", "ada"),
])
def test_archives(name: str, stem: str) -> None:
    assert is_archive(name)
    assert archive_stem(name) == stem


@pytest.mark.parametrize("name", ["notes.txt", "cow.c", ".zip", "zip", "cow.zip.txt"])
def test_other_files_are_no_archives(name: str) -> None:
    assert not is_archive(name)


@pytest.mark.parametrize("names, logins", [
    (["cow-ada-main", "cow-bob-main"], ["ada", "bob"]),
    (["ada-cow-lab-0123abc", "bob-byte-cow-lab-4567def"], ["ada", "bob-byte"]),
    (["cow-ada-main", "cow-bob-x-master", "cow-eve"], ["ada", "bob-x", "eve"]),
    (["cow-ada-main"], ["cow-ada"]),
    (["lee-kim", "lee-ada"], ["lee-kim", "lee-ada"]),
    (["cow-main", "cow-ada-main"], ["cow", "cow-ada"]),
    ([], []),
])
def test_repositories_are_named_by_what_they_do_not_share(
    names: list[str], logins: list[str]
) -> None:
    assert repository_logins(names) == logins
