"""labs/NAME/lab.ini: what belongs to a submission, and which tests students get."""
from __future__ import annotations

import configparser

from grader.errors import InfraError
from grader.options import choose
from grader.run import Lab
from products import ROOT

PUBLIC = "public"


def read_lab_settings(name: str) -> configparser.ConfigParser:
    """Reads labs/NAME/lab.ini; InfraError if it is missing or cannot be understood."""
    settings = configparser.ConfigParser()
    try:
        if not settings.read(ROOT / "labs" / name / "lab.ini", encoding="utf-8"):
            raise InfraError(f"labs/{name}/lab.ini is missing")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise InfraError(f"labs/{name}/lab.ini cannot be understood: {error}") from None
    return settings


def hidden_tests(settings: configparser.ConfigParser, lab: Lab) -> frozenset[str]:
    """Returns the ids of the tests that students do not get: those which [public] does not name.

    Without that section students get all. InfraError if it names a test that there is not, or none.
    """
    if not settings.has_section(PUBLIC):
        return frozenset()
    words = settings[PUBLIC].get("tests", "").split()
    chosen, unknown = choose(lab.TESTS, words)
    if not words:
        raise InfraError(f"lab.ini, [{PUBLIC}]: `tests` names no test")
    if unknown:
        names = ", ".join(unknown)
        raise InfraError(f"lab.ini, [{PUBLIC}]: no such test: {names} (./grade-cow --list)")
    return frozenset(test.id for test in lab.TESTS if test not in chosen)
