"""Chooses the attempt of each student that is graded."""
from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from classroom.finder import HandedIn
from classroom.record import Submission
from classroom.repositories import repository_in
from classroom.times import from_seconds, iso, late_days, with_zone
from grader.display import display, display_name

ID_LENGTH, ID_BYTES, DIGEST_LENGTH = 60, 180, 8  # of an id without, and of its digest
NEVER = datetime.min.replace(tzinfo=timezone.utc)
SEEDS = 1 << 31


@dataclass(frozen=True)
class Rules:
    """Which attempt counts: the latest before the deadline, or up to so many days after it. If
    nothing else tells when something was handed in, the file's time does, if that is wanted."""

    deadline: datetime | None = None
    grace_days: int = 0
    file_times: bool = False

    @property
    def limit(self) -> datetime | None:
        """The last moment at which what is handed in is preferred to what was there before."""
        return self.deadline + timedelta(days=self.grace_days) if self.deadline else None


def select(attempts: Sequence[HandedIn], rules: Rules, seed: int) -> list[Submission]:
    """Returns what is graded of each student, in the order of their ids."""
    students: dict[str, list[HandedIn]] = {}
    for attempt in attempts:
        students.setdefault(attempt.login, []).append(attempt)
    ids = make_ids(students)
    chosen = [
        _submission(ids[login], choose(found, rules), count_usable(found), rules, seed)
        for login, found in students.items()
    ]
    return sorted(chosen, key=lambda submission: submission["id"])


def count_usable(attempts: Iterable[HandedIn]) -> int:
    """Returns how many of the attempts can be graded."""
    return sum(bool(attempt.source) for attempt in attempts)


def choose(attempts: Iterable[HandedIn], rules: Rules) -> HandedIn:
    """Returns the attempt that counts: the latest that is not too late, else the first that is.
    What can be graded comes before what cannot."""
    dated = [replace(attempt, submitted=_time(attempt, rules)) for attempt in attempts]
    usable = [attempt for attempt in dated if attempt.source] or dated
    usable.sort(key=lambda attempt: (attempt.submitted or NEVER, attempt.number))
    limit = rules.limit
    if limit is None:
        return usable[-1]
    in_time = [each for each in usable if each.submitted is None or each.submitted <= limit]
    return in_time[-1] if in_time else usable[0]


def _time(attempt: HandedIn, rules: Rules) -> datetime | None:
    """Returns when something was handed in, as far as that is known."""
    if attempt.submitted is not None:
        return with_zone(attempt.submitted)
    if rules.file_times and os.path.exists(attempt.source) and not repository_in(attempt.source):
        return from_seconds(os.stat(attempt.source).st_mtime)
    return None


def _submission(
    identity: str, attempt: HandedIn, attempts: int, rules: Rules, seed: int
) -> Submission:
    """Returns what is written down of a student."""
    late = 0
    if rules.deadline is not None and attempt.submitted is not None:
        late = late_days(attempt.submitted, rules.deadline)
    elif attempt.is_late:
        late = 1  # at least: the platform does not tell how many
    return {
        "id": identity, "name": display_name(attempt.name), "login": display_name(attempt.login),
        "section": display_name(attempt.section), "source": attempt.source,
        "original": attempt.original, "submitted": iso(attempt.submitted), "late_days": late,
        "attempts": attempts, "problem": attempt.problem,
        "seed": attempt.seed if attempt.seed is not None else student_seed(seed, identity),
    }


def student_seed(seed: int, identity: str) -> int:
    """Returns a student's own seed, the same whenever the class is graded with this seed."""
    digest = hashlib.sha256(f"{seed} {identity}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SEEDS


def make_ids(logins: Iterable[str]) -> dict[str, str]:
    """Returns for each login an id that is safe as the name of a file, and unlike all others
    whatever the case."""
    ids: dict[str, str] = {}
    taken: set[str] = set()
    for login in logins:
        identity = _plain(login)
        if identity != login or identity.casefold() in taken:
            identity += f"-{_digest(login)}"
        while identity.casefold() in taken:  # somebody is really called so
            identity = f"{identity[:-DIGEST_LENGTH]}{_digest(identity)}"
        ids[login] = identity
        taken.add(identity.casefold())
    return ids


def _digest(text: str) -> str:
    """Returns a few letters that hardly any other text has."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:DIGEST_LENGTH]


def _plain(login: str) -> str:
    """Returns the login with nothing but letters that can be seen, digits and a few signs."""
    letters = unicodedata.normalize("NFC", login)[:ID_LENGTH]
    seen = "".join(letter if display(letter) == letter else "_" for letter in letters)
    text = re.sub(r"[^\w.+@-]", "_", seen).encode()[:ID_BYTES].decode(errors="ignore")
    return text.lstrip(".-") or "student"
