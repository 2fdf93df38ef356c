"""gradelib.py as grading scripts see it: points, verdicts, and scripts as other courses have
them."""
from __future__ import annotations

import json
import re
import sys

import pytest
from grading_scripts import MAKEFILE, TreeTest, runs


class TestScore(TreeTest):
    """Points, verdicts, options, the exit status."""

    BODY = """
@test(3, "good")
def test_good(): pass
@test(5)
def test_not_so_good(): raise AssertionError("first\\nsecond")
end_part("A")
@test(0, "drives")
def test_drives(): pass
@test(2, "child", parent=test_drives)
def test_child(): pass
@test(1, "orphan", parent=test_not_so_good)
def test_orphan(): print("NEVER")
"""

    def test_verdicts_and_sums(self) -> None:
        """The form of what is printed, with a part in between."""
        assert self.grade(self.BODY, status=1).splitlines() == [
            "== Test good == good: OK",
            "== Test not so good == not so good: FAIL",
            "    first",
            "    second",
            "Part A score: 3/8",
            "",
            "== Test drives == ",
            "== Test   child ==   child: OK",
            "== Test   orphan ==   orphan: FAIL",
            "    Parent failed: not so good",
            "Score: 5/11",
        ]

    def test_full_score(self) -> None:
        """Only a full score is a success; filters look for parts of titles, and parents run
        once."""
        text = self.grade(self.BODY, "GOO", "-t", "child", status=1)
        assert re.search(r"(?s)== Test good.*drives ==.*child: OK\nScore: 5/10", text)
        assert self.grade(self.BODY, "child").count("Test drives") == 1
        assert "no test has 'x'" in self.grade(self.BODY, "x", status=1)

    def test_results_and_colors(self) -> None:
        """The JSON file has each test's points; colors appear when asked for."""
        text = self.grade(self.BODY, "--results", "results.json", "--color", "always", status=1)
        assert "good: \033[32mOK\033[0m" in text
        assert "not so good: \033[31mFAIL\033[0m" in text
        results = json.loads((self.tree / "results.json").read_text())
        assert results == {"good": 3, "not so good": 0, "child": 2, "orphan": 0}

    def test_faults_of_a_test_end_only_that_test(self) -> None:
        """Neither an unexpected error nor sys.exit ends the grading, and a build error is shown."""
        (self.tree / "kernel.c").unlink()
        text = self.grade("""
@test(1, "key")
def test_key(): {}["missing"]
@test(1, "exit")
def test_exit(): raise SystemExit(7)
@test(1, "build")
def test_build(): r.run_qemu(shell_script(["echo x"]))
@test(1, "made")
def test_made(): make("kernel/kernel")
@test(1, "still")
def test_still(): get_current_test().title == "still"
""", status=1)
        assert re.search(r"key: FAIL\n    KeyError: 'missing' \(grade.py:\d+\)", text)
        assert re.search(r"exit: FAIL\n    the test called sys.exit\(7\)", text)
        assert re.search(
            r"(?s)build: FAIL\n    `make [^\n]*kernel/kernel.*No rule to make.*made: FAIL", text
        )
        assert "still: OK\nScore: 1/5\n" in text


PYTHONS = [sys.executable, *filter(runs, (f"python3.{minor}" for minor in range(9, 14)))]
# Scripts in the shape of a course's, on a stand-in that only echoes.
COW_SCRIPT = """#!/usr/bin/env python3
import re
from gradelib import *

r = Runner(save("xv6.out"))

@test(0, "cowtest runs")
def test_run():
    r.run_qemu(shell_script([
        'echo simple: ok', 'echo simple: ok', 'echo three: FAIL', 'echo file: ok',
    ]), timeout=60)

@test(40, "simple", parent=test_run)
def test_simple():
    assert_equal(len(re.findall("^simple: ok$", r.qemu.output, re.M)), 2, "simple must be ok twice")

@test(30, "three", parent=test_run)
def test_three():
    assert_equal(len(re.findall("^three: ok$", r.qemu.output, re.M)), 3, "three must be ok 3 times")

@test(10, "file", parent=test_run)
def test_file():
    r.match('^file: ok$')

@test(0, "all the rest")
def test_rest():
    r.run_qemu(shell_script(['echo copyin: OK', 'echo ALL DONE']), timeout=360)
    r.match('^ALL DONE$')

@test(19, "copyin", parent=test_rest)
def test_copyin():
    r.match('^copyin: OK$', no=['.*panic'])

@test(1)
def test_hours_spent():
    check_time()

run_tests()
"""
COW_REPORT = """\
== Test cowtest runs ==
== Test   simple ==   simple: OK
== Test   three ==   three: FAIL
    three must be ok 3 times
    got:
      0
    expected:
      3
== Test   file ==   file: OK
== Test all the rest ==
== Test   copyin ==   copyin: OK
== Test hours spent == hours spent: FAIL
    Cannot read time.txt: No such file or directory
Score: 69/100
"""
UTIL_SCRIPT = """
from gradelib import *

r = Runner(save("xv6.out"))

@test(5, "a program without arguments")
def test_no_arguments():
    r.run_qemu(shell_script(["echo usage: pause ticks"]))
    r.match(no=["exec failed", "^pause$"])

@test(5, "a program that is stopped")
def test_stopped():
    r.run_qemu(shell_script(["echo 10", "echo BAD"]), stop_on_line("^10$"))
    r.match("\\\\$ echo 10", no=["BAD"])

@test(10, "a file with a name that was made up")
def test_name():
    name = random_str()
    r.run_qemu(shell_script(["echo > " + name, "echo ./" + name]))
    r.match("./" + name)

@test(20, "many lines")
def test_lines():
    primes = [2, 3, 5]
    r.run_qemu(shell_script([f"echo prime {p}" for p in primes]))
    r.match(*[f"^prime {p}$" for p in primes], no=["^prime 4$"])

end_part("util")

@test(5, "answers")
def test_answers():
    check_answers("answers.txt")

run_tests()
"""


