"""gradelib.py as grading scripts see it: runs of the machine, monitors, helpers; and one run of the
real kernel."""
from __future__ import annotations

import argparse
import ast
import contextlib
import io
import os
import re
import signal
import sys
from pathlib import Path
from unittest import mock

import gradelib
import pytest
from command import run
from grading_scripts import (
    FOOTING, HEADING, MAKEFILE, SCRIPT_SECONDS, TreeTest, environment_with, gone,
)
from products import ROOT

ENDINGS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
ENDINGS += [signal.SIGKILL] * sys.platform.startswith("linux")


class TestRun(TreeTest):
    """Runs of the machine."""

    def run_script(self, lines: list[str], run: str = "", status: int = 0) -> str:
        """Grades one test that types the lines."""
        return self.grade(
            f"@test(1, 'it')\ndef test_it():\n"
            f"    r.run_qemu(shell_script({lines!r}){run})\n"
            "    print(r.qemu.output.replace('$ ', '> '))\n",
            status=status,
        )

    def test_commands_are_typed_at_prompts(self) -> None:
        """Each at the beginning of a line, none into the middle of what a program prints; output is
        saved."""
        text = self.run_script(
            ["dollar", "slow", "echo OK", "idle a"], run=", stop_on_line('.*idle a')"
        )
        assert (
            "\n> dollar\ncost > \n> 5\nend of dollar\n> slow\nstarted\n> echo OK\nOK\n> idle a"
            in text
        )
        assert "$ echo OK\nOK\n" in (self.tree / "out").read_text()

    def test_prompts_inside_other_output(self) -> None:
        """After a line that was not ended, and before what runs in the background."""
        text = self.run_script(["unended abc", "background", "echo OK"])
        assert re.search(r"(?s)abc> background\n> late\n.*heard\n", text)

    def test_nested_shells(self) -> None:
        """Prompts of a shell that reads a file do not end the run before its commands have."""
        assert "hello\n" in self.run_script(["nested"])
        text = self.grade(
            "@test(1, 'x')\ndef test_x():\n"
            "    r.run_qemu(shell_script(['nested', 'echo DONE', 'idle'][:2], 'DONE'))\n"
            "    assert_equal(len(re.findall('hello', r.qemu.output)), 1)\n"
            "    r.match('^DONE$')\n"
        )
        assert "x: OK" in text

    def test_monitors(self) -> None:
        """A function is called with the lines that match, until one ends the run."""
        text = self.grade("""
seen = []
@test(1, "lines")
def test_lines():
    r.run_qemu(shell_script(["echo a1", "echo b", "echo a2", "echo end", "echo never"]),
               call_on_line("a", seen.append), stop_on_line("end"), make_args=["EXTRA=-given"])
    assert_equal(seen, ["a1", "a2"])
    r.match("^a1$", "^b$", no=["^never$"])
    assert "tcp" not in open("arguments").read()
    assert " -given " in open("arguments").read()
""")
        assert "lines: OK" in text

    def test_monitors_hear_line_by_line(self) -> None:
        """A line that ends the run does so before the prompt after it is answered."""
        text = self.grade("""
typed = []
def spy(runner):
    write = runner.qemu.write
    runner.qemu.write = lambda text: (typed.append(text), write(text))
@test(1, "lines")
def test_lines():
    r.run_qemu(spy, shell_script(["together end", "echo never"]), stop_on_line("end"))
    assert_equal(len(typed), 1)
""")
        assert "lines: OK" in text

    def test_panic(self) -> None:
        """It ends the run at once with its message; what was printed before still counts."""
        text = self.grade("""
@test(0, "driver")
def test_driver():
    lines = ["echo one: ok", "panic freewalk: leaf", "echo two: ok"]
    r.run_qemu(shell_script(lines), timeout=100000)
@test(4, "one", parent=test_driver)
def test_one(): r.match("^one: ok$")
@test(4, "two", parent=test_driver)
def test_two(): r.match("^two: ok$")
@test(4, "points")
def test_points(): r.run_qemu(shell_script(["oops"]), timeout=100000)
@test(4, "wanted")
def test_wanted():
    r.run_qemu(shell_script(["panic wanted"]), timeout=100000)
    r.match("panic: wanted")
@test(4, "no panic")
def test_none(): r.run_qemu(shell_script(["echo panic: none", "slow"]), timeout=100000)
""", status=1)
        message = "    the kernel panicked: panic: freewalk: leaf\n"
        assert re.search(f"driver: FAIL\n{message}    QEMU output saved to out.driver\n", text)
        assert re.search(f"(?s)one: OK\n.*two: FAIL\n.*MISSING '\\^two: ok\\$'\n{message}", text)
        assert re.search("points: FAIL\n    the kernel panicked: unended panic: no newline\n", text)
        assert re.search("(?s)wanted: OK\n.*no panic: OK\nScore: 12/20", text)
        assert "freewalk" in (self.tree / "out.driver").read_text()

    def test_limits(self) -> None:
        """Idle or busy, a machine has its time; what ends a run is told when the test fails."""
        text = self.grade("""
import gradelib
gradelib.OUTPUT_BYTES_MAX = 1 << 20
gradelib.OVERLOAD = 10000
def bad(name, command, seconds):
    @test(1, name)
    def test_bad():
        r.run_qemu(shell_script([command]), timeout=seconds)
        r.match("^never$")
bad("idle", "idle", 0.5)
bad("busy", "spin", 0.5)
bad("flood", "flood", 30)
bad("off", "off 3", 30)
""", status=1)
        late = "timed out: the machine has run for 0.5 s"
        for name, remark in (
            ("idle", late), ("busy", late), ("flood", "the console printed more than 1 MiB"),
            ("off", "QEMU ended by itself with status 3"),
        ):
            assert re.search(rf"(?s){name}: FAIL\n[^=]*MISSING '\^never\$'\n    {remark}\n", text)

    def test_silent_and_broken_machines(self) -> None:
        """A machine that prints nothing, or that does not even start, is told apart."""
        (self.tree / "broken").touch()
        assert re.search(
            r"QEMU does not start \(status 1\): no such machine",
            self.run_script(["echo"], status=1),
        )
        (self.tree / "Makefile").write_text("all:\n")
        assert "the Makefile does not say how it runs QEMU" in self.run_script(["echo"], status=1)

    def test_disk(self) -> None:
        """It keeps what tests write until it is reset, and the tree's own is never written."""
        text = self.grade("""
@test(1, "disk")
def test_disk():
    r.run_qemu(shell_script(["keep this"]))
    r.run_qemu(shell_script(["kept"]))
    r.match("^pristine$", "^this$")
    reset_fs()
    r.run_qemu(shell_script(["kept"]))
    r.match("^pristine$", no=["^this$"])
""")
        assert "disk: OK" in text
        assert (self.tree / "fs.img").read_text() == "pristine\n"

    def test_makefile_that_prints_no_command(self) -> None:
        """As in xv6: the command is read from what make would do."""
        self.write_makefile(MAKEFILE)
        assert "\nOK\n" in self.run_script(["echo OK"], run=", make_args=('EXTRA=-other',)")
        assert re.search(r" -machine none .* -other -S ", (self.tree / "arguments").read_text())

    def test_two_at_once(self) -> None:
        """Two runs of one tree neither see each other's disk nor end each other."""
        body = "\n".join([
            "@test(1, 'own disk')", "def test_own():",
            "    word = random_str()",
            "    for i in range(2): r.run_qemu(shell_script(['keep ' + word, 'slow', 'kept']))",
            "    output = r.qemu.output.replace('$ ', '')",
            "    kept = re.findall('^kept\\n(.*)', output, re.M | re.S)[0].split()",
            "    assert_equal(kept, ['pristine', word, word])",
        ])
        first = self.start(body)
        assert "own disk: OK" in self.start(body).communicate(timeout=SCRIPT_SECONDS)[0]
        assert "own disk: OK" in first.communicate(timeout=SCRIPT_SECONDS)[0]

    @pytest.mark.parametrize("number", ENDINGS)
    def test_qemu_never_outlives_the_run(self, number: signal.Signals) -> None:
        """However that ends."""
        process = self.start(
            "@test(1, 'x')\ndef test_x():\n    r.run_qemu(shell_script(['idle']))\n"
        )
        pid = self.pid()
        process.send_signal(number)
        process.communicate(timeout=SCRIPT_SECONDS)
        assert gone(pid)
        assert process.returncode == (130 if number == signal.SIGINT else -number)
        if number != signal.SIGKILL:
            assert list(self.private.glob("gradelib-*")) == []


