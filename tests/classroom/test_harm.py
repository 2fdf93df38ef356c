"""A submission can neither read another one, nor change the report, nor stop the run."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from classroom.record import read_records
from products import ROOT
from submissions import need_sandbox

SECRET = "the_secret_of_another_student"


class Course:
    """A class of which one submission is hostile."""

    def __init__(self, folder: Path) -> None:
        self.submissions, self.out = folder / "submissions", folder / "report"
        self.add("ada", {"kernel/main.c": f"int {SECRET};\n"})

    def add(self, name: str, files: dict[str, str]) -> None:
        """Adds a copy of the reference with other files in it."""
        for source in (ROOT / "kernel").rglob("*"):
            if source.suffix in (".c", ".h", ".S"):
                place = self.submissions / name / source.relative_to(ROOT)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(source.read_bytes())
        for file, text in files.items():
            (self.submissions / name / file).write_text(text)

    def grade(self, *words: str) -> str:
        """Grades; returns what is printed."""
        command = [sys.executable, str(ROOT / "grade-cow"), "--class", str(self.submissions)]
        done = subprocess.run(
            [*command, "--out", str(self.out), "-t", "text_store", *words], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout.decode()


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """Returns a class of one, whose submission is a secret and does not compile."""
    need_sandbox()
    return Course(tmp_path)


def test_a_submission_reads_neither_others_nor_the_report(course: Course) -> None:
    """Neither its compiler nor its assembler finds them."""
    secret = course.submissions / "ada/kernel/main.c"
    plan = course.out / "class.json"
    course.add("eve", {
        "kernel/vm/cow.c": f'#include "{secret}"\n#if __has_include("{plan}")\n#error plan\n#endif',
        "kernel/vm/fault.c": f'__asm__(".incbin \\"{plan}\\"");\n',
    })
    course.grade()
    records = {record["submission"]["id"]: record["results"] for record in read_records(course.out)}
    reason = records["eve"]["reason"]
    assert records["eve"]["status"] == "does-not-compile"
    assert "No such file or directory" in reason
    assert SECRET not in reason and "#error plan" not in reason


def test_names_change_neither_the_terminal_nor_other_results(course: Course) -> None:
    names = ["=cmd|' !A1", "\x1b[2J\x1b]0;x\x07", "..", "ada\n[9", "a\u202eb", "<script>"]
    for number, name in enumerate(names):
        (course.submissions / f"{name}_{number}0_assignsubmission_file_").mkdir()
        (course.submissions / f"ada_LATE_{number}5_7_{name}").write_text("")
    printed = course.grade()
    assert printed.replace("\n", "").isprintable()
    for path in (course.out / "results").iterdir():
        assert path.suffix == ".json"
        json.loads(path.read_text())
    assert len(list((course.out / "results").iterdir())) == 2 * len(names) + 1
    assert sorted(path.name for path in course.out.parent.iterdir()) == ["report", "submissions"]


def test_a_class_is_graded_without_bubblewrap(tmp_path: Path, no_bwrap: None) -> None:
    """Commands come to the folder in which a submission is graded, also as another user."""
    course = Course(tmp_path)
    course.grade("--sandbox", "reduced")
    (record,) = read_records(course.out)
    assert record["results"]["status"] == "does-not-compile", record["results"]["reason"]
