"""junit.xml: a test suite for each student, for programs that read JUnit's reports."""
from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from classroom.record import ClassInfo, Record
from grader.errors import GRADED
from grader.results import TestResult
from reports.students import MISSING, REFUSED, Student, make_students
from reports.texts import one_line, xml_text

Element = ElementTree.Element
GRADING = "grading"  # the case that says why a submission is not graded


def junit_xml(info: ClassInfo, records: Sequence[Record]) -> bytes:
    """Returns the report. A lost test is a failure; that a submission is not graded is an error,
    except if nothing was handed in."""
    root = Element("testsuites", name=xml_text(info["title"]))
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for student in make_students(info, records):
        suite = _suite(info, student)
        root.append(suite)
        for name in totals:
            totals[name] += int(suite.get(name, "0"))
    for name, number in totals.items():
        root.set(name, str(number))
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "utf-8") + b"\n"


def _suite(info: ClassInfo, student: Student) -> Element:
    """Returns the suite of a student."""
    suite = Element("testsuite", name=xml_text(student.id))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(info, student).items():
        ElementTree.SubElement(properties, "property", name=name, value=xml_text(value))
    if student.status == GRADED:
        cases = [_case(test) for test in student.tests]
    else:
        cases = [_not_graded(student)]
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{student.cpu_seconds:.2f}")
    if student.record:
        suite.set("timestamp", xml_text(student.record["finished"]))
    return suite


def _properties(info: ClassInfo, student: Student) -> dict[str, str]:
    """Returns what else is known of a student."""
    score = "" if student.score is None else str(student.score)
    return {
        "name": student.name, "login": student.login, "section": student.section,
        "status": student.status, "score": score, "max_score": str(info["max_score"]),
        "late_days": str(student.submission["late_days"]),
        "seed": str(student.submission["seed"]),
    }


def _case(test: TestResult) -> Element:
    """Returns a test."""
    case = Element("testcase", name=xml_text(test["id"]))
    case.set("classname", xml_text(f"part {test['part']}"))
    case.set("time", f"{test['cpu_seconds']:.2f}")
    if test["status"] == "not run":
        ElementTree.SubElement(case, "skipped", message="it has not run")
    elif test["status"] == "failed":
        seen = dict(test["card"]).get("seen", "it failed")
        failure = ElementTree.SubElement(case, "failure", message=one_line(seen), type="lost")
        failure.text = xml_text(test["output"])
    return case


def _not_graded(student: Student) -> Element:
    """Returns the only test of a submission that is not graded."""
    case = Element("testcase", name=GRADING, classname=GRADING, time="0.00")
    reason = student.reason or student.words
    if student.status == MISSING:
        ElementTree.SubElement(case, "skipped", message=one_line(reason))
    else:
        kind = "refused" if student.status in REFUSED else "machine"
        error = ElementTree.SubElement(case, "error", message=one_line(reason), type=kind)
        error.text = xml_text(reason)
    return case
