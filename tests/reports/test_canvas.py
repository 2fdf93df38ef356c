"""Canvas: scores come into the right cells, and all other bytes stay what they were."""
from __future__ import annotations

import csv
import io

import pytest
from classes import make_class, make_record
from classroom.record import ClassInfo, Record
from hypothesis import given
from hypothesis import strategies as st
from reports.canvas import BadGradebook, fill_gradebook, name_forms
from reports.gradebook import BOM, Gradebook

HEAD = "Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (501),COW (502),Final Score"
POSSIBLE = '"    Points Possible",,,,,10.00,100.00,(read only)'


def table(*rows: str, end: str = "\r\n", head: str = HEAD, possible: str = POSSIBLE) -> bytes:
    """Returns a gradebook as Canvas writes it."""
    return BOM + end.join([head, possible, *rows, ""]).encode()


def someone(
    identity: str, name: str = "", score: int = 67, status: str = "graded"
) -> tuple[str, str, int, str]:
    """Returns a student for class_of."""
    return identity, name, score, status


def class_of(*students: tuple[str, str, int, str]) -> tuple[ClassInfo, list[Record]]:
    """Returns a class with these students."""
    info, old = make_class(len(students))
    records = []
    for record, (identity, name, score, status) in zip(old, students):
        submission = record["submission"]
        submission["id"] = submission["login"] = identity
        submission["name"] = name
        results = record["results"]
        results["score"], results["status"] = score, status
        records.append(make_record(submission, results))
    return info, records


def row_of(data: bytes, identity: str) -> list[str]:
    """Returns the cells of the row with this ID."""
    rows = csv.reader(io.StringIO(data.decode("utf-8-sig", "surrogateescape"), newline=""))
    return next(row for row in rows if row[1] == identity)


def test_only_the_cells_of_the_column_change() -> None:
    book = table(
        '"Doe, Jane",11,s11,jdoe,"Section ""A""\r\nMondays",9.00,,55', "Roe,12,s12,rroe,B,8,1.5,44",
        '"Student, Test",13,,,B,,,0',
    )
    filled, notes = fill_gradebook(book, "COW", *class_of(someone("11"), someone("12", score=100)))
    assert notes == []
    assert filled == book.replace(b"9.00,,55", b"9.00,67,55").replace(b"8,1.5,44", b"8,100,44")


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("bom", [BOM, b""])
def test_byte_order_mark_and_line_ends_stay(end: str, bom: bytes) -> None:
    book = table("Doe,11,,,A,9,5,55", end=end).replace(BOM, bom)
    filled, _ = fill_gradebook(book, "502", *class_of(someone("11")))
    assert filled == book.replace(b"9,5,55", b"9,67,55")


@pytest.mark.parametrize("status", ["machine-fault", "running"])
def test_nobody_loses_a_grade_to_a_fault_of_the_machine(status: str) -> None:
    book = table("Doe,11,,,A,9,88,55")
    assert fill_gradebook(book, "COW", *class_of(someone("11", status=status)))[0] == book


def test_nobody_loses_a_grade_because_nothing_was_handed_in() -> None:
    book = table("Doe,11,,,A,9,88,55", "Roe,12,,,A,9,77,55")
    info, records = class_of(someone("11"), someone("12"))
    records[0]["submission"]["source"] = ""
    records[0]["submission"]["problem"] = "nothing was handed in"
    filled, _ = fill_gradebook(book, "COW", info, records[:1])  # the other has no record yet
    assert filled == book


def test_refused_work_has_no_points() -> None:
    book = table("Doe,11,,,A,9,,55")
    students = class_of(someone("11", status="does-not-compile"))
    assert row_of(fill_gradebook(book, "COW", *students)[0], "11")[6] == "0"


# ---- Which row ----


def test_the_id_is_believed_before_the_logins_and_these_before_the_name() -> None:
    book = table(
        "Doe,7,x,y,A,,,", "Roe,8,7,y8,A,,,", "Poe,9,u9,ada@uni.example,A,,,", "Moe,10,m10,l,A,,,"
    )
    filled, notes = fill_gradebook(book, "COW", *class_of(
        someone("7", score=1), someone("ADA@uni.example", score=2), someone("m10", score=3)
    ))
    scores = [row_of(filled, identity)[6] for identity in ("7", "8", "9", "10")]
    assert scores == ["1", "", "2", "3"]
    assert notes == ["only in the gradebook: Roe"]


def test_a_name_decides_only_if_nobody_else_has_it() -> None:
    book = table('"Doe, Jane",7,,,A,,,', '"Müller, Ute",8,,,A,,,', '"Müller, Ute",9,,,B,,,')
    students = class_of(
        someone("a", "doejane", 1), someone("b", "Ute Müller", 2), someone("c", "Ada Li", 3)
    )
    filled, notes = fill_gradebook(book, "COW", *students)
    assert row_of(filled, "7")[6] == "1"
    assert row_of(filled, "8")[6] == row_of(filled, "9")[6] == ""
    assert len(notes) == 4 and notes.count("only in the gradebook: Müller, Ute") == 2
    students = class_of(someone("a", "Jane Doe"), someone("b", "Jane Doe"))
    assert fill_gradebook(book, "COW", *students)[0] == book


