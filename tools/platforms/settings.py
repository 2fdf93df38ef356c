"""The settings of the platforms: labs/cow/platforms.ini."""
from __future__ import annotations

import configparser
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.results import TestResult
from products import ROOT

FILE = ROOT / "labs/cow/platforms.ini"
VISIBLE = "visible"
VISIBILITIES = (VISIBLE, "after_due_date", "after_published", "hidden")
EVERY_TEST, STDOUT = "tests", "stdout"
SANDBOXES = ("full", "reduced", "none")
SECONDS_MIN = 60.0


class BadSettings(ValueError):
    """What is wrong with the settings."""


@dataclass(frozen=True)
class Settings:
    """The settings for one platform."""

    visibility: Mapping[str, str]  # of all tests, of parts, of tests, of the grader's output
    jobs: int
    sandbox: str
    options: tuple[str, ...]
    seconds: float
    own: Mapping[str, str]  # further ones that only this platform has

    def visibility_of(self, test: TestResult) -> str:
        """Returns when a student sees a test."""
        for name in (test["id"], test["part"], EVERY_TEST):
            if name in self.visibility:
                return self.visibility[name]
        return VISIBLE

    def shows_card(self, test: TestResult) -> bool:
        """Tells whether a platform that knows no dates shows why a test failed."""
        return self.visibility_of(test) == VISIBLE


def read_settings(platform: str, path: Path = FILE) -> Settings:
    """Reads the settings for a platform; BadSettings if something is wrong with them."""
    parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment]
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        visibility, grading, own = (parser[name] for name in ("visibility", "grading", platform))
        settings = Settings(
            dict(visibility), grading.getint("jobs", 1), grading["sandbox"],
            tuple(shlex.split(grading["options"])), own.getfloat("seconds", 0.0), dict(own),
        )
    except (OSError, KeyError, ValueError, configparser.Error) as error:
        raise BadSettings(f"{path.name}: {error}") from None
    for name, word in settings.visibility.items():
        if word not in VISIBILITIES:
            raise BadSettings(f"{path.name}: {name} = {word}: say {', '.join(VISIBILITIES)}")
    if settings.sandbox not in SANDBOXES:
        raise BadSettings(f"{path.name}: sandbox = {settings.sandbox}: say {', '.join(SANDBOXES)}")
    if settings.jobs < 1 or settings.seconds < SECONDS_MIN:
        raise BadSettings(f"{path.name}: jobs must be 1 or more, seconds {SECONDS_MIN:g} or more")
    return settings


def check_names(settings: Settings, names: Collection[str]) -> None:
    """Raises BadSettings if a test or a part that the settings name does not exist."""
    unknown = settings.visibility.keys() - {*names, EVERY_TEST, STDOUT}
    if unknown:
        raise BadSettings(f"{FILE.name}: there is no part or test {', '.join(sorted(unknown))}")
