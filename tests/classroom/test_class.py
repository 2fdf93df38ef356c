"""A class is graded once, whatever happens meanwhile. The submissions say what the grader makes of
them (stub_grader.py)."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from classroom.record import CLASS_FILE, read_class, read_records, record_path
from stub_course import SECONDS, Course


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Course]:
    """Returns a class without submissions."""
    course = Course(tmp_path)
    yield course
    course.end()


def end_of(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Waits for a command; returns its exit status and what it printed."""
    output, _ = process.communicate(timeout=SECONDS)
    return process.returncode, output


def test_everybody_is_graded_and_kept(course: Course) -> None:
    course.hand_in(ada="100", bob="40", eve="0")
    status, output = course.grade()
    assert status == 0, output
    assert [course.score(name) for name in ("ada", "bob", "eve")] == [100, 40, 0]
    status, output = course.grade()
    assert status == 0 and "ada" not in output
    assert [course.gradings(name) for name in ("ada", "bob", "eve")] == [1, 1, 1]


def test_lines_are_plain_without_a_terminal(course: Course) -> None:
    course.hand_in(ada="100")
    _, output = course.grade("--seed", "7")
    assert output.splitlines()[:3] == ["submissions: 1, seed 7", "[1/1] ada: 100/100", ""]
    assert output.replace("\n", "").isprintable()


def test_a_deadline_without_times_is_told(course: Course) -> None:
    course.hand_in(ada="100")
    _, output = course.grade("--deadline", "2026-11-29")
    assert "the deadline decides nothing for 1 of them" in output
    _, output = course.grade("--deadline", "2026-11-29", "--file-times")
    assert "deadline" not in output


def test_what_changes_is_graded_again(course: Course) -> None:
    course.hand_in(ada="100", bob="40")
    course.grade()
    course.hand_in(bob="60", eve="10")
    course.grade()
    assert [course.gradings(name) for name in ("ada", "bob", "eve")] == [1, 2, 1]
    assert course.score("bob") == 60
    assert course.record("bob")["gradings"] == 2


def test_another_seed_is_another_grading(course: Course) -> None:
    course.hand_in(ada="100", bob="100")
    course.grade()
    seeds = {record["submission"]["seed"] for record in read_records(course.out)}
    assert len(seeds) == 2
    course.grade("--seed", "1")
    assert course.gradings("ada") == 2
    assert {record["key"]["seed"] for record in read_records(course.out)}.isdisjoint(seeds)
    record, words = course.record("ada"), (course.submissions / "ada/.words").read_text()
    assert record["results"]["seed"] == record["key"]["seed"]
    assert str(record["key"]["seed"]) not in words, "other users can see command lines"


def test_other_tests_are_another_grading(course: Course) -> None:
    course.hand_in(ada="100")
    course.grade()
    course.grade("-t", "A")
    assert course.gradings("ada") == 2


def test_a_machine_that_fails_once_costs_nothing(course: Course) -> None:
    course.hand_in(ada="fault once")
    assert course.grade()[0] == 0
    assert (course.score("ada"), course.gradings("ada")) == (100, 2)


@pytest.mark.parametrize("verdict", ["fault", "die", "break"])
def test_a_fault_of_the_machine_is_nobodys_zero(course: Course, verdict: str) -> None:
    """It is said, it is no verdict, and the next run tries again."""
    course.hand_in(ada=verdict, bob="100")
    status, output = course.grade()
    assert status == 3
    assert "ada: not graded: " in output and "1 without a result" in output
    assert course.gradings("ada") == 3
    record = course.record("ada")["results"]
    assert (record["status"], record["complete"]) == ("machine-fault", False)
    assert course.score("bob") == 100
    course.hand_in(ada="100")
    assert course.grade()[0] == 0
    assert (course.score("ada"), course.gradings("bob")) == (100, 1)


def test_a_machine_that_always_fails_is_not_tried_for_everybody(course: Course) -> None:
    course.hand_in(**{f"s{n:02}": "fault" for n in range(20)})
    status, output = course.grade("-j", "1")
    assert status == 3
    assert "5 gradings in a row failed here, the last one: no space left" in output
    assert course.gradings("s15") == 0


def test_a_damaged_result_is_made_again(course: Course) -> None:
    texts = {"ada": "", "bob": "{", "eve": "[]", "mei": "\0", "uma": '{"format": 1}'}
    course.hand_in(**dict.fromkeys(texts, "100"), zoe="100")
    course.grade()
    for name, text in texts.items():
        record_path(course.out, name).write_text(text)
    course.grade()
    for name in texts:
        assert (course.score(name), course.gradings(name)) == (100, 2), texts[name]
    assert course.gradings("zoe") == 1


def test_a_submission_that_is_withdrawn_is_in_no_report(course: Course) -> None:
    course.hand_in(ada="100", bob="50")
    course.grade()
    (course.submissions / "bob").rename(course.submissions.parent / "bob")
    course.grade()
    assert [record["submission"]["id"] for record in read_records(course.out)] == ["ada"]


