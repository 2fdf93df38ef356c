"""What a student's page says to do, and what it leaves out."""
from __future__ import annotations

from classes import make_class
from reports.students import make_students
from reports.texts import PathHider
from reports.views import format_time, repeat_command, view_for_class, view_for_student

INFO, RECORDS = make_class(30)
STUDENT = next(each for each in make_students(INFO, RECORDS) if each.failed)
TEST = STUDENT.failed[0]


def test_the_command_names_no_folder_of_the_grading_machine() -> None:
    seed = STUDENT.submission["seed"]
    assert repeat_command(STUDENT, TEST) == f"./grade-cow --seed {seed} {TEST['id']}"
    again = [(label, f"{text} --trial 3" if label == "again" else text)
             for label, text in TEST["card"]]
    late = TEST.copy()
    late["card"] = again
    assert repeat_command(STUDENT, late) == f"./grade-cow --seed {seed} {TEST['id']} --trial 3"
    late["card"] = [("again", "x --trial 3; rm -rf /")]
    assert repeat_command(STUDENT, late) == f"./grade-cow --seed {seed} {TEST['id']}"


def test_rows_about_the_machine_are_the_instructors() -> None:
    theirs = view_for_student(INFO, STUDENT).cards[0]
    ours = view_for_class(INFO, STUDENT, pictures=True).cards[0]
    assert theirs.folder == "" and ours.folder == f"files/{STUDENT.id}/{TEST['id']}"
    commands = [dict((label, text) for label, text, _ in card.rows)["again"]
                for card in (theirs, ours)]
    assert "/home/prof" not in commands[0] and "/home/prof" in commands[1]
    assert ours.picture == theirs.picture != ""
    assert view_for_class(INFO, STUDENT, pictures=False).cards[0].picture == ""


def test_the_password_of_a_url_is_the_instructors() -> None:
    """A student can bring up messages with the URL by which the repository was fetched."""
    url = "https://grader:secret@example.org/ada/cow.git"
    submission = STUDENT.submission.copy()
    submission["source"], submission["original"] = f"{url}@1a2b3c4", url
    hide = PathHider(submission)
    for text in (f"{url} has 300 MiB", f"unable to access '{url}/'", f"{url}@1a2b3c4: x"):
        assert "secret" not in hide(text) and "cow.git" in hide(text)


def test_times() -> None:
    assert format_time("2026-11-15T23:59:00+00:00") == "2026-11-15 23:59 UTC"
    assert format_time("2026-11-15T23:59:00+09:00") == "2026-11-15 23:59 +0900"
    assert format_time("<b>") == "<b>" and format_time("") == ""
