"""junit.xml: what programs that read it expect (junit.xsd), and the same numbers as everywhere."""
from __future__ import annotations

import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from classes import make_class, make_hostile
from command import run
from hypothesis import given
from hypothesis import strategies as st
from reports.junit import junit_xml
from reports.overview import make_overview

SCHEMA = Path(__file__).with_name("junit.xsd")
CLASS = make_class(60)
needs_xmllint = pytest.mark.skipif(shutil.which("xmllint") is None, reason="needs xmllint")


def check_schema(folder: Path, data: bytes) -> None:
    """The file follows the schema."""
    file = folder / "junit.xml"
    file.write_bytes(data)
    done = run(["xmllint", "--nonet", "--noout", "--schema", SCHEMA, file])
    assert done.succeeded, done.output


@needs_xmllint
def test_report_follows_the_schema(tmp_path: Path) -> None:
    check_schema(tmp_path, junit_xml(*CLASS))
    check_schema(tmp_path, junit_xml(make_class(0)[0], []))
    check_schema(tmp_path, junit_xml(make_class(2)[0], []))


@needs_xmllint
@pytest.mark.parametrize("text", ["", "\x00\ufffe\ud800", "]]><&\"'", "\x1b[31m", "a" * 10000])
def test_no_text_breaks_the_schema(tmp_path: Path, text: str) -> None:
    check_schema(tmp_path, junit_xml(*make_hostile(text, text)))


@needs_xmllint
def test_the_schema_sees_mistakes(tmp_path: Path) -> None:
    good = junit_xml(*CLASS)
    for old, new in (
        (b' classname="part A"', b""), (b'failures="', b'failures="x'), (b"<failure", b"<fault"),
        (b'<testsuite name="1001"', b'<testsuite name="1000"'), (b'time="', b'time="-'),
    ):
        assert old in good
        with pytest.raises(AssertionError):
            check_schema(tmp_path, good.replace(old, new, 1))


@given(st.text(), st.text())
def test_any_text_can_be_read_again(text: str, raw: str) -> None:
    root = ElementTree.fromstring(junit_xml(*make_hostile(text, raw)))
    tags = {"testsuites", "testsuite", "properties", "property", "testcase", "failure", "error"}
    assert {element.tag for element in root.iter()} <= tags


def test_numbers_add_up() -> None:
    root = ElementTree.fromstring(junit_xml(*CLASS))
    overview = make_overview(*CLASS)
    assert len(root) == 60
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"),
                      ("skipped", "skipped")):
        assert root.get(name) == str(len(list(root.iter(tag))))
        assert int(root.get(name, "")) == sum(int(suite.get(name, "")) for suite in root)
    assert root.get("failures") == str(sum(len(each.failed) for each in overview.graded))
    assert root.get("errors") == str(len(overview.refused) + len(overview.unfinished))


def test_a_failure_tells_what_was_seen_and_has_the_card() -> None:
    info, records = CLASS
    test = next(
        test for record in records for test in record["results"]["tests"]
        if test["status"] == "failed"
    )
    failure = next(ElementTree.fromstring(junit_xml(info, records)).iter("failure"))
    assert failure.get("message") == dict(test["card"])["seen"]
    assert failure.text == test["output"]


def test_a_test_that_has_not_run_is_skipped() -> None:
    info, records = make_class(1)
    records[0]["results"]["tests"][0]["status"] = "not run"
    root = ElementTree.fromstring(junit_xml(info, records))
    assert root.get("skipped") == "1" and next(root.iter("testcase")).find("skipped") is not None
