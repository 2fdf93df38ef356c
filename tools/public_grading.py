"""The part of the grader that students get: labs/cow/grading without the hidden tests.

labs/cow/lab.ini ([public]) says which tests students get. The others are cut from the catalogue,
and with them whatever only they need: their functions, helpers, modules, and rules for likely
causes that no public test can meet. What remains is the grader's own text, so its cards are the
same to the letter. The probe stays whole, because its size shows in the addresses on cards.
"""
from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping

from grader.lab_settings import hidden_tests, read_lab_settings
from grader.run import load_lab
from products import ROOT
from prune import (
    EVERYTHING, Root, Sources, defined_names, list_elements, prune, without_elements,
)

LAB = "labs/cow"
GRADING = f"{LAB}/grading"
SETTINGS = f"{LAB}/lab.ini"
PACKAGE = GRADING.replace("/", ".")
NO_TESTS = "HIDDEN: dict[str, int] = {}\n"  # in the catalogue
PLACEHOLDER = "a_hidden_test"  # in rules that leave the cause to simpler tests
COWTEST = "user/tests/"
PUBLIC_SECTION = re.compile(r"\n\[public\]\n(?:(?!\[).*\n)*")


def hidden_points() -> dict[str, dict[str, int]]:
    """Returns the hidden tests with their points, by part; InfraError if lab.ini is wrong."""
    lab = load_lab(ROOT / LAB)
    hidden = hidden_tests(read_lab_settings("cow"), lab)
    points: dict[str, dict[str, int]] = {}
    for test in lab.TESTS:
        if test.id in hidden:
            points.setdefault(test.part, {})[test.id] = test.points
    return points


def public_files(texts: Mapping[str, str], points: Mapping[str, Mapping[str, int]]) -> Sources:
    """Returns what students get of lab.ini and of the grader's modules, given their texts by their
    paths, and the points of hidden tests by part."""
    sources = {module_name(path): text for path, text in texts.items() if is_module(path)}
    hidden = [name for tests in points.values() for name in tests]
    sources = public_modules(sources, hidden)
    worth = {part: sum(tests.values()) for part, tests in points.items()}
    catalogue = sources["catalogue"]
    assert NO_TESTS in catalogue
    sources["catalogue"] = catalogue.replace(NO_TESTS, NO_TESTS.replace("{}", json.dumps(worth)))
    settings = PUBLIC_SECTION.sub("", texts[SETTINGS])
    return {SETTINGS: settings, **{f"{GRADING}/{name}.py": sources[name] for name in sources}}


def is_module(path: str) -> bool:
    """Tells whether the path is that of a module of the lab's grader."""
    return re.fullmatch(rf"{GRADING}/\w+\.py", path) is not None


def module_name(path: str) -> str:
    """Returns the name of the module of that path."""
    return path[len(GRADING) + 1:-len(".py")]


# ---- Modules ----


def public_modules(sources: Sources, hidden: Iterable[str]) -> Sources:
    """Returns the modules without hidden tests and what only these need."""
    names = set(hidden)
    sources = dict(sources)
    sources["catalogue"] = without_elements(
        sources["catalogue"], "TESTS", lambda call: first_word(call) in names
    )
    public = test_ids(sources["catalogue"])
    roots = public_roots(sources, public)
    sources = prune(sources, PACKAGE, roots)
    sources = prune(without_idle_rules(sources, public), PACKAGE, roots)
    if not names:
        return sources
    pattern = re.compile(rf"\b(?:{'|'.join(sorted(names))})\b")
    return {name: pattern.sub(PLACEHOLDER, text) for name, text in sources.items()}


def first_word(call: ast.Call) -> str:
    """Returns a call's first argument if that is a text, else ""."""
    first = call.args[0] if call.args else None
    return str(first.value) if isinstance(first, ast.Constant) else ""


def test_ids(catalogue: str) -> list[str]:
    """Returns the ids of the tests in a catalogue."""
    return [first_word(call) for call in list_elements(catalogue, "TESTS")]


def public_roots(sources: Sources, public: Iterable[str]) -> list[Root]:
    """Returns what must be kept: the lab itself, and the functions of public tests."""
    functions = {
        (name, found.name)
        for name, text in sources.items() if name.startswith("tests_")
        for found in ast.parse(text).body if isinstance(found, ast.FunctionDef)
    }
    wanted = set(public)
    return [("lab", EVERYTHING), *sorted(root for root in functions if root[1] in wanted)]


# ---- Rules for likely causes ----


def without_idle_rules(sources: Sources, public: Iterable[str]) -> Sources:
    """Returns the modules without the rules that fit no failure of a public test."""
    met, tests = possible_invariants(sources), list(public)

    def is_idle(rule: ast.Call) -> bool:
        invariant, wanted = first_word(rule), wanted_test(rule)
        is_met = not invariant or invariant in met
        return not is_met or not any(re.fullmatch(wanted, test) for test in tests)

    return {
        name: without_elements(text, "RULES", is_idle) if name.startswith("rules_") else text
        for name, text in sources.items()
    }


def possible_invariants(sources: Sources) -> set[str]:
    """Returns the words in the modules that check something: the invariants that a failure may name
    are among them."""
    return {
        node.value
        for name, text in sources.items() if not name.startswith("rule")
        for statement in ast.parse(text).body if "INVARIANTS" not in defined_names(statement)
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def wanted_test(rule: ast.Call) -> str:
    """Returns the pattern for the sign `test` that a rule asks for, by default any."""
    for node in ast.walk(rule):
        for key, value in zip(node.keys, node.values) if isinstance(node, ast.Dict) else ():
            if isinstance(key, ast.Constant) and key.value == "test":
                return str(value.value) if isinstance(value, ast.Constant) else ".*"
    return ".*"


# ---- Names that must not be given away ----


def named_tests(texts: Mapping[str, str], hidden: Iterable[str]) -> list[str]:
    """Returns a message for each file of a student's tree that names a hidden test.

    cowtest, which students have, has some tests of the same names; those names may be in all files
    but the grader's.
    """
    cowtest = "\n".join(text for path, text in texts.items() if path.startswith(COWTEST))
    found = []
    for name in hidden:
        word = re.compile(rf"\b{name}\b")
        is_known = word.search(cowtest) is not None
        found += [
            f"{path}: names the hidden test {name}"
            for path, text in texts.items()
            if word.search(f"{path}\n{text}") and (path.startswith(GRADING) or not is_known)
        ]
    return found