# ---- Ends in the middle ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_killed_in_the_middle(course: Course, number: int) -> None:
    """What was graded stays, what was being graded is graded again, and nothing runs on."""
    course.hand_in(ada="100", bob="wait", eve="30")
    process = course.start("-j", "1")
    course.wait_for("bob")
    process.send_signal(number)
    status, output = end_of(process)
    if number == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 3 and "the same command continues" in output
    limit = time.monotonic() + SECONDS
    while course.grader_lives("bob"):
        assert time.monotonic() < limit, "the grader lives on"
        time.sleep(0.01)
    assert [course.gradings(name) for name in ("ada", "bob", "eve")] == [1, 1, 0]
    course.go("bob")
    assert course.grade()[0] == 0
    assert [course.gradings(name) for name in ("ada", "bob", "eve")] == [1, 2, 1]
    assert [course.score(name) for name in ("ada", "bob", "eve")] == [100, 100, 30]


def test_killed_while_results_are_written(course: Course) -> None:
    """A part of a file is never taken for results."""
    course.hand_in(ada="100")
    course.grade()
    (course.out / "results/ada.json.77.new").write_text('{"format": 1, "sco')
    (course.out / CLASS_FILE).write_text('{"format": 1, "sub')
    assert course.grade()[0] == 0
    assert len(read_records(course.out)) == 1


# ---- Workers that share a folder ----


def test_two_runs_at_once_grade_everybody_once(course: Course) -> None:
    course.hand_in(ada="wait", bob="100", eve="100")
    first = course.start("-j", "1")
    course.wait_for("ada")
    second = course.work("ada", "bob", "eve")
    course.go("ada")
    assert end_of(first)[0] == 0
    status, output = end_of(second)
    assert status == 0, output
    assert [course.gradings(name) for name in ("ada", "bob", "eve")] == [1, 1, 1]
    assert "kept: ada: 100/100" in output
    graded = [line for line in (course.out / "journal.log").read_text().splitlines()
              if " graded " in line]
    assert len(graded) == 3


def test_a_worker_goes_on_after_a_fault(course: Course) -> None:
    course.hand_in(ada="fault", bob="100")
    course.grade()
    course.hand_in(bob="50")
    status, output = end_of(course.work("ada", "bob"))
    assert status == 3
    assert "machine fault: ada: not graded: no space left" in output
    assert course.score("bob") == 50


def test_a_worker_without_a_plan(course: Course) -> None:
    status, output = end_of(course.work("ada"))
    assert status == 2 and "there is no plan of a class" in output
    course.hand_in(ada="100")
    course.grade()
    status, output = end_of(course.work("bob"))
    assert status == 2 and "nobody in this class has the id 'bob'" in output


def test_a_folder_that_cannot_be_written_to(course: Course, tmp_path: Path) -> None:
    course.hand_in(ada="100")
    (tmp_path / "file").write_text("")
    course.out = tmp_path / "file/report"
    status, output = course.grade()
    assert status == 3 and "not the submission's fault" in output


# ---- What is handed in ----


def test_the_plan_says_who_is_graded(course: Course) -> None:
    course.hand_in(ada="100")
    (course.submissions / "bob").mkdir()
    (course.submissions / "notes.txt").write_text("")
    os.symlink("/etc", course.submissions / "eve")
    status, output = course.grade("--deadline", "2026-11-29T18:00Z", "--grace-days", "2")
    assert status == 0
    assert "left out: notes.txt: it is no archive and no folder" in output
    info = read_class(course.out)
    assert [each["id"] for each in info["submissions"]] == ["ada", "bob"]
    assert (info["deadline"], info["grace_days"]) == ("2026-11-29T18:00:00+00:00", 2)
    assert course.record("bob")["results"]["status"] == "unreadable"
    assert course.record("bob")["results"]["complete"]


@pytest.mark.parametrize("words, complaint", [
    (["--deadline", "soon"], "soon is no time"), (["-j", "0"], "at least 1"),
    (["-t", "nothing"], "no such test: nothing"), (["--grace-days", "-1"], "is no number"),
])
def test_bad_usage(course: Course, words: list[str], complaint: str) -> None:
    course.hand_in(ada="100")
    status, output = course.grade(*words)
    assert status == 2 and complaint in output


def test_the_report_is_for_its_owner_and_not_among_the_submissions(course: Course) -> None:
    course.hand_in(ada="100")
    course.grade()
    assert course.out.stat().st_mode & 0o777 == 0o700
    course.out = course.submissions / "report"
    status, output = course.grade()
    assert status == 2 and "cannot be in the folder of the submissions" in output


def test_no_submissions(course: Course) -> None:
    status, output = course.grade()
    assert status == 2 and "cannot be read" in output
    course.submissions.mkdir()
    status, output = course.grade()
    assert status == 2 and "holds no submissions" in output


def test_commands_at_once_agree_on_the_seed(course: Course) -> None:
    """The first one chooses it, so that nobody is graded by two seeds."""
    course.hand_in(ada="100", bob="40")
    commands = [course.start() for _ in range(4)]
    seeds = {re.findall(r"seed (\d+)", end_of(command)[1])[0] for command in commands}
    assert seeds == {str(read_class(course.out)["seed"])}
    assert [course.gradings(name) for name in ("ada", "bob")] == [1, 1]
