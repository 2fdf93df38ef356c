"""Where each platform puts a submission, and what it says of it."""
from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from platforms.settings import Settings

SEED_BITS = 31
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")


class BadPlace(Exception):
    """The platform has not prepared what the grading needs."""


@dataclass(frozen=True)
class Job:
    """A grading that a platform asks for."""

    submission: Path
    seconds: float  # that the platform allows
    seed: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)  # for the exporter


@dataclass(frozen=True)
class Place:
    """Where a grading runs: the platform's folder, its variables, a folder to work in."""

    root: Path
    variables: Mapping[str, str]
    work: Path


def find_archive(folder: Path) -> Path:
    """Returns the archive that is all there is in a folder, or else the folder."""
    if not folder.is_dir():
        raise BadPlace(f"there is no folder {folder}")
    files = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    if len(files) == 1 and files[0].is_file() and not files[0].is_symlink():
        if files[0].name.lower().endswith(ARCHIVES):
            return files[0]
    return folder


# ---- Gradescope ----


def find_gradescope(place: Place, settings: Settings) -> Job:
    """Finds the submission below /autograder; its number is the seed."""
    try:
        text = (place.root / "submission_metadata.json").read_text(encoding="utf-8")
        metadata = json.loads(text)
        seed = int(metadata["id"]) % (1 << SEED_BITS)
    except (OSError, ValueError, KeyError, TypeError):
        metadata, seed = {}, None
    facts = {"late": lateness(metadata)}
    return Job(find_archive(place.root / "submission"), settings.seconds, seed, facts)


def lateness(metadata: Any) -> str:
    """Says how long after the due date a submission came, "" if it is not late."""
    try:
        due = datetime.fromisoformat(metadata["assignment"]["due_date"])
        late = datetime.fromisoformat(metadata["created_at"]) - due
    except (ValueError, KeyError, TypeError):
        return ""
    if late <= timedelta(0):
        return ""
    hours, minutes = divmod(-(-int(late.total_seconds()) // 60), 60)
    return f"Handed in {hours} h {minutes:02} min after the due date."


# ---- GitHub ----


def find_classroom50(place: Place, settings: Settings) -> Job:
    """Finds the submission in the current folder, and who it belongs to in the variables that
    Classroom 50's runner sets."""
    variables = place.variables
    try:
        facts = {
            "classroom": variables["CLASSROOM"], "assignment": variables["ASSIGNMENT"],
            "submission": variables["SUBMISSION_TAG"], "commit": variables["COMMIT_URL"],
            "release": variables["RELEASE_URL"],
            "owner": variables.get("OWNER") or variables["USERNAME"],
        }
    except KeyError as missing:
        raise BadPlace(f"Classroom 50 has not set {missing}") from None
    facts["assignment_type"] = variables.get("ASSIGNMENT_TYPE") or "individual"
    facts["review"] = variables.get("REVIEW_URL") or facts["commit"]
    facts["datetime"] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Job(place.root, settings.seconds, seed_of_commit(variables), facts)


def find_github(place: Place, settings: Settings) -> Job:
    """Finds the submission in the current folder; the commit is the seed."""
    return Job(place.root, settings.seconds, seed_of_commit(place.variables))


def seed_of_commit(variables: Mapping[str, str]) -> int | None:
    """Returns a number that is always the same for the commit; None if it is not known."""
    try:
        return int(variables["GITHUB_SHA"], 16) % (1 << SEED_BITS)
    except (KeyError, ValueError):
        return None


# ---- Others ----


def find_autolab(place: Place, settings: Settings) -> Job:
    """Finds the file that was handed in."""
    try:
        return Job(place.root / settings.own["handin"], settings.seconds)
    except KeyError as missing:
        raise BadPlace(f"platforms.ini does not set {missing}") from None


def find_prairielearn(place: Place, settings: Settings) -> Job:
    """Finds the submission below /grade."""
    return Job(find_archive(place.root / "student"), settings.seconds)


def find_vpl(place: Place, settings: Settings) -> Job:
    """Collects the files that VPL says are the student's from among its own."""
    variables, folder = place.variables, place.work / "submission"
    names = variables.get("VPL_SUBFILES", "").split("\n")
    copy_files(place.root, [name for name in names if name], folder)
    try:
        allowed = float(variables.get("VPL_MAXTIME") or settings.seconds)
    except ValueError:
        allowed = settings.seconds
    facts = {
        "grade_min": variables.get("VPL_GRADEMIN", ""),
        "grade_max": variables.get("VPL_GRADEMAX", ""),
    }
    return Job(find_archive(folder), min(allowed, settings.seconds), facts=facts)


def copy_files(root: Path, names: list[str], to: Path) -> None:
    """Copies those of the named files that are regular files below the root."""
    to.mkdir(parents=True)
    for name in names:
        source = root / name
        inside = source.resolve().is_relative_to(root.resolve())
        if inside and ".." not in Path(name).parts and source.is_file():
            target = to / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