class TestHelper:
    """What needs no machine."""

    def failure(self, function: object, *arguments: object, **more: object) -> str:
        """Returns the message with which the call fails."""
        with pytest.raises(AssertionError) as caught:
            function(*arguments, **more)  # type: ignore[operator]
        return str(caught.value)

    def test_surface(self) -> None:
        """Every name is there, and the file is Python 3.9.

        Numbers that change are not imported with a star: the script would have what they were.
        """
        assert [name for name in gradelib.__all__ if not hasattr(gradelib, name)] == []
        for name in ("TOTAL", "POSSIBLE", "PART_TOTAL", "PART_POSSIBLE", "CURRENT_TEST", "options"):
            assert hasattr(gradelib, name), name
            assert name not in gradelib.__all__
        ast.parse((ROOT / "gradelib.py").read_text(), feature_version=(3, 9))
        with pytest.raises(RuntimeError):
            gradelib.get_current_test()

    def test_assertions(self) -> None:
        """What they accept, and what they say."""
        gradelib.assert_equal(1, 1)
        assert self.failure(gradelib.assert_equal, 1, 2, "m") == "m\ngot:\n  1\nexpected:\n  2"
        text = "\n".join(["a"] + ["."] * 20 + ["b c", "d"])
        gradelib.assert_lines_match(text, "^a$", "b", "d", no=["c"])
        said = self.failure(gradelib.assert_lines_match, text, "^a$", "x+", no=["^b"])
        assert re.search(
            r"(?m)^   GOOD a\n(.*\n)*\.\.\.\n(.*\n)*    BAD b c\n *d\nMISSING 'x\+'$", said
        )
        self.failure(gradelib.assert_lines_match, "a\nb", "a\nb")

    def test_control_characters(self) -> None:
        """What a kernel prints moves no cursor and changes no color."""
        hostile = "\033[2J\033[32mgood\033]0;x\007\b\u202e\x9b"
        said = self.failure(gradelib.assert_lines_match, hostile, "bad")
        said += self.failure(gradelib.assert_equal, hostile, "good")
        assert all(line.isprintable() for line in said.split("\n")), repr(said)
        assert "\\x1b[2J" in said
        for when in ("never", "always"):
            output = io.StringIO()
            options = argparse.Namespace(color=when)
            with mock.patch.object(gradelib, "options", options), \
                    contextlib.redirect_stdout(output):
                shown = f"{gradelib.color('red', 'MISSING')} {hostile}"
                gradelib.Report().end(gradelib.Test(lambda: None, 1, "x", None), shown, 0.0)
            text = re.sub(r"\033\[(?:0|3[12])m", "", output.getvalue())
            assert all(line.isprintable() for line in text.split("\n")), repr(text)
            assert ("\033[31mMISSING\033[0m" in output.getvalue()) == (when == "always")

    def test_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """time.txt has one whole number."""
        monkeypatch.chdir(tmp_path)
        assert "Cannot read time.txt" in self.failure(gradelib.check_time)
        for text in ("", "3 h\n"):
            Path("time.txt").write_text(text)
            assert "does not contain a single" in self.failure(gradelib.check_time)
        Path("time.txt").write_text(" 12\n")
        gradelib.check_time()

    def test_answers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """They have a number of characters at least."""
        monkeypatch.chdir(tmp_path)
        Path("answers.txt").write_text("9 chars..\n")
        assert "too short" in self.failure(gradelib.check_answers, "answers.txt")
        gradelib.check_answers("answers.txt", 9)

    def test_random_str(self) -> None:
        """So many letters and digits."""
        assert re.search(r"^[A-Za-z0-9]{20}$", gradelib.random_str(20))