def test_a_namesake_takes_no_row_from_whoever_has_its_number() -> None:
    book = table('"Doe, Jane",7,,,A,,,')
    filled, notes = fill_gradebook(
        book, "COW", *class_of(someone("7", "Jane Doe", 1), someone("b", "Jane Doe", 2))
    )
    assert row_of(filled, "7")[6] == "1" and notes == ["not in the gradebook: b (Jane Doe)"]


def test_a_number_that_belongs_to_another_person_is_not_believed() -> None:
    """Platforms count for themselves."""
    book = table('"Doe, Jane",7,,,A,,,')
    filled, notes = fill_gradebook(book, "COW", *class_of(someone("7", "Søren Li")))
    assert filled == book
    assert notes == ["not filled in: 7 (Søren Li) has the number or login of Doe, Jane"]


def test_two_students_cannot_have_one_row() -> None:
    book = table("Doe,7,u7,,A,,,")
    filled, notes = fill_gradebook(book, "COW", *class_of(someone("7"), someone("u7")))
    assert filled == book
    assert [note.partition(":")[0] for note in notes] == ["not filled in"] * 2


def test_whoever_is_missing_on_either_side_is_told() -> None:
    book = table("Doe,7,,,A,,,", '"Student, Test",13,,,B,,,0', ",,,,,Manual Posting,,")
    _, notes = fill_gradebook(book, "COW", *class_of(someone("8", "Li")))
    assert notes == ["not in the gradebook: 8 (Li)", "only in the gradebook: Doe"]


def test_names() -> None:
    assert name_forms("Doe, Jane Ann") & name_forms("Jane Ann Doe")
    assert name_forms("Doe, Jane Ann") & name_forms("doejaneann")
    assert not name_forms("Doe, Jane") & name_forms("Doe, John")
    assert name_forms("") == set()


# ---- Which column, and how many points ----


def test_the_column_is_named_or_the_only_one() -> None:
    book, students = table("Doe,7,,,A,,,"), class_of(someone("7"))
    for column in ("COW (502)", "COW", "502"):
        assert row_of(fill_gradebook(book, column, *students)[0], "7")[6] == "67"
    single = table("Doe,7,,,A,", head="Student,ID,SIS User ID,SIS Login ID,Section,COW (502)",
                   possible="Points Possible,,,,,100")
    assert row_of(fill_gradebook(single, None, *students)[0], "7")[5] == "67"
    wrong: list[str | None] = [None, "COW (50", "Section", "ID", ""]
    for choice in wrong:
        with pytest.raises(BadGradebook, match=r"Lab 1 \(501\), COW \(502\)"):
            fill_gradebook(book, choice, *students)


def test_points_are_scaled_to_those_of_the_column() -> None:
    book, students = table("Doe,7,,,A,,,"), class_of(someone("7"))
    filled, notes = fill_gradebook(book, "Lab 1", *students)
    assert row_of(filled, "7")[5] == "6.7"
    assert notes == ["the column has 10.00 points, the tests 100: all scores are scaled"]


def test_semicolons_and_decimal_commas() -> None:
    head = HEAD.replace(",", ";")
    book = table('"Doe, Jane";7;;;A;;;', head=head, possible="Points Possible;;;;;10,00;100,00;")
    filled, _ = fill_gradebook(book, "Lab 1", *class_of(someone("7")))
    assert filled == book.replace(b";A;;;", b";A;6,7;;")


@pytest.mark.parametrize("data", [b"", b"a,b\r\n1,2\r\n", b"\x00\xff", b'"', BOM])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(BadGradebook, match="Student and ID"):
        fill_gradebook(data, None, *class_of(someone("7")))


def test_a_row_that_is_too_short_is_told() -> None:
    book = table("Doe,7")
    filled, notes = fill_gradebook(book, "COW", *class_of(someone("7")))
    assert filled == book and notes == ["the row of Doe is too short"]


# ---- The format ----

TEXTS = st.text(st.sampled_from('ab,;"\r\n \u00e9='), max_size=6)


ROWS = st.lists(st.lists(TEXTS, min_size=2, max_size=4), min_size=1)


@given(ROWS, st.sampled_from(["\r\n", "\n"]))
def test_cells_are_read_as_other_programs_write_them(rows: list[list[str]], end: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(
        [["Student", "ID"], *rows]
    )
    book = Gradebook(stream.getvalue().encode())
    assert [[cell.text for cell in row] for row in book.rows[1:]] == rows
    assert book.with_cells({}) == book.data
    cell = book.rows[-1][-1]
    assert book.with_cells({cell: "5"}) == book.data[:cell.start] + b"5" + book.data[cell.end:]


@given(st.binary())
def test_any_bytes_are_kept(data: bytes) -> None:
    assert Gradebook(data).with_cells({}) == data
    head = table("Doe,11,,,A,9,,55")
    try:
        filled, _ = fill_gradebook(head + data, "COW", *class_of(someone("11")))
    except BadGradebook:
        return
    assert filled in (head + data, head.replace(b"9,,55", b"9,67,55") + data)
