"""write_reports and feedback.zip: all files, whole, under names that no student can choose."""
from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest
from classes import make_class, make_hostile, make_submission
from classroom.record import ClassInfo, Record
from grader.errors import InfraError
from hypothesis import given
from hypothesis import strategies as st
from products import ROOT
from reports import write
from reports.feedback import feedback_name
from reports.texts import file_name
from reports.write import write_reports

CLASS = make_class(30)
FILES = ["results.csv", "results.json", "junit.xml", "index.html", "feedback.zip"]


def make_folder(folder: Path, info: ClassInfo, records: list[Record]) -> Path:
    """Writes what the reports are made from."""
    (folder / "results").mkdir(exist_ok=True)
    (folder / "class.json").write_text(json.dumps(info))
    for record in records:
        path = folder / "results" / f"{record['submission']['id']}.json"
        path.write_text(json.dumps(record))
    return folder


def test_all_reports_are_written(tmp_path: Path) -> None:
    info, records = CLASS
    out = make_folder(tmp_path, info, records)
    assert write_reports(out) == [out / name for name in FILES]
    names = {path.name for path in out.iterdir()}
    assert names == {*FILES, "class.json", "results", "students"}
    with_page = {f"{record['submission']['id']}.html" for record in records
                 if record["results"]["status"] in ("graded", "does-not-compile")}
    assert {path.name for path in (out / "students").iterdir()} == with_page
    with zipfile.ZipFile(out / "feedback.zip") as archive:
        assert len(archive.namelist()) == len(with_page) and archive.testzip() is None


def test_the_same_results_make_the_same_reports(tmp_path: Path) -> None:
    out = make_folder(tmp_path, *CLASS)
    first = {path: path.read_bytes() for path in write_reports(out)}
    assert {path: path.read_bytes() for path in write_reports(out)} == first


def test_a_page_without_a_verdict_is_removed(tmp_path: Path) -> None:
    info, records = make_class(2)
    out = make_folder(tmp_path, info, records)
    write_reports(out)
    records[0]["results"]["status"] = "machine-fault"
    make_folder(tmp_path, info, records)
    write_reports(out)
    assert [path.name for path in (out / "students").iterdir()] == ["1001.html"]


def test_reports_can_be_written_before_anybody_is_graded(tmp_path: Path) -> None:
    out = make_folder(tmp_path, CLASS[0], [])
    assert "waiting" in write_reports(out)[0].read_text(encoding="utf-8-sig")


def test_a_broken_record_counts_as_none(tmp_path: Path) -> None:
    out = make_folder(tmp_path, *CLASS)
    (out / "results/1000.json").write_text("{")
    assert "1000,Edsger" in write_reports(out)[0].read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("identity", ["../x", "a/b", "", ".x", "a\\b", "x" * 200, "a\0", "a\nb"])
def test_an_id_that_is_no_name_is_refused(tmp_path: Path, identity: str) -> None:
    info, _ = make_class(1)
    info["submissions"][0]["id"] = identity
    out = make_folder(tmp_path, info, [])
    with pytest.raises(ValueError, match="no id"):
        write_reports(out)
    assert not (out / "results.csv").exists()


def test_old_reports_stay_if_new_ones_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = make_folder(tmp_path, *CLASS)
    before = {path: path.read_bytes() for path in write_reports(out)}

    def fail(_info: ClassInfo, _records: Sequence[Record]) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "TABLES", {**write.TABLES, "results.json": fail})
    with pytest.raises(InfraError, match="No space left"):
        write_reports(out)
    assert {path: path.read_bytes() for path in before} == before
    assert not [path for path in out.iterdir() if path.name.endswith(".new")]


