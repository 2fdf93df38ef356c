"""Grading scripts for the tests of gradelib.py: a tree whose QEMU is a stand-in, a shell with a few
commands."""
from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gradelib
import pytest

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
        elif command == "nested":
            for text in ("$ ", "$ ", "hello\n$ "): say(text, 0.05)
            say("\n")
        elif command == "keep": open(disk, "a").write(rest + "\n")
        elif command == "kept": say(open(disk).read())
        elif command == "background": say("$ late\n"); sys.stdin.readline(); say("heard\n")
        elif command == "idle": time.sleep(100000)
        elif command == "slow": say("started\n", 0.6)
        elif command == "off": sys.exit(int(rest))
        elif command == "panic":
            say("last words\npanic: " + rest + "\n  at here\n")
            time.sleep(100000)
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
COMMAND = "{qemu} -kernel kernel/kernel -drive file=fs.img,id=x0 -printed $(EXTRA)"
PRINTS_COMMAND = f"print-qemu:\n\t@echo '{COMMAND}'\n"


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


class TreeTest:
    """Has a tree whose QEMU is the stand-in."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> Iterator[None]:
        self.tree = tmp_path / "graded tree"
        self.private = self.tree / "private"
        self.private.mkdir(parents=True)
        self.qemu = self.tree / "qemu-system-riscv64"
        self.qemu.write_text(STAND_IN.replace("{python}", sys.executable))
        self.qemu.chmod(self.qemu.stat().st_mode | stat.S_IXUSR)
        (self.tree / "kernel.c").write_text("a kernel\n")
        self.write_makefile(MAKEFILE + PRINTS_COMMAND)
        self.started: list[subprocess.Popen[str]] = []
        yield
        for process in self.started:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

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
        self.started.append(process)
        return process

    def grade(self, body: str, *arguments: str, status: int = 0, tree: Path | None = None) -> str:
        """Runs a grading script to its end and returns what it prints, without times."""
        return self.finish(self.start(body, *arguments, tree=tree), status)

    def grade_whole(
        self, text: str, *arguments: str, status: int = 0, python: str = sys.executable
    ) -> str:
        """As grade, for a script to which nothing is added."""
        return self.finish(self.start_whole(text, *arguments, python=python), status)

    def finish(self, process: subprocess.Popen[str], status: int) -> str:
        """Waits for the script's end; returns what it prints, without times."""
        output, _ = process.communicate(timeout=SCRIPT_SECONDS)
        assert process.returncode == status, output
        assert list(self.private.glob("gradelib-*")) == [], "a private folder is left"
        return re.sub(r" ?\(\d+\.\ds\)", "", output)

    def pid(self) -> int:
        """Returns the pid of the stand-in as soon as it has one."""
        deadline = time.monotonic() + SCRIPT_SECONDS
        file = self.tree / "qemu.pid"
        while time.monotonic() < deadline:
            if file.exists() and file.read_text():
                return int(file.read_text())
            time.sleep(0.02)
        pytest.fail("QEMU does not start")
