"""labs/cow/platforms.ini, and where each platform puts what is to be graded."""
from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from platforms.jobs import (
    BadPlace, Place, find_archive, find_autolab, find_classroom50, find_github, find_gradescope,
    find_prairielearn, find_vpl, lateness
)
from platforms.run import PLATFORMS
from platforms.settings import FILE, BadSettings, check_names, read_settings
from platform_samples import passed, view

from labs.cow.grading.catalogue import PARTS, TESTS

SETTINGS = view().settings
NAMES = [*PARTS, *(test.id for test in TESTS)]
GITHUB = {
    "CLASSROOM": "os", "ASSIGNMENT": "cow", "SUBMISSION_TAG": "submit/1", "COMMIT_URL": "c",
    "RELEASE_URL": "r", "USERNAME": "alice", "GITHUB_SHA": "ff" * 20,
}


# ---- Settings ----


@pytest.mark.parametrize("platform", PLATFORMS)
def test_our_settings_are_good(platform: str) -> None:
    settings = read_settings(platform)
    check_names(settings, NAMES)
    assert settings.seconds >= 600 and settings.jobs == 1
    assert settings.visibility_of(passed("fork_shares_pages")) == "visible"


def changed(folder: Path, old: str, new: str) -> Path:
    """Returns a copy of our settings with a change."""
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    file = folder / "platforms.ini"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


@pytest.mark.parametrize("old, new, said", [
    ("tests = visible", "tests = seen", "tests = seen: say visible"),
    ("tests = visible", "tests visible", "tests visible"),
    ("jobs = 1", "jobs = 0", "jobs must be 1"),
    ("jobs = 1", "jobs = many", "many"),
    ("sandbox = reduced", "sandbox = some", "sandbox = some: say full"),
    ("seconds = 600", "seconds = 5", "seconds 60"),
    ("[gradescope]", "[gradescop]", "gradescope"),
    ("options =", "options = '", "quotation"),
])
def test_wrong_settings_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        read_settings("gradescope", changed(tmp_path, old, new))


def test_settings_name_only_what_there_is(tmp_path: Path) -> None:
    file = changed(tmp_path, "tests = visible", "tests = visible\nG = hidden\nforks = hidden")
    with pytest.raises(BadSettings, match="no part or test forks$"):
        check_names(read_settings("vpl", file), NAMES)


def test_a_test_wins_over_its_part(tmp_path: Path) -> None:
    file = changed(tmp_path, "tests = visible", "tests = hidden\nA = after_published\nx = visible")
    settings = read_settings("vpl", file)
    assert settings.visibility_of(passed("x")) == "visible"
    assert settings.visibility_of(passed("y")) == "after_published"
    assert settings.visibility_of(passed("y", "B")) == "hidden"


# ---- Submissions ----


def put(folder: Path, *names: str) -> Path:
    """Makes files in a folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


def test_a_single_archive_is_the_submission(tmp_path: Path) -> None:
    assert find_archive(put(tmp_path, "cow.TAR.GZ", ".DS_Store")) == tmp_path / "cow.TAR.GZ"
    assert find_archive(put(tmp_path, "kernel/main.c")) == tmp_path


def test_a_link_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "cow.zip").symlink_to("/etc/passwd")
    assert find_archive(tmp_path) == tmp_path


def test_no_folder_is_not_the_students_fault(tmp_path: Path) -> None:
    with pytest.raises(BadPlace):
        find_archive(tmp_path / "student")


METADATA = {
    "id": 5_000_000_001, "created_at": "2026-06-02T01:00:30.5-07:00",
    "assignment": {"due_date": "2026-06-01T23:00:00.000000-07:00"},
}


def test_gradescope_says_what_the_seed_is(tmp_path: Path) -> None:
    put(tmp_path, "submission/kernel/main.c")
    (tmp_path / "submission_metadata.json").write_text(json.dumps(METADATA))
    job = find_gradescope(Place(tmp_path, {}, tmp_path), SETTINGS)
    assert (job.submission, job.seed) == (tmp_path / "submission", 5_000_000_001 % 2**31)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"id": null}', '{"id": "x"}', "{"])
def test_gradescope_without_metadata_is_graded(tmp_path: Path, text: str) -> None:
    put(tmp_path, "submission/kernel/main.c")
    (tmp_path / "submission_metadata.json").write_text(text)
    assert find_gradescope(Place(tmp_path, {}, tmp_path), SETTINGS).seed is None


@pytest.mark.parametrize("created, said", [
    ("2026-06-01T22:59:59-07:00", ""), ("2026-06-01T23:00:00-07:00", ""),
    ("2026-06-02T06:00:01+00:00", "Handed in 0 h 01 min after the due date."),
    ("2026-06-04T01:30:00-07:00", "Handed in 50 h 30 min after the due date."),
    ("soon", ""), (None, ""), ("2026-06-02T06:00:01", ""),
])
def test_lateness_is_told(created: Any, said: str) -> None:
    assert lateness({**METADATA, "created_at": created}) == said


def test_classroom50_says_whose_it_is(tmp_path: Path) -> None:
    job = find_classroom50(Place(tmp_path, GITHUB, tmp_path), SETTINGS)
    assert (job.submission, job.seed) == (tmp_path, 0x7FFFFFFF)
    assert job.facts["owner"] == "alice" and job.facts["review"] == "c"
    with pytest.raises(BadPlace, match="has not set 'CLASSROOM'"):
        find_classroom50(Place(tmp_path, {}, tmp_path), SETTINGS)


def test_other_platforms_have_places_of_their_own(tmp_path: Path) -> None:
    put(tmp_path, "student/a.c", "submission.tar.gz")
    place = Place(tmp_path, {}, tmp_path)
    assert find_autolab(place, SETTINGS).submission == tmp_path / "submission.tar.gz"
    assert find_prairielearn(place, SETTINGS).submission == tmp_path / "student"
    assert find_github(place, SETTINGS).seed is None


def test_vpl_takes_the_students_files_and_no_others(tmp_path: Path) -> None:
    """The names are the student's: none leads out of the folder."""
    root, outside = tmp_path / "home", put(tmp_path / "out", "secret")
    put(root, "kernel/vm/cow.c", "kernel/main.c", "vpl_environment.sh")
    (root / "link").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    names = ["kernel/vm/cow.c", "kernel/main.c", "link", "folder/secret", "../out/secret",
             str(outside / "secret"), "kernel", "missing", "kernel/../vpl_environment.sh", ""]
    variables = {"VPL_SUBFILES": "\n".join(names), "VPL_MAXTIME": "90", "VPL_GRADEMAX": "10"}
    job = find_vpl(Place(root, variables, tmp_path / "work"), SETTINGS)
    found = [p.relative_to(job.submission) for p in job.submission.rglob("*") if p.is_file()]
    assert sorted(map(str, found)) == ["kernel/main.c", "kernel/vm/cow.c"]
    assert (job.seconds, job.facts["grade_max"]) == (90, "10")


def test_vpl_takes_a_single_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "cow.zip", "w") as archive:
        archive.writestr("kernel/main.c", "x")
    job = find_vpl(Place(tmp_path, {"VPL_SUBFILES": "cow.zip\n"}, tmp_path / "work"), SETTINGS)
    assert job.submission.name == "cow.zip" and job.seconds == 600
