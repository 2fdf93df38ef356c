"""The commit of a student's repository that counts."""
from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from classroom.record import ClassInfo, Submission
from classroom.repositories import repository_in, resolve
from grader.errors import InfraError, SubmissionError
from grader.sandbox import FULL, REDUCED
from submissions import need_sandbox

COMMITS = ("2026-11-28T12:00:00+00:00", "2026-11-29T12:00:00+00:00", "2026-11-30T12:00:00+00:00")


class Repository:
    """A repository with a commit at each of three times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commits = [self.commit(time) for time in COMMITS]

    def git(self, *words: str, time: str = COMMITS[0]) -> str:
        """Runs git; returns what it prints."""
        dates = {"GIT_AUTHOR_DATE": time, "GIT_COMMITTER_DATE": time}
        identity = ["-c", "user.name=a", "-c", "user.email=a"]
        return subprocess.run(
            ["git", "-C", str(self.folder), *identity, *words], check=True, capture_output=True,
            text=True, env={**os.environ, **dates, "GIT_CONFIG_GLOBAL": os.devnull},
        ).stdout.strip()

    def commit(self, time: str) -> str:
        """Adds a commit; returns its name."""
        (self.folder / "time").write_text(time)
        self.git("add", "time")
        self.git("commit", "-q", "-m", time, time=time)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Returns the repository."""
    need_sandbox()
    return Repository(tmp_path / "repository")


def settle(
    tmp_path: Path, source: str, deadline: str = "", grace: int = 0, mode: str = FULL,
    submitted: str = "",
) -> Submission:
    """Returns the submission as it is graded."""
    info: ClassInfo = {
        "format": 1, "title": "", "parts": {}, "tests": [], "max_score": 0, "seed": 1,
        "grader": "", "deadline": deadline, "grace_days": grace, "words": [], "submissions": [],
    }
    submission: Submission = {
        "id": "a", "name": "", "login": "a", "section": "", "source": source, "original": "",
        "submitted": submitted, "late_days": 3 if submitted else 0, "attempts": 1, "problem": "",
        "seed": 1,
    }
    return resolve(info, submission, tmp_path, mode)


@pytest.mark.parametrize("deadline, grace, number, late", [
    ("2026-11-29T18:00:00+00:00", 0, 1, 0), ("2026-11-29T18:00:00+00:00", 1, 2, 1),
    ("2026-12-01T00:00:00+00:00", 0, 2, 0), ("2026-11-29T12:00:00+00:00", 0, 1, 0),
    ("2026-11-01T00:00:00+00:00", 0, 2, 30),
])
def test_the_newest_commit_before_the_deadline_counts(
    tmp_path: Path, repository: Repository, deadline: str, grace: int, number: int, late: int
) -> None:
    """If there is none, the newest of all, which is late."""
    for place in (str(repository.folder), f"file://{repository.folder}"):
        settled = settle(tmp_path, place, deadline, grace)
        assert settled["source"] == f"{place}@{repository.commits[number]}"
        assert settled["submitted"] == COMMITS[number]
        assert settled["late_days"] == late


def test_a_url_is_graded_at_the_commit_it_has_now(tmp_path: Path, repository: Repository) -> None:
    url = f"file://{repository.folder}"
    assert settle(tmp_path, url)["source"] == f"{url}@{repository.commits[2]}"


def test_without_bubblewrap(tmp_path: Path, no_bwrap: None) -> None:
    """The folder to work in is private, and git may run as another user."""
    repository = Repository(tmp_path / "repository")
    work = tmp_path / "work"
    work.mkdir(0o700)
    settled = settle(work, str(repository.folder), "2026-11-29T18:00:00+00:00", mode=REDUCED)
    assert settled["source"] == f"{repository.folder}@{repository.commits[1]}"


def test_a_revision_that_is_given_is_taken(tmp_path: Path, repository: Repository) -> None:
    settled = settle(tmp_path, f"{repository.folder}@HEAD~1", "2026-11-28T13:00:00+00:00")
    assert settled["source"] == f"{repository.folder}@{repository.commits[1]}"
    assert settled["late_days"] == 1


def test_a_folder_stays_as_it_is_without_a_deadline(
    tmp_path: Path, repository: Repository
) -> None:
    assert settle(tmp_path, str(repository.folder))["source"] == str(repository.folder)


def test_a_time_that_the_platform_knows_is_believed_before_the_commits(
    tmp_path: Path, repository: Repository
) -> None:
    """Commits have whatever times the student wants. What a platform has is graded as it is."""
    for place in (str(repository.folder), f"file://{repository.folder}"):
        settled = settle(
            tmp_path, place, "2026-11-29T18:00:00+00:00", submitted="2026-12-02T12:00:00+00:00"
        )
        assert settled["submitted"] == "2026-12-02T12:00:00+00:00"
        assert settled["late_days"] == 3
        assert (settled["source"] == place) == place.startswith("/")


@pytest.mark.parametrize("name", ["@HEAD.zip", "ada@HEAD"])
def test_an_archive_is_no_revision_of_the_folder_that_its_name_begins_with(
    tmp_path: Path, repository: Repository, name: str
) -> None:
    repository.folder.rename(tmp_path / "ada")
    archive = tmp_path / name
    archive.write_text("")
    assert settle(tmp_path, str(archive))["source"] == str(archive)


def test_a_repository_below_one_folder_is_found(tmp_path: Path, repository: Repository) -> None:
    outer = tmp_path / "ada"
    outer.mkdir()
    repository.folder.rename(outer / "cow")
    assert repository_in(str(outer)) == str(outer / "cow")
    assert repository_in(str(tmp_path / "nowhere")) == ""


@pytest.mark.parametrize("source", ["file:///nowhere/at/all", "{repository}@nothing"])
def test_what_cannot_be_fetched_is_the_students(
    tmp_path: Path, repository: Repository, source: str
) -> None:
    with pytest.raises(SubmissionError):
        settle(tmp_path, source.format(repository=repository.folder))


@pytest.mark.parametrize("time", ["9999999999 +0000", "999999999999999 +0000", "0 +0000"])
def test_commits_may_be_from_any_time(tmp_path: Path, repository: Repository, time: str) -> None:
    """Even from one that no calendar has."""
    commit = repository.git("cat-file", "commit", "HEAD")
    forged = re.sub(r"(committer .*>) .*", rf"\1 {time}", commit)
    path = tmp_path / "commit"
    path.write_text(forged + "\n")
    commit = repository.git("hash-object", "-t", "commit", "-w", "--literally", str(path))
    repository.git("update-ref", "refs/heads/main", commit)
    settled = settle(tmp_path, f"{repository.folder}@{commit}", "2026-12-01T00:00:00+00:00")
    assert settled["source"].endswith(commit)
    assert (settled["late_days"] > 0) == (time != "0 +0000")


def test_a_network_that_fails_is_the_machines(tmp_path: Path) -> None:
    need_sandbox()
    with pytest.raises(InfraError):
        settle(tmp_path, "https://nowhere.invalid/cow.git")


def test_a_repository_cannot_run_programs(tmp_path: Path, repository: Repository) -> None:
    hacked = tmp_path / "hacked"
    (repository.folder / ".git/config").write_text(
        f"[core]\n\tfsmonitor = touch {hacked}\n\tsshCommand = touch {hacked}\n"
        f"[uploadpack]\n\tpackObjectsHook = touch {hacked}\n"
    )
    settle(tmp_path, str(repository.folder), "2026-12-01T00:00:00+00:00")
    assert not hacked.exists()