class TestScriptsInUse(TreeTest):
    """What scripts take from the library besides the names that they import with a star."""

    STATE = """
import gradelib
from gradelib import *
from gradelib import TESTS


@test(3, "good")
def test_good(): assert not TESTS[0].ok and TESTS[0].complete and get_current_test() is TESTS[0]
@test(4, "bad")
def test_bad():
    print("SO FAR", gradelib.TOTAL, gradelib.POSSIBLE)
    assert False
@test(0, "driver")
def test_driver(): pass
@test(2, "child", parent=test_driver)
def test_child(): pass
@test(2, "orphan", parent=test_bad)
def test_orphan(): pass

def tell():
    print("ok", *[int(t.ok) for t in TESTS], "complete", *[int(t.complete) for t in TESTS])
    print("points", gradelib.TOTAL, gradelib.POSSIBLE)
"""

    def test_state_before_and_after(self) -> None:
        """Tests say whether they are complete and ok; the library has points and options."""
        text = self.grade_whole(self.STATE + """
tell()
try:
    run_tests()
except SystemExit as end:
    print("status", end.code)
tell()
print(gradelib.options.color, bool(gradelib.options.verbose), gradelib.options.results)
print([(t.title, t.__name__, t.points) for t in TESTS][3], gradelib.GRADES["good"])
""", "--color", "never")
        assert "ok 0 0 0 0 0 complete 0 0 0 0 0\npoints 0 0\n== Test good" in text
        assert "SO FAR 3 3\n" in text
        assert "status 1\nok 1 0 1 1 0 complete 1 1 1 1 1\npoints 5 11\n" in text
        assert "points 5 11\nnever False None\n" in text
        assert "('  child', 'test_child', 2) 3\n" in text

    def test_state_with_a_filter(self) -> None:
        """What was not asked for is not complete, but for the parents of what was."""
        text = self.grade_whole(self.STATE + "run_tests()\ntell()\n", "child", "-v")
        assert "ok 0 0 1 1 0 complete 0 0 1 1 0\npoints 2 2\n" in text

    def test_own_loop(self) -> None:
        """Scripts that set options and points themselves, and call the tests one by one."""
        text = self.grade_whole(self.STATE + """
import types
gradelib.options = types.SimpleNamespace(verbose=False, color="always")
make()
reset_fs()
print("returned", *[t() for t in TESTS], *[t() for t in gradelib.TESTS])
tell()
gradelib.TOTAL = gradelib.POSSIBLE = 90
@test(10, "bonus")
def test_bonus(): assert gradelib.TOTAL >= 70
test_bonus()
tell()
""")
        assert "good: \033[32mOK\033[0m" in text
        assert text.count("== Test good") == 1
        assert "returned True False True True False True False True True False\n" in text
        assert "points 5 11\n" in text
        assert "ok 1 0 1 1 0 1 complete 1 1 1 1 1 1\npoints 100 100\n" in text

    def test_tests_that_scripts_change(self) -> None:
        """The list of tests is theirs: cut, sorted, replaced."""
        text = self.grade_whole(self.STATE + "gradelib.TESTS = [TESTS[3]]\nrun_tests()\n")
        assert re.search(r"^== Test driver == \n== Test   child == +child: OK\nScore: 2/2\n$", text)

    def test_parts(self) -> None:
        """A part counts from where the last one ended."""
        text = self.grade_whole(self.STATE + """
end_part("one")
@test(7, "more")
def test_more(): pass
end_part("two")
run_tests()
""", status=1)
        assert re.search(r"(?s)Part one score: 5/11\n\n.*Part two score: 7/7\n\nScore: 12/18", text)

    def test_end_of_a_test(self) -> None:
        """What is called when a test ends may ask which one that is, and is told the failure."""
        text = self.grade("""
def tell(failure): print("END", get_current_test().title, get_current_test().ok, failure)
@test(1, "good")
def test_good(): get_current_test().on_finish.append(tell)
@test(1, "bad")
def test_bad():
    get_current_test().on_finish.append(tell)
    raise AssertionError("wrong")
""", status=1)
        assert "END good False None\n" in text
        assert "END bad False wrong\n" in text

    def test_test_that_asks_for_itself(self) -> None:
        """It is told that it is not ok yet."""
        text = self.grade("@test(1, 'self')\ndef test_self(): assert_equal(test_self(), False)\n")
        assert "self: OK" in text

    def test_interrupted(self) -> None:
        """The test that was interrupted is complete, but not ok; the next is neither."""
        text = self.grade_whole(self.STATE + """
@test(1, "stop")
def test_stop(): raise KeyboardInterrupt
@test(1, "next")
def test_next(): pass
try:
    run_tests()
finally:
    tell()
""", status=130)
        assert re.search("(?s)interrupted\n.*ok 1 0 1 1 0 0 0 complete 1 1 1 1 1 1 0\n", text)

    def test_output_that_is_not_read(self) -> None:
        """After `| head` the script ends, with neither a traceback nor the other tests."""
        process = self.start_whole(self.STATE + """
import os, sys
reader, writer = os.pipe()
os.dup2(writer, 1)
os.close(reader)
@test(1, "next")
def test_next(): print("RUN", file=sys.stderr)
run_tests()
""")
        assert self.finish(process, status=141) == ""

    def test_without_a_test(self) -> None:
        """A run, and what it printed, needs no test."""
        text = self.grade_whole("""
import types, gradelib
from gradelib import *
gradelib.options = types.SimpleNamespace(verbose=False, no_make=True, color="never")
r = Runner()
r.run_qemu(shell_script(["echo mmaptest: ok", "panic now"]), timeout=60)
r.match("^mmaptest: ok$", "^panic: now$")
print("RAN")
try:
    get_current_test()
except RuntimeError as error:
    print(error)
""")
        assert "RAN\nno test runs now\n" in text

    def test_words_and_options_mixed(self) -> None:
        """Options may come between words."""
        words = ["goo", "--color", "never", "child", "-v", "orph"]
        text = self.grade(TestScore.BODY, *words, status=1)
        assert "Score: 5/11" in text

    def test_captured_output(self) -> None:
        """Output may go anywhere, and the tests may run in another thread."""
        text = self.grade_whole("""
import sys, threading
from gradelib import *
class Sink:
    text = ""
    def write(self, text): self.text += text
    def flush(self): pass
@test(1, "x")
def test_x(): Runner().run_qemu(shell_script(["echo x"]))
sink, real = Sink(), sys.stdout
sys.stdout = sink
thread = threading.Thread(target=run_tests)
thread.start()
thread.join()
sys.stdout = real
print(sink.text.splitlines())
""")
        assert re.search(r"\['== Test x == x: OK.*', 'Score: 1/1'\]", text)

    def test_lines_match_from_their_beginning(self) -> None:
        """As re.match does, for what must be there and for what must not."""
        text = self.grade("""
@test(1, "bad")
def test_bad(): assert_lines_match("NOT ok", "ok")
@test(1, "good")
def test_good():
    r.run_qemu(shell_script(["echo ok", "echo no FAIL"]))
    r.match("ok", "no", no=["FAIL"])
@test(1, "panic")
def test_panic():
    r.run_qemu(shell_script(["panic wanted"]), timeout=60)
    r.match("panic: ", no=["wanted"])
@test(1, "other")
def test_other():
    r.run_qemu(shell_script(["panic other"]), timeout=60)
    r.match("last words")
""", status=1)
        assert re.search(r"bad: FAIL\n +NOT ok\n +MISSING 'ok'\n", text)
        assert re.search(r"(?s)good: OK\n.*panic: OK\n.*other: FAIL\n +the kernel panicked", text)

    def test_user_test(self) -> None:
        """A program that `make run-NAME` boots, by default on a disk that keeps nothing."""
        run = MAKEFILE[MAKEFILE.index("qemu:"):].replace("qemu:", "run-%:")
        run = run.replace("$(EXTRA)", "$(EXTRA) $(QEMUEXTRA)")
        self.write_makefile(f"{MAKEFILE}{run}print-gdbport:\n\t@echo 26123\n")
        self.grade("""
@test(1, "hello")
def test_hello():
    r.user_test("hello", shell_script(["echo 1"]), make_args=["EXTRA=-more"])
    assert_equal(open("arguments").read().count(" -more -snapshot "), 1)
    r.user_test("hello", shell_script(["echo 1"]), snapshot=False)
    assert_equal(open("arguments").read().count("-snapshot"), 0)
    assert_equal(QEMU.get_gdb_port() + 1, 26124)
""")

    @pytest.mark.parametrize("python", PYTHONS)
    def test_cow(self, python: str) -> None:
        """The copy-on-write lab's, on each Python that is here."""
        lines = self.grade_whole(COW_SCRIPT, status=1, python=python).splitlines()
        assert [line.rstrip() for line in lines] == COW_REPORT.splitlines()
        assert "ALL DONE\n" in (self.tree / "xv6.out").read_text()
        assert not (self.tree / "xv6.out.three").exists()

    def test_util(self) -> None:
        """A first lab's: patterns without anchors, names that are made up."""
        (self.tree / "answers.txt").write_text("ten chars.\n")
        text = self.grade_whole(UTIL_SCRIPT)
        assert re.search(r"(?s)Part util score: 40/40\n.*answers: OK\nScore: 45/45\n$", text)
