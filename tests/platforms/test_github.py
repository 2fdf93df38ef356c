"""The workflows for GitHub Actions, and how a class is fetched there."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from platforms.pack import PACKAGES
from test_jobs import put

FETCH = PACKAGES / "github/fetch.sh"
STUDENTS = ("alice", "bob", "carol", "dave", "eve")
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(name="server", scope="module")
def fixture_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server with a repository for each student."""
    root = tmp_path_factory.mktemp("server")
    for name in STUDENTS:
        repository = put(root / "os" / name, "kernel/main.c")
        (repository / "link").symlink_to("/etc/passwd")
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        for words in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "x"]):
            subprocess.run(["git", *words], cwd=repository, check=True)
    return root


def fetch(folder: Path, text: str, part: str, server: Path) -> subprocess.CompletedProcess[str]:
    """Fetches a part of three of a class."""
    folder.mkdir(exist_ok=True)
    (folder / "students.csv").write_text(text)
    words = ["sh", str(FETCH), "students.csv", "submissions", part, "3", f"file://{server}"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


ROSTER = "id,repository\r\n" + "".join(f"{name},os/{name}\r\n" for name in STUDENTS)


def fetched(folder: Path) -> list[str]:
    """Returns whose submissions are there; the list for the grader names the same."""
    listed = (folder / "submissions/list.csv").read_text().split()
    assert listed[0] == "id,path"
    names = sorted(path.name for path in (folder / "submissions").iterdir() if path.is_dir())
    assert sorted(listed[1:]) == [f"{name},{name}" for name in names]
    return names


def test_parts_together_are_the_class(tmp_path: Path, server: Path) -> None:
    found = []
    for part in ("1", "2", "3"):
        assert fetch(tmp_path / part, ROSTER, part, server).returncode == 0
        found += fetched(tmp_path / part)
    assert sorted(found) == list(STUDENTS)
    assert fetch(tmp_path / "all", ROSTER, "0", server).returncode == 0
    assert fetched(tmp_path / "all") == list(STUDENTS)


def test_links_are_not_made(tmp_path: Path, server: Path) -> None:
    fetch(tmp_path, ROSTER, "1", server)
    links = [path for path in tmp_path.rglob("link")]
    assert links and not any(path.is_symlink() for path in links)


@pytest.mark.parametrize("text, said", [
    ("student,repository\nalice,os/alice\n", "no columns id,repository"),
    ("id,repository\n../alice,os/alice\n", "wrong id: ../alice"),
    ("id,repository\n.git,os/alice\n", "wrong id: .git"),
    ("id,repository\n,os/alice\n", "wrong id"),
    ("id,repository\nalice,os/nobody\n", "nobody"),
])
def test_a_wrong_roster_stops(tmp_path: Path, server: Path, text: str, said: str) -> None:
    """Nobody gets a mark because of it."""
    done = fetch(tmp_path, text, "0", server)
    assert done.returncode != 0 and said in done.stderr


def test_a_token_is_used_and_not_stored(tmp_path: Path) -> None:
    """A git that notes what it is asked for stands for the real one."""
    fake = put(tmp_path / "bin", "git") / "git"
    fake.write_text(f"#!/bin/sh\necho \"$@\" >>{tmp_path}/asked\n")
    fake.chmod(0o755)
    (tmp_path / "students.csv").write_text(ROSTER)
    environment = {**os.environ, "TOKEN": "s3cret", "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    subprocess.run(
        ["sh", str(FETCH), "students.csv", "out", "0", "1"], cwd=tmp_path, env=environment,
        check=True,
    )
    first = (tmp_path / "asked").read_text().splitlines()[0]
    setting = "url.https://x-access-token:s3cret@github.com/.insteadOf=https://github.com/"
    assert first.startswith(f"-c {setting} clone ")
    assert first.endswith("https://github.com/os/alice out/alice")


def test_the_matrix_is_as_large_as_the_workflow_says() -> None:
    text = (PACKAGES / "github/grade-class.yml").read_text(encoding="utf-8")
    parts, matrix = re.search(r"PARTS: (\d+)", text), re.search(r"part: \[(.*)\]", text)
    assert parts is not None and matrix is not None
    numbers = [int(number) for number in matrix.group(1).split(",")]
    assert numbers == list(range(1, int(parts.group(1)) + 1)) and len(numbers) <= 256


@pytest.mark.parametrize("name", ["grade.yml", "grade-class.yml"])
def test_workflows_give_away_no_more_than_they_must(name: str) -> None:
    text = (PACKAGES / "github" / name).read_text(encoding="utf-8")
    assert "permissions:\n  contents: read\n" in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    lines = re.findall(r"run: (.*)", text)
    assert not [line for line in lines if re.search(r"\$\{\{(?! matrix\.part )", line)]