class FakeClock(gradelib.Clock):
    """On a host with made-up times."""

    def __init__(self, waits: list[dict[str, float]], used: list[float]) -> None:
        self.next_waits, self.next_used = iter(waits), iter(used)
        super().__init__(0)

    def _waits(self) -> dict[str, float]:
        return next(self.next_waits)

    def _used(self) -> float:
        return next(self.next_used)

    def after(self, span: float) -> float:
        """Returns the machine's seconds after so many of the host's, and starts again at 0."""
        self.passed = 0.0
        with mock.patch.object(gradelib.time, "monotonic", lambda: self.looked + span):
            return self.seconds()


class TestClock:
    """A machine that gets no processor is given time."""

    def test_waits(self) -> None:
        """The thread that waited most counts."""
        clock = FakeClock([{"1": 5.0}, {"1": 5.5, "2": 1.5}, {"1": 5.5, "2": 1.5}], [0.0])
        assert clock.after(2.0) == pytest.approx(0.5, abs=0.05)
        assert clock.after(2.0) == pytest.approx(2.0, abs=0.05)

    def test_without_waits(self) -> None:
        """A busy process is counted its processor time, an idle one the host's time."""
        clock = FakeClock([{}] * 4, [1.0, 1.5, 1.51, 6.0])
        assert clock.after(2.0) == pytest.approx(0.5, abs=0.05)
        assert clock.after(2.0) == pytest.approx(2.0, abs=0.05)
        assert clock.after(2.0) == pytest.approx(2.0, abs=0.05)

    def test_process(self) -> None:
        """A real one's time is read."""
        clock = gradelib.Clock(os.getpid())
        clock.waits = {}
        assert clock._used() > 0.0


def test_real_kernel_in_the_real_qemu(tmp_path: Path) -> None:
    """Commands, a breakpoint at a function of the kernel, the tree's command for QEMU."""
    script = tmp_path / "grade.py"
    script.write_text(HEADING.replace("'out'", "os.environ['OUT']") + """
@test(1, "real")
def test_real():
    lines = ["echo BEFORE", "rm absent", "echo AFTER"]
    r.run_qemu(shell_script(lines), stop_breakpoint("sys_unlink"))
    r.match("^BEFORE$", r"^\\$ rm absent$", no=["^AFTER$", "panic"])
""" + FOOTING)
    done = run(
        [sys.executable, script, "--color", "never"], cwd=ROOT,
        env=environment_with(OUT=tmp_path / "out"), seconds=SCRIPT_SECONDS,
    )
    assert done.succeeded, done.output
    assert "BEFORE" in (tmp_path / "out").read_text()
