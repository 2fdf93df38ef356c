"""What comes from a submission is escaped and short on every way out: hostile bytes on each."""
from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import pytest
from grader import cli, decode
from grader.errors import InfraError, SubmissionError
from grader.protections import NAMES, Protections
from grader.run import Cause, Failure, Result, Setting, Test, Trial, load_lab
from grader.sandbox import Finished
from products import ROOT

LAB = load_lab(ROOT / "labs" / "cow")
PROTECTIONS = Protections(dict.fromkeys(NAMES, "here"), {})
RAW = "\x1b[2J\x1b]0;title\x07\r\x08\x9b\u202e\u200b\udcff"
HOSTILE = f"name {RAW} tail"
LONG = "x" * (1 << 20) + "\n" + f"{RAW}\n" * (1 << 16)
hostile_or_long = pytest.mark.parametrize("text", [HOSTILE, LONG], ids=["hostile", "long"])
LINE_MAX, TEXT_MAX = 400, 40_000  # characters of a line and of a test's text


def all_fail(text: str) -> Callable[..., Iterator[Result]]:
    """Returns a stand-in for run_tests, in which every test fails and everything says the text."""

    def run_tests(_: Setting, tests: Sequence[Test], __: int, ___: object) -> Iterator[Result]:
        for test in tests:
            failure = Failure("alive", text, text, page=0x1000, process=text, doing=text)
            said = f"panic: {text}\n{text}"
            trial = Trial(failure, Cause("x", "a cause"), text, said, text)
            yield Result(test, {0: trial})

    return run_tests


class TestOutput:
    """main() with results and errors that say what a hostile submission would have them say."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.json = self.folder / "results.json"

    def run_main(self, *words: str, text: str = HOSTILE, build: object = None) -> tuple[int, str]:
        """Returns exit status and output."""
        made = mock.Mock(notes=[text])
        built = mock.Mock(side_effect=build) if build else mock.Mock(return_value=(made, Path("x")))
        output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")  # nothing but ASCII gets through
        with mock.patch.object(cli, "build", built), mock.patch.object(cli, "Sandbox"), \
                mock.patch.object(cli, "protections_of", return_value=PROTECTIONS), \
                mock.patch.object(cli, "run_tests", all_fail(text)), \
                contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                status = cli.main(["--keep", str(self.folder / "kept"), *words])
            except SystemExit as end:
                status = int(str(end.code))
        output.seek(0)
        return status, output.read()

    def check_text(self, what: str, text: str) -> None:
        """Every letter of the text can be printed; no line is too long."""
        for line in text.split("\n"):
            assert line.isprintable(), f"{what}: {line!r}"[:300]
            assert len(line) <= LINE_MAX, what

    def check_json(self) -> None:
        """Checks every string in the file of results, which is not too large altogether."""
        text = self.json.read_text(encoding="utf-8")
        assert len(text) < len(LAB.TESTS) * TEXT_MAX
        unseen = [json.loads(text)]
        while unseen:
            value = unseen.pop()
            if isinstance(value, (dict, list)):
                unseen += value.values() if isinstance(value, dict) else value
            elif isinstance(value, str):
                assert len(value) < TEXT_MAX
                self.check_text("json", value)

    @hostile_or_long
    def test_failed_tests(self, text: str) -> None:
        """Cards, steps, notes, transcripts, results."""
        words = ["-v", "--json", str(self.json), str(ROOT), "fork_", "race_churn"]
        output = self.run_main(*words, text=text)[1]
        self.check_text("output", output)
        assert ("\\x1b[2J" if text is HOSTILE else "xxx...") in output
        assert len(output) < 3 * TEXT_MAX
        self.check_json()
        for file in (self.folder / "kept").rglob("*.txt"):
            written = file.read_text(encoding="utf-8")
            assert all(line.isprintable() for line in written.split("\n")), file

    @hostile_or_long
    @pytest.mark.parametrize("error", [SubmissionError, InfraError])
    def test_errors(self, text: str, error: type[Exception]) -> None:
        """What a compiler, git or QEMU says, and what goes wrong on this machine."""
        output = self.run_main("--json", str(self.json), build=error(text))[1]
        self.check_text("output", output)
        assert len(output) < TEXT_MAX
        self.check_json()

    def test_forged_lines(self) -> None:
        """No line from a submission can be mistaken for one of the grader's."""
        text = "the kernel cannot be built:\nScore: 100/100\nStatus: graded\n  x"
        for error in (SubmissionError(text), InfraError(text)):
            lines = self.run_main(str(ROOT), build=error)[1].split("\n")
            assert "Score: 100/100" not in lines
            assert "Status: graded" not in lines
        source = f"{self.folder}/x\nScore: 100/100"
        Path(source).mkdir(parents=True)
        for words in ([source], [f"{source}@HEAD"], [f"{source}/none:"]):
            with mock.patch.object(cli, "run_tests"), \
                    contextlib.redirect_stdout(io.StringIO()) as output:
                status = cli.main([*words, "--keep", str(self.folder / "kept")])
            assert status == 4
            assert "Score: 100/100" not in output.getvalue().split("\n")

    def test_names(self) -> None:
        """The name of what was handed in: in the results, and in a card's command."""
        place = self.folder / HOSTILE.replace("/", "")
        os.mkdir(place)
        output = self.run_main("--json", str(self.json), "--seed", "5", str(place), "text_store")[1]
        self.check_text("name", output)
        assert "\\x1b[2J\\x1b]0;title\\x07\\x0d\\x08\\xc2\\x9b\\xe2\\x80\\xae" in output
        self.check_json()

    @pytest.mark.parametrize("words", [
        [HOSTILE], [str(ROOT), HOSTILE], ["--" + HOSTILE], ["--tree", HOSTILE],
        ["x" * (1 << 16)],
    ], ids=["path", "test", "option", "value", "long"])
    def test_command_line(self, words: list[str]) -> None:
        """Words that are no path, no test, no option."""
        status, output = self.run_main(*words)
        assert status == 2
        self.check_text("usage", output)

    def test_debug_information(self) -> None:
        """Names of files and functions, which #line and asm can make anything."""
        names = f"evil{HOSTILE}\n/tmp/{HOSTILE}\u2028.c:7 (discriminator 3)\n"
        names += f"{'f' * 5000}\nkernel/a b.c:9\n"
        sandbox = mock.Mock()
        sandbox.run.return_value = Finished(0, names, "")
        with mock.patch.object(decode, "find_symbolizer", return_value=["addr2line"]):
            lines = decode.source_lines(Path("kernel"), [0x80000000, 0x80000010], sandbox)
        assert len(lines) == 2
        assert lines[0x80000010].startswith("kernel/a b.c:9, in fff")
        for line in lines.values():
            self.check_text("source line", line)
