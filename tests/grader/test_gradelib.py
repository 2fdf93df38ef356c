"""gradelib.py as grading scripts see it: each test runs a small script, on a stand-in for QEMU that
is a shell with a few commands, or once on the real kernel."""
from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import suppress
from pathlib import Path
from unittest import mock

import gradelib
from products import ROOT

HEADING = "import re, os, time\nfrom gradelib import *\nr = Runner(save('out'))\n"
FOOTING = "\nrun_tests()\n"
SCRIPT_SECONDS = 3600.0  # far more than any script needs, on the busiest host
LIBRARY = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
# PYTHONPATH cannot name this tree if there is a colon in its path
shutil.copy(gradelib.__file__, LIBRARY.name)

# Stands for QEMU and its guest: waits at the stub for "c", then is a shell. The pid goes to the
# file qemu.pid.
STAND_IN = r'''#!{python}
import os, socket, sys, time
arguments = dict(zip(sys.argv, sys.argv[1:]))
disk = arguments["-drive"].split(",")[0].split("=")[1]
open("arguments", "w").write(" ".join(sys.argv))
open("qemu.pid", "w").write(str(os.getpid()))
if os.path.exists("broken"):
    sys.exit("no such machine")
server = socket.socket(socket.AF_UNIX)
server.bind(arguments["-chardev"].split("path=")[1].split(",")[0])
server.listen()
stub, _ = server.accept()
while b"$c#63" not in stub.recv(100):
    stub.sendall(b"+$OK#9a")
stub.sendall(b"+")

def say(text, pause=0.0):
    os.write(1, text.encode())
    time.sleep(pause)

say("firmware\r\nbooting\r\n", 0.02)
if not os.path.exists("dead"):
    while True:
        say("$ ")
        line = sys.stdin.readline()
        say(line.replace("\n", "\r\n"))
        command, _, rest = line.strip().partition(" ")
        if command == "echo": say(rest + "\n")
        elif command == "together": say(rest + "\n$ "); time.sleep(100000)
        elif command == "unended": say(rest)
        elif command == "dollar": say("cost $ ", 0.5); say("\n$ 5\nend of dollar\n")
        elif command == "nested": say("$ ", 0.05); say("$ ", 0.05); say("hello\n$ ", 0.05); say("\n")
        elif command == "keep": open(disk, "a").write(rest + "\n")
        elif command == "kept": say(open(disk).read())
        elif command == "background": say("$ late\n"); sys.stdin.readline(); say("heard\n")
        elif command == "idle": time.sleep(100000)
        elif command == "slow": say("started\n", 0.6)
        elif command == "off": sys.exit(int(rest))
        elif command == "panic": say("last words\npanic: " + rest + "\n  at here\n"); time.sleep(100000)
        elif command == "oops": say("unended panic: no newline"); time.sleep(100000)
        while command == "flood": say("more\n" * 1000)
        while command == "spin": pass
time.sleep(100000)
'''

MAKEFILE = """
all: kernel/kernel
kernel/kernel: kernel.c
\t@mkdir -p kernel
\tcp kernel.c $@
fs.img: kernel/kernel
\techo pristine >$@
qemu: kernel/kernel fs.img
\t{qemu} -machine none -kernel kernel/kernel \\
\t\t-m 1 -drive file=fs.img,if=none $(EXTRA) 2>&1
"""
PRINTS_COMMAND = "print-qemu:\n\t@echo '{qemu} -kernel kernel/kernel -drive file=fs.img,id=x0 -printed $(EXTRA)'\n"