def test_the_program(tmp_path: Path) -> None:
    out = make_folder(tmp_path, *make_class(3))
    command = [sys.executable, str(ROOT / "tools/reports/write.py"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "3 students" in done.stdout and "index.html" in done.stdout
    done = subprocess.run([*command[:-1], str(out / "none")], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "class.json" in done.stderr


def test_the_grader_alone_does_not_need_jinja2() -> None:
    code = "import sys; sys.path[:0] = ['tools', '.']; import grader.cli; "
    code += "print('jinja2' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "False\n"


# ---- Names in feedback.zip ----


def name_for(original: str) -> str:
    """Returns the name for what was handed in under this name."""
    submission = make_submission(7, random.Random(1))
    submission["original"] = original
    return feedback_name(submission)


@pytest.mark.parametrize("original, name", [
    ("Ada Lovelace_1007_assignsubmission_file_",
     "Ada Lovelace_1007_assignsubmission_file_/feedback.html"),
    ("Łucja Li_1007_assignsubmission_file_/cow.zip",
     "Łucja Li_1007_assignsubmission_file_/feedback.html"),
    ("Ada_Lovelace_1007_assignsubmission_file_cow.zip",
     "Ada_Lovelace_1007_assignsubmission_file_/feedback.html"),
    ("lovelaceada_LATE_1007_88_cow-1.tar.gz", "lovelaceada_LATE_1007_88_feedback.html"),
    ("lovelaceada_1007_88_cow.zip", "lovelaceada_1007_88_feedback.html"),
    ("Eve_1007_assignsubmission_file_x_1008_assignsubmission_file_cow.zip",
     "Eve_1007_assignsubmission_file_/feedback.html"),
    ("x_1008_assignsubmission_file_y_1007_assignsubmission_file_",
     "x_1008_assignsubmission_file_y_1007_assignsubmission_file_/feedback.html"),
    ("evee_1007_11_x_1008_assignsubmission_file_cow.zip", "evee_1007_11_feedback.html"),
    ("evee_1008_11_cow.zip", "students/1007.html"),
    ("submission_123", "students/1007.html"),
    ("", "students/1007.html"),
    ("cow-ada-main.zip", "students/1007.html"),
])
def test_names_are_those_that_the_platform_knows(original: str, name: str) -> None:
    assert name_for(original) == name


@given(st.text() | st.builds(
    "{}{}".format, st.text(st.sampled_from("./\\:ab\0\n~"), max_size=8),
    st.sampled_from(
        ["_1007_assignsubmission_file_", "_1007_8_cow.zip", "_LATE_1007_8_x/../../y"]
    ),
))
def test_no_name_leads_out_of_the_folder(original: str) -> None:
    name = name_for(original)
    path = PurePosixPath(name)
    assert not path.is_absolute() and "\\" not in name and ":" not in name and "\0" not in name
    assert not any(part in (".", "..") or part.startswith(".") for part in path.parts)
    assert len(path.parts) <= 2 and name.endswith(".html") and name.isprintable()


@given(st.text())
def test_file_names_are_safe_everywhere(text: str) -> None:
    name = file_name(text)
    assert name and name == name.strip(" .") and len(name.encode()) <= 200
    assert not set(name) & set('\\/:*?"<>|') and name.isprintable()


def test_devices_are_no_file_names() -> None:
    for name in ("con", "NUL", "Com1", "lpt9.txt", "aux."):
        assert file_name(name).lower().rstrip(".") not in ("con", "nul", "com1", "lpt9.txt", "aux")


def test_two_students_with_one_name_both_get_their_page(tmp_path: Path) -> None:
    info, records = make_hostile("1", "a_1_2_cow.zip")
    out = make_folder(tmp_path, info, records)
    write_reports(out)
    with zipfile.ZipFile(out / "feedback.zip") as archive:
        assert sorted(archive.namelist()) == ["a_1_2_feedback.html", "students/1002.html"]


@pytest.mark.parametrize("raw", ["/etc/passwd", "../../x", "\udcff/\udcfe", "a" * 100000])
def test_hostile_names_change_no_other_file(tmp_path: Path, raw: str) -> None:
    out = tmp_path / "report"
    out.mkdir()
    make_folder(out, *make_hostile("../../x", raw))
    write_reports(out)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    assert {path.name for path in (out / "students").iterdir()} == {"1001.html", "1002.html"}
