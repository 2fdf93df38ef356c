"""Which attempt counts, and what each student is called."""
from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from classroom.finder import HandedIn
from classroom.selection import (
    DIGEST_LENGTH, ID_BYTES, ID_LENGTH, Rules, choose, make_ids, select, student_seed
)
from classroom.times import late_days, parse_time
from grader.display import display
from hypothesis import given
from hypothesis import strategies as st

DEADLINE = datetime(2026, 11, 29, 23, 59, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def attempt(hours: float | None, source: str = "", number: int = 0) -> HandedIn:
    """Returns an attempt so many hours after the deadline."""
    submitted = None if hours is None else DEADLINE + hours * HOUR
    return HandedIn("ada", source=source or f"{hours}", submitted=submitted, number=number)


def chosen(hours: list[float | None], rules: Rules) -> str:
    """Returns which of the attempts is chosen."""
    return choose([attempt(each) for each in hours], rules).source


@pytest.mark.parametrize("hours, grace, expected", [
    ([-30, -2, 3], 0, "-2"),
    ([3, -2, -30], 0, "-2"),
    ([-2, 3, 30], 1, "3"),
    ([-2, 0], 0, "0"),
    ([3, 30, 60], 0, "3"),
    ([None, 3], 0, "None"),
    ([None, -3], 0, "-3"),
])
def test_the_latest_attempt_that_is_in_time_counts(
    hours: list[float | None], grace: int, expected: str
) -> None:
    assert chosen(hours, Rules(DEADLINE, grace)) == expected


def test_without_a_deadline_the_latest_counts() -> None:
    assert chosen([3, 30, -2], Rules()) == "30"


def test_of_files_without_times_the_last_number_counts() -> None:
    attempts = [attempt(None, "a", 12), attempt(None, "b", 9)]
    assert choose(attempts, Rules(DEADLINE)).source == "a"


def test_what_can_be_graded_comes_first() -> None:
    picture = replace(attempt(-1), source="", problem="a picture is no archive")
    assert choose([attempt(-5), picture], Rules(DEADLINE)).source == "-5"
    assert choose([picture], Rules(DEADLINE)).problem


def test_times_of_files_count_if_that_is_wanted(tmp_path: Path) -> None:
    places = []
    for name, hours in (("old.zip", -1.0), ("new.zip", 1.0)):
        path = tmp_path / name
        path.write_text("")
        seconds = (DEADLINE + hours * HOUR).timestamp()
        os.utime(path, (seconds, seconds))
        places.append(str(path))
    attempts = [HandedIn("ada", source=place, number=n) for n, place in enumerate(places)]
    assert choose(attempts, Rules(DEADLINE, file_times=True)).source == places[0]
    assert choose(attempts, Rules(DEADLINE)).source == places[1]


def test_the_time_of_a_checkout_is_that_of_its_commits(tmp_path: Path) -> None:
    (tmp_path / "ada/.git").mkdir(parents=True)
    attempts = [HandedIn("ada", source=str(tmp_path / "ada"))]
    assert choose(attempts, Rules(DEADLINE, file_times=True)).submitted is None


def test_days_that_have_begun_are_late() -> None:
    for hours, days in ((-1, 0), (0, 0), (0.1, 1), (24, 1), (24.1, 2)):
        assert late_days(DEADLINE + hours * HOUR, DEADLINE) == days


def test_a_platform_that_only_says_late() -> None:
    late = HandedIn("ada", source="x", is_late=True)
    assert select([late], Rules(DEADLINE), 1)[0]["late_days"] == 1


@pytest.mark.parametrize("text, utc", [
    ("2026-11-29T18:00+09:00", "2026-11-29T09:00:00"), ("2026-11-29T18:00Z", "2026-11-29T18:00:00"),
    ("2026-11-29 18:00:01 UTC", "2026-11-29T18:00:01"),
    ("2026-11-29 18:00:01.123456789 Z", "2026-11-29T18:00:01.123456"),
    ("2026-11-29 18:00:01 +0900", "2026-11-29T09:00:01"),
])
def test_times_are_read(text: str, utc: str) -> None:
    assert parse_time(text) == datetime.fromisoformat(utc + "+00:00")


def test_a_date_alone_is_the_end_of_the_day_here() -> None:
    assert parse_time("2026-11-29") == datetime(2026, 11, 29, 23, 59, 59).astimezone()


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "29.11.2026", "2026-11-29T25:00"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


# ---- Ids ----


def test_plain_logins_are_their_own_ids() -> None:
    logins = ["ada", "12345", "김철수", "eve@example.org", "a.b-c_d+e"]
    assert make_ids(logins) == {login: login for login in logins}


def test_logins_that_differ_in_case_only_get_different_files() -> None:
    ids = make_ids(["Ada", "ada", "ADA"])
    assert len({identity.casefold() for identity in ids.values()}) == 3


@given(st.lists(st.text(st.characters(), max_size=200), unique=True, max_size=8))
def test_ids_are_safe_and_unique(logins: list[str]) -> None:
    ids = list(make_ids(logins).values())
    assert len({identity.casefold() for identity in ids}) == len(logins)
    for identity in ids:
        assert identity and len(identity) <= ID_LENGTH + 9
        assert not set(identity) & set("/\\\0 \n=<>&'\"|:*?")
        assert identity[0] not in ".-"
        assert identity.isprintable()


def test_surrogates_and_spaces_are_replaced() -> None:
    identity = make_ids(["k\udcffm x/../y"])["k\udcffm x/../y"]
    assert identity.startswith("k_m_x_.._y-")
    identity.encode()


def test_a_students_seed_depends_on_class_and_student_alone() -> None:
    seeds = {student_seed(seed, name) for seed in range(9) for name in ("ada", "bob")}
    assert len(seeds) == 18
    assert student_seed(5, "ada") == student_seed(5, "ada")


def test_each_student_is_graded_once_in_the_order_of_ids() -> None:
    attempts = [HandedIn(login, source=f"{login}{n}", number=n) for n in (1, 2) for login in "cab"]
    found = select(attempts, Rules(), 1)
    assert [each["source"] for each in found] == ["a2", "b2", "c2"]
    assert [each["attempts"] for each in found] == [2, 2, 2]


def test_nobody_can_have_the_id_of_another() -> None:
    (identity,) = make_ids(["Kim Lee"]).values()
    ids = list(make_ids([identity, "Kim Lee"]).values())
    assert ids[0] != ids[1]


def test_ids_have_no_letters_that_cannot_be_seen() -> None:
    ids = make_ids(["ada", "ada\u3164", "\u115fada"]).values()
    assert [display(identity) for identity in ids] == list(ids)


def test_ids_leave_room_for_what_follows_them_in_the_names_of_files() -> None:
    """A letter may take four bytes, and a file's name has 255."""
    assert len(make_ids(["\U00020000" * 62]).popitem()[1].encode()) <= ID_BYTES + 1 + DIGEST_LENGTH