def environment_with(**more: Path) -> dict[str, str]:
    """Returns the environment in which grading scripts find gradelib.py."""
    environment = {**os.environ, "PYTHONPATH": LIBRARY.name, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("MAKEFLAGS", None)
    return {**environment, **{name: str(path) for name, path in more.items()}}


def status_of(pid: int) -> str:
    """Returns what the host says about a process."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/status").read_text()
    return ""


def gone(pid: int) -> bool:
    """Tells whether the process ends in time."""
    deadline = time.monotonic() + SCRIPT_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except OSError:
            return True
        if re.search(r"^State:\s+Z", status_of(pid), re.MULTILINE):
            return True
        time.sleep(0.02)
    return False


def heed_signals() -> None:
    """In a child: signals end it, even if they are ignored here, as in a shell's background job."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def runs(program: str) -> bool:
    """Tells whether there is such a program, and more than the name of one."""
    if not shutil.which(program):
        return False
    done = subprocess.run([program, "--version"], capture_output=True, check=False)
    return done.returncode == 0


class TreeTest(unittest.TestCase):
    """Has a tree whose QEMU is the stand-in."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="graded ")
        self.addCleanup(folder.cleanup)
        self.tree = Path(folder.name)
        self.private = self.tree / "private"
        self.private.mkdir()
        self.qemu = self.tree / "qemu-system-riscv64"
        self.qemu.write_text(STAND_IN.replace("{python}", sys.executable))
        self.qemu.chmod(self.qemu.stat().st_mode | stat.S_IXUSR)
        (self.tree / "kernel.c").write_text("a kernel\n")
        self.write_makefile(MAKEFILE + PRINTS_COMMAND)

    def write_makefile(self, text: str) -> None:
        """Writes the tree's Makefile; it finds the stand-in although its folder has a space in its
        name."""
        (self.tree / "Makefile").write_text(text.replace("{qemu}", "./qemu-system-riscv64"))

    def start(self, body: str, *arguments: str, tree: Path | None = None) -> subprocess.Popen[str]:
        """Starts a grading script."""
        return self.start_whole(HEADING + body + FOOTING, *arguments, tree=tree)

    def start_whole(
        self, text: str, *arguments: str, tree: Path | None = None, python: str = sys.executable
    ) -> subprocess.Popen[str]:
        """Starts a grading script to which nothing is added."""
        script = self.private / "grade.py"
        script.write_text(text)
        environment = environment_with(TMPDIR=self.private)
        process = subprocess.Popen(
            [python, str(script), *arguments], cwd=tree or self.tree, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=heed_signals,
        )
        self.addCleanup(process.stdout.close if process.stdout else lambda: None)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def grade(self, body: str, *arguments: str, status: int = 0, tree: Path | None = None) -> str:
        """Runs a grading script to its end and returns what it prints, without times."""
        return self.finish(self.start(body, *arguments, tree=tree), status)

    def grade_whole(
        self, text: str, *arguments: str, status: int = 0, python: str = sys.executable
    ) -> str:
        """The same for a script to which nothing is added."""
        return self.finish(self.start_whole(text, *arguments, python=python), status)

    def finish(self, process: subprocess.Popen[str], status: int) -> str:
        """Waits for the script's end; returns what it prints, without times."""
        output, _ = process.communicate(timeout=SCRIPT_SECONDS)
        self.assertEqual(process.returncode, status, output)
        self.assertEqual(list(self.private.glob("gradelib-*")), [], "a private folder is left")
        return re.sub(r" ?\(\d+\.\ds\)", "", output)

    def pid(self) -> int:
        """Returns the pid of the stand-in as soon as it has one."""
        deadline = time.monotonic() + SCRIPT_SECONDS
        file = self.tree / "qemu.pid"
        while time.monotonic() < deadline:
            if file.exists() and file.read_text():
                return int(file.read_text())
            time.sleep(0.02)
        self.fail("QEMU does not start")


class ScoreTest(TreeTest):
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
        self.assertEqual(self.grade(self.BODY, status=1).splitlines(), [
            "== Test good == good: OK",
            "== Test not so good == not so good: FAIL",
            "    first", "    second",
            "Part A score: 3/8", "",
            "== Test drives == ",
            "== Test   child ==   child: OK",
            "== Test   orphan ==   orphan: FAIL",
            "    Parent failed: not so good",
            "Score: 5/11",
        ])

    def test_full_score(self) -> None:
        """Only a full score is a success; filters look for parts of titles, and parents run
        once."""
        text = self.grade(self.BODY, "GOO", "-t", "child", status=1)
        self.assertRegex(text, r"(?s)== Test good.*drives ==.*child: OK\nScore: 5/10")
        self.assertEqual(self.grade(self.BODY, "child").count("Test drives"), 1)
        self.assertIn("no test has 'x'", self.grade(self.BODY, "x", status=1))

    def test_results_and_colors(self) -> None:
        """The JSON file has each test's points; colors appear when asked for."""
        text = self.grade(self.BODY, "--results", "results.json", "--color", "always", status=1)
        self.assertIn("good: \033[32mOK\033[0m", text)
        self.assertIn("not so good: \033[31mFAIL\033[0m", text)
        results = json.loads((self.tree / "results.json").read_text())
        self.assertEqual(results, {"good": 3, "not so good": 0, "child": 2, "orphan": 0})

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
        self.assertRegex(text, r"key: FAIL\n    KeyError: 'missing' \(grade.py:\d+\)")
        self.assertRegex(text, r"exit: FAIL\n    the test wanted to end the grading: sys.exit\(7\)")
        self.assertRegex(
            text, r"(?s)build: FAIL\n    `make [^\n]*kernel/kernel.*No rule to make.*made: FAIL"
        )
        self.assertIn("still: OK\nScore: 1/5\n", text)


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


class ScriptsInUseTest(TreeTest):
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
        self.assertIn("ok 0 0 0 0 0 complete 0 0 0 0 0\npoints 0 0\n== Test good", text)
        self.assertIn("SO FAR 3 3\n", text)
        self.assertIn("status 1\nok 1 0 1 1 0 complete 1 1 1 1 1\npoints 5 11\n", text)
        self.assertIn("points 5 11\nnever False None\n", text)
        self.assertIn("('  child', 'test_child', 2) 3\n", text)

    def test_state_with_a_filter(self) -> None:
        """What was not asked for is not complete, but for the parents of what was."""
        text = self.grade_whole(self.STATE + "run_tests()\ntell()\n", "child", "-v")
        self.assertIn("ok 0 0 1 1 0 complete 0 0 1 1 0\npoints 2 2\n", text)

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
        self.assertIn("good: \033[32mOK\033[0m", text)
        self.assertEqual(text.count("== Test good"), 1)
        self.assertIn("returned True False True True False True False True True False\n", text)
        self.assertIn("points 5 11\n", text)
        self.assertIn("ok 1 0 1 1 0 1 complete 1 1 1 1 1 1\npoints 100 100\n", text)

    def test_tests_that_scripts_change(self) -> None:
        """The list of tests is theirs: cut, sorted, replaced."""
        text = self.grade_whole(self.STATE + "gradelib.TESTS = [TESTS[3]]\nrun_tests()\n")
        self.assertRegex(text, r"^== Test driver == \n== Test   child == +child: OK\nScore: 2/2\n$")

    def test_parts(self) -> None:
        """A part counts from where the last one ended."""
        text = self.grade_whole(self.STATE + """
end_part("one")
@test(7, "more")
def test_more(): pass
end_part("two")
run_tests()
""", status=1)
        self.assertRegex(text, r"(?s)Part one score: 5/11\n\n.*Part two score: 7/7\n\nScore: 12/18")

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
        self.assertIn("END good False None\n", text)
        self.assertIn("END bad False wrong\n", text)

    def test_test_that_asks_for_itself(self) -> None:
        """It is told that it is not ok yet."""
        text = self.grade("@test(1, 'self')\ndef test_self(): assert_equal(test_self(), False)\n")
        self.assertIn("self: OK", text)

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
        self.assertRegex(text, "(?s)interrupted\n.*ok 1 0 1 1 0 0 0 complete 1 1 1 1 1 1 0\n")

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
        self.assertIn("RAN\nno test runs now\n", text)

    def test_words_and_options_mixed(self) -> None:
        """Options may stand between words."""
        words = ["goo", "--color", "never", "child", "-v", "orph"]
        text = self.grade(ScoreTest.BODY, *words, status=1)
        self.assertIn("Score: 5/11", text)

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
        self.assertRegex(text, r"\['== Test x == x: OK.*', 'Score: 1/1'\]")

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
        self.assertRegex(text, r"bad: FAIL\n +NOT ok\n +MISSING 'ok'\n")
        self.assertRegex(text, r"(?s)good: OK\n.*panic: OK\n.*other: FAIL\n +the kernel panicked")

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

    def test_cow(self) -> None:
        """The copy-on-write lab's, on each Python that is here."""
        others = [f"python3.{minor}" for minor in range(9, 14)]
        for python in [sys.executable, *filter(runs, others)]:
            with self.subTest(python):
                lines = self.grade_whole(COW_SCRIPT, status=1, python=python).splitlines()
                self.assertEqual([line.rstrip() for line in lines], COW_REPORT.splitlines())
        self.assertIn("ALL DONE\n", (self.tree / "xv6.out").read_text())
        self.assertFalse((self.tree / "xv6.out.three").exists())

    def test_util(self) -> None:
        """A first lab's: patterns without anchors, names that are made up."""
        (self.tree / "answers.txt").write_text("ten chars.\n")
        text = self.grade_whole(UTIL_SCRIPT)
        self.assertRegex(text, r"(?s)Part util score: 40/40\n.*answers: OK\nScore: 45/45\n$")


class RunTest(TreeTest):
    """Runs of the machine."""

    def run_script(self, lines: list[str], run: str = "", status: int = 0) -> str:
        """Grades one test that types the lines."""
        return self.grade(
            f"@test(1, 'it')\ndef test_it():\n"
            f"    r.run_qemu(shell_script({lines!r}){run})\n    print(r.qemu.output.replace('$ ', '> '))\n",
            status=status,
        )

    def test_commands_are_typed_at_prompts(self) -> None:
        """Each at the beginning of a line, none into the middle of what a program prints; output is
        saved."""
        text = self.run_script(
            ["dollar", "slow", "echo OK", "idle a"], run=", stop_on_line('.*idle a')"
        )
        self.assertIn(
            "\n> dollar\ncost > \n> 5\nend of dollar\n> slow\nstarted\n> echo OK\nOK\n> idle a",
            text
        )
        self.assertIn("$ echo OK\nOK\n", (self.tree / "out").read_text())

    def test_prompts_that_do_not_stand_alone(self) -> None:
        """After a line that was not ended, and before what runs in the background."""
        text = self.run_script(["unended abc", "background", "echo OK"])
        self.assertRegex(text, r"(?s)abc> background\n> late\n.*heard\n")

    def test_nested_shells(self) -> None:
        """Prompts of a shell that reads a file do not end the run before its commands have."""
        self.assertIn("hello\n", self.run_script(["nested"]))
        text = self.grade("@test(1, 'x')\ndef test_x():\n"
                          "    r.run_qemu(shell_script(['nested', 'echo DONE', 'idle'][:2], 'DONE'))\n"
                          "    assert_equal(len(re.findall('hello', r.qemu.output)), 1)\n    r.match('^DONE$')\n")
        self.assertIn("x: OK", text)

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
        self.assertIn("lines: OK", text)

    def test_monitors_hear_line_by_line(self) -> None:
        """A line that ends the run does so before the prompt behind it is answered."""
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
        self.assertIn("lines: OK", text)

    def test_panic(self) -> None:
        """It ends the run at once with its message; what was printed before still counts."""
        text = self.grade("""
@test(0, "driver")
def test_driver(): r.run_qemu(shell_script(["echo one: ok", "panic freewalk: leaf", "echo two: ok"]), timeout=100000)
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
        self.assertRegex(text, f"driver: FAIL\n{message}    QEMU output saved to out.driver\n")
        self.assertRegex(text, f"(?s)one: OK\n.*two: FAIL\n.*MISSING '\\^two: ok\\$'\n{message}")
        self.assertRegex(text, "points: FAIL\n    the kernel panicked: unended panic: no newline\n")
        self.assertRegex(text, "(?s)wanted: OK\n.*no panic: OK\nScore: 12/20")
        self.assertIn("freewalk", (self.tree / "out.driver").read_text())

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
        late = "time is out: the machine has run for 0.5 s"
        for name, remark in (
            ("idle", late), ("busy", late), ("flood", "the console printed more than 1 MiB"),
            ("off", "QEMU ended by itself with status 3"),
        ):
            self.assertRegex(text, rf"(?s){name}: FAIL\n[^=]*MISSING '\^never\$'\n    {remark}\n")

    def test_silent_and_broken_machines(self) -> None:
        """A machine that prints nothing, or that does not even start, is told apart."""
        (self.tree / "broken").touch()
        self.assertRegex(
            self.run_script(["echo"], status=1),
            r"QEMU does not start \(status 1\): no such machine"
        )
        (self.tree / "Makefile").write_text("all:\n")
        self.assertIn(
            "the Makefile does not say how it runs QEMU", self.run_script(["echo"], status=1)
        )

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
        self.assertIn("disk: OK", text)
        self.assertEqual((self.tree / "fs.img").read_text(), "pristine\n")

    def test_makefile_that_prints_no_command(self) -> None:
        """As in xv6: the command is read from what make would do."""
        self.write_makefile(MAKEFILE)
        self.assertIn("\nOK\n", self.run_script(["echo OK"], run=", make_args=('EXTRA=-other',)"))
        self.assertRegex((self.tree / "arguments").read_text(), r" -machine none .* -other -S ")

    def test_two_at_once(self) -> None:
        """Two runs of one tree neither see each other's disk nor end each other."""
        body = "\n".join([
            "@test(1, 'own disk')", "def test_own():",
            "    word = random_str()",
            "    for i in range(2): r.run_qemu(shell_script(['keep ' + word, 'slow', 'kept']))",
            "    assert_equal(re.findall('^kept\\n(.*)', r.qemu.output.replace('$ ', ''), re.M | re.S)[0].split(),",
            "                 ['pristine', word, word])",
        ])
        first = self.start(body)
        self.assertIn("own disk: OK", self.start(body).communicate(timeout=SCRIPT_SECONDS)[0])
        self.assertIn("own disk: OK", first.communicate(timeout=SCRIPT_SECONDS)[0])

    def test_qemu_never_outlives_the_run(self) -> None:
        """However that ends."""
        numbers = [
            signal.SIGTERM, signal.SIGINT, signal.SIGHUP
        ] + [signal.SIGKILL] * sys.platform.startswith("linux")
        for number in numbers:
            with self.subTest(number.name):
                gradelib.maybe_unlink(self.tree / "qemu.pid")
                process = self.start(
                    "@test(1, 'x')\ndef test_x():\n    r.run_qemu(shell_script(['idle']))\n"
                )
                pid = self.pid()
                process.send_signal(number)
                process.communicate(timeout=SCRIPT_SECONDS)
                self.assertTrue(gone(pid))
                self.assertEqual(process.returncode, 130 if number == signal.SIGINT else -number)
                if number != signal.SIGKILL:
                    self.assertEqual(list(self.private.glob("gradelib-*")), [])


class HelperTest(unittest.TestCase):
    """What needs no machine."""

    def failure(self, function: object, *arguments: object, **more: object) -> str:
        """Returns the message with which the call fails."""
        with self.assertRaises(AssertionError) as caught:
            function(*arguments, **more)  # type: ignore[operator]
        return str(caught.exception)

    def test_surface(self) -> None:
        """Every name is there, and the file is Python 3.9.

        Numbers that change are not imported with a star: the script would have what they were.
        """
        self.assertEqual([name for name in gradelib.__all__ if not hasattr(gradelib, name)], [])
        for name in ("TOTAL", "POSSIBLE", "PART_TOTAL", "PART_POSSIBLE", "CURRENT_TEST", "options"):
            self.assertTrue(hasattr(gradelib, name), name)
            self.assertNotIn(name, gradelib.__all__)
        ast.parse((ROOT / "gradelib.py").read_text(), feature_version=(3, 9))
        with self.assertRaises(RuntimeError):
            gradelib.get_current_test()

    def test_assertions(self) -> None:
        """What they accept, and what they say."""
        gradelib.assert_equal(1, 1)
        self.assertEqual(
            self.failure(gradelib.assert_equal, 1, 2, "m"), "m\ngot:\n  1\nexpected:\n  2"
        )
        text = "\n".join(["a"] + ["."] * 20 + ["b c", "d"])
        gradelib.assert_lines_match(text, "^a$", "b", "d", no=["c"])
        said = self.failure(gradelib.assert_lines_match, text, "^a$", "x+", no=["^b"])
        self.assertRegex(
            said, r"(?m)^   GOOD a\n(.*\n)*\.\.\.\n(.*\n)*    BAD b c\n *d\nMISSING 'x\+'$"
        )
        self.failure(gradelib.assert_lines_match, "a\nb", "a\nb")

    def test_control_characters(self) -> None:
        """What a kernel prints moves no cursor and changes no color."""
        hostile = "\033[2J\033[32mgood\033]0;x\007\b\u202e\x9b"
        said = self.failure(gradelib.assert_lines_match, hostile, "bad")
        said += self.failure(gradelib.assert_equal, hostile, "good")
        self.assertTrue(all(line.isprintable() for line in said.split("\n")), repr(said))
        self.assertIn("\\x1b[2J", said)
        for when in ("never", "always"):
            output = io.StringIO()
            options = argparse.Namespace(color=when)
            with mock.patch.object(gradelib, "options", options), contextlib.redirect_stdout(output):
                shown = f"{gradelib.color('red', 'MISSING')} {hostile}"
                gradelib.Report().end(gradelib.Test(lambda: None, 1, "x", None), shown, 0.0)
            text = re.sub(r"\033\[(?:0|3[12])m", "", output.getvalue())
            self.assertTrue(all(line.isprintable() for line in text.split("\n")), repr(text))
            self.assertEqual("\033[31mMISSING\033[0m" in output.getvalue(), when == "always")

    def test_files(self) -> None:
        """time.txt and answers."""
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            cases: dict[str, str] = {
                "": "does not contain a single", "3 h\n": "does not contain a single", " 12\n": ""
            }
            self.assertIn("Cannot read time.txt", self.failure(gradelib.check_time))
            for text, wanted in cases.items():
                Path("time.txt").write_text(text)
                if wanted:
                    self.assertIn(wanted, self.failure(gradelib.check_time))
            gradelib.check_time()
            Path("answers.txt").write_text("9 chars..\n")
            self.assertIn("enough text", self.failure(gradelib.check_answers, "answers.txt"))
            gradelib.check_answers("answers.txt", 9)
            os.chdir(before)
        self.assertRegex(gradelib.random_str(20), r"^[A-Za-z0-9]{20}$")


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


class ClockTest(unittest.TestCase):
    """A machine that gets no processor is given time."""

    def test_waits(self) -> None:
        """The thread that waited most counts."""
        clock = FakeClock([{"1": 5.0}, {"1": 5.5, "2": 1.5}, {"1": 5.5, "2": 1.5}], [0.0])
        self.assertAlmostEqual(clock.after(2.0), 0.5, 1)
        self.assertAlmostEqual(clock.after(2.0), 2.0, 1)

    def test_without_waits(self) -> None:
        """A busy process is counted its processor time, an idle one the host's time."""
        clock = FakeClock([{}] * 4, [1.0, 1.5, 1.51, 6.0])
        self.assertAlmostEqual(clock.after(2.0), 0.5, 1)
        self.assertAlmostEqual(clock.after(2.0), 2.0, 1)
        self.assertAlmostEqual(clock.after(2.0), 2.0, 1)

    def test_process(self) -> None:
        """A real one's time is read."""
        clock = gradelib.Clock(os.getpid())
        clock.waits = {}
        self.assertGreater(clock._used(), 0.0)


class KernelTest(unittest.TestCase):
    """The real kernel in the real QEMU."""

    def test_real_run(self) -> None:
        """Commands, a breakpoint at a function of the kernel, the tree's command for QEMU."""
        body = HEADING.replace("'out'", "os.environ['OUT']") + """
@test(1, "real")
def test_real():
    r.run_qemu(shell_script(["echo BEFORE", "rm absent", "echo AFTER"]), stop_breakpoint("sys_unlink"))
    r.match("^BEFORE$", r"^\\$ rm absent$", no=["^AFTER$", "panic"])
""" + FOOTING
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "grade.py"
            script.write_text(body)
            environment = environment_with(OUT=Path(folder, "out"))
            run = subprocess.run(
                [sys.executable, str(script), "--color", "never"], cwd=ROOT, env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SCRIPT_SECONDS,
                check=False,
            )
            self.assertEqual(run.returncode, 0, run.stdout)
            self.assertIn("BEFORE", Path(folder, "out").read_text())
