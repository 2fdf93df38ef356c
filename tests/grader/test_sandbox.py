"""The sandbox: what commands see, and that every limit ends them."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from grader.budget import ORDINARY_SECONDS, Budget
from grader.errors import InfraError
from grader.processes import Idleness
from grader.protections import CALLS
from grader.sandbox import FULL, NONE, Finished, Limits, python_folders
from grader.syscalls import NOTHING
from products import ROOT
from submissions import need_sandbox
from usage import Usage, process_tree

WAIT_SECONDS = 600.0  # for what happens at once, unless the host is very busy
LIMITS = Limits(
    cpu_seconds=20, memory_bytes=1 << 30, file_bytes=1 << 20, processes=30, output_bytes=10000,
    disk_bytes=10 << 20,
)
PYTHON = os.path.realpath(sys.executable)
TOOLS = str(ROOT / "tools")


def is_alive(pid: int) -> bool:
    """Tells whether the process is there and no zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(pids: list[int]) -> list[int]:
    """Returns which of the processes still live after a while."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        pids = list(filter(is_alive, pids))
        if not pids:
            break
        time.sleep(0.02)
    return pids


@pytest.fixture
def lacking() -> None:
    """This machine lacks nothing; another module's may."""


class Case:
    """A test with a sandbox and a folder."""

    mode = FULL

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path, lacking: None) -> None:
        self.sandbox = need_sandbox(self.mode)
        self.sandbox.share(tmp_path)
        self.folder = tmp_path
        self.shown, self.open = self.folder / "shown", self.folder / "open"
        for folder in (self.shown, self.open):
            folder.mkdir()
            (folder / "file").write_text("text\n")
        (self.folder / "secret").write_text("answer\n")

    def run_script(self, script: str, **changes: Any) -> Finished:
        """Runs a shell script that may read `shown` and write `open`."""
        limits = replace(LIMITS, **changes)
        read = [self.shown, *(python_folders() if PYTHON in script else [])]
        return self.sandbox.run(
            ["/bin/sh", "-c", script], cwd=self.open, read=read, write=[self.open], limits=limits
        )

    def ended(self, script: str, by: str, **changes: Any) -> Finished:
        """The script must be ended for this reason."""
        done = self.run_script(script, **changes)
        assert done.ended_by == by, done
        assert done.status != 0
        return done


class TestEnds(Case):
    """How commands end, with walls."""

    def test_status_and_output(self) -> None:
        done = self.run_script("echo out; echo err >&2; exit 3")
        assert (done.status, done.output, done.ended_by) == (3, "out\nerr\n", "")

    def test_signal(self) -> None:
        assert self.ended("kill -SEGV $$", "signal").status == 128 + signal.SIGSEGV

    def test_cpu(self) -> None:
        self.ended("while :; do :; done", "cpu", cpu_seconds=1)

    def test_memory(self) -> None:
        self.ended(f"{PYTHON} -c 'bytearray(1 << 31)'", "memory")

    def test_processes(self) -> None:
        self.ended("while :; do sleep 10000 & done", "processes")

    def test_output(self) -> None:
        done = self.ended("while :; do echo hello hello hello; done", "output")
        assert len(done.output) == LIMITS.output_bytes

    def test_idle(self) -> None:
        self.ended("sleep 10000", "idle", idle_seconds=0.5)

    def test_no_such_program(self) -> None:
        with pytest.raises(InfraError, match="nosuchprogram was not found"):
            self.sandbox.run(["nosuchprogram"], cwd=self.open)


class TestEndsUnsafe(TestEnds):
    """The limits of TestEnds, without walls."""

    mode = NONE


class TestSums(Case):
    """Limits that hold for all processes of a command together, and the edges of others."""

    def test_cpu_of_many(self) -> None:
        self.ended("for i in 1 2 3; do while :; do :; done & done; wait", "cpu", cpu_seconds=1)

    def test_memory_of_many(self) -> None:
        hog = f"{PYTHON} -c 'import time; x = b\"x\" * (60 << 20); time.sleep(10000)' &"
        self.ended(f"{hog} {hog} {hog} {hog} wait", "memory", memory_bytes=200 << 20)

    def test_output_to_the_byte(self) -> None:
        assert self.run_script("printf %0100d 0", output_bytes=100).ended_by == ""
        self.ended("printf %0101d 0; sleep 10000", "output", output_bytes=100)

    def test_output_closed_early(self) -> None:
        self.ended("exec >&- 2>&-; sleep 10000", "idle", idle_seconds=0.5)

    def test_file_size(self) -> None:
        self.ended("head -c 3000000 /dev/zero >large || exit 1", "file")
        assert (self.open / "large").stat().st_size <= LIMITS.file_bytes + 512

    def test_disk(self) -> None:
        self.ended(
            "i=0; while :; do head -c 900000 /dev/zero >f$i; i=$((i+1)); sleep 0.02; done", "disk"
        )


# What holds memory that is no process's own: 60 MB of it, again and again.
HIDDEN = {
    "memfd": "f = os.memfd_create('x'); kept.append(f); os.write(f, bytes(60 << 20))",
    "System V": (
        "c.shmat.restype = ctypes.c_void_p; i = c.shmget(0, 60 << 20, 0o1600)\n"
        " p = c.shmat(i, 0, 0); assert p < 1 << 63; ctypes.memset(p, 1, 60 << 20)\n"
        " c.shmdt(ctypes.c_void_p(p))"
    ),
    "sockets": (
        "a, b = socket.socketpair(); a.setblocking(False); kept += [a, b]\n"
        " try: [a.send(bytes(1 << 16)) for _ in range(1000)]\n except BlockingIOError: pass"
    ),
    "files without a name": (
        "f = os.open('gone', os.O_CREAT | os.O_RDWR); os.unlink('gone'); kept.append(f)\n"
        " for _ in range(20): os.write(f, bytes(1 << 19))"
    ),
    "files in /dev/shm": "f = open('/dev/shm/x', 'wb'); kept.append(f); f.write(bytes(60 << 20))",
}


class TestHidden(Case):
    """Memory and disk that neither a process nor a folder shows."""

    def hide(self, deed: str) -> Finished:
        """Does it 20 times; each time it is said."""
        (self.shown / "hide.py").write_text(
            "import ctypes, os, socket, time\nc = ctypes.CDLL(None, use_errno=True)\nkept = []\n"
            f"for _ in range(20):\n {deed}\n print('done', flush=True)\n time.sleep(0.5)\n"
        )
        script = f"{PYTHON} {self.shown}/hide.py"
        return self.run_script(
            script, memory_bytes=200 << 20, file_bytes=100 << 20, disk_bytes=30 << 20
        )

    @pytest.mark.parametrize("place", HIDDEN)
    def test_nothing_is_hidden(self, place: str) -> None:
        if CALLS not in self.sandbox.walls.protections.means:
            pytest.skip("libseccomp was not found: run `make setup`")
        done = self.hide(HIDDEN[place])
        assert done.status != 0
        assert done.output.count("done") <= 5, done.output

    def test_memory_in_files_is_counted_without_a_filter(self) -> None:
        with mock.patch("grader.walls.Filters.of", return_value=b""):
            assert self.hide(HIDDEN["memfd"]).ended_by == "memory"
        assert self.hide(HIDDEN["files without a name"]).ended_by == "disk"


class TestBudgets(Case):
    """All commands together have so much time."""

    def test_commands_share_it(self) -> None:
        self.sandbox.budget = Budget(3.0)
        self.ended("while :; do :; done", "cpu", cpu_seconds=2)
        self.ended("while :; do :; done", "cpu", cpu_seconds=20)
        assert self.sandbox.budget.left == 0
        start = self.sandbox.budget.spent
        self.ended("while :; do :; done", "cpu", cpu_seconds=20)
        assert self.sandbox.budget.spent - start < 3

    def test_sleeping_counts(self) -> None:
        self.run_script("sleep 1.5")
        assert self.sandbox.budget.spent > 1.0

    def test_blame(self) -> None:
        """Time that is short is the submission's fault if it used more than any right one."""
        budget = Budget(1000.0)
        budget.spend(ORDINARY_SECONDS)
        assert not budget.end_if_wasted()
        budget.spend(1.0)
        assert budget.end_if_wasted()
        assert budget.left == 0


class TestTimes(Case):
    """A busy host does not make a command idle, and no command lasts forever."""

    def idle_at(self, steps: Sequence[Usage], seconds: float) -> int | None:
        """Returns the look, one a second, at which a tree of this usage counts as idle for so
        long."""
        idleness = Idleness()
        return next(
            (n for n, usage in enumerate(steps) if idleness.lasts(float(n), usage, seconds)), None
        )

    def test_nothing_is_done(self) -> None:
        assert self.idle_at([Usage(2, 1.0, 1.0)] * 20, 5.0) == 5

    def test_running_and_waiting(self) -> None:
        assert self.idle_at([Usage(2, n * 0.2, 0.0) for n in range(20)], 5.0) is None
        assert self.idle_at([Usage(2, 1.0, n * 0.9) for n in range(20)], 5.0) is None
        assert self.idle_at([Usage(2, 1.0, 1.0, is_blocked=True)] * 20, 5.0) is None

    def test_until_it_sleeps(self) -> None:
        assert self.idle_at([Usage(2, min(n, 10) * 0.9, 0.0) for n in range(30)], 5.0) == 15

    def test_processes_that_end(self) -> None:
        # each ends after four looks
        waits = [Usage(2, 1.0 + n * 0.1, n % 4 * 0.9) for n in range(40)]
        assert self.idle_at(waits, 5.0) is None
        naps = [Usage(2, 1.0 + n * 0.001, n % 2 * 0.001) for n in range(40)]
        assert self.idle_at(naps, 5.0) == 5

    def test_sleep(self) -> None:
        """Sleep is time neither run nor spent waiting; a stalled host does not count as sleep."""
        idleness = Idleness()
        for now, usage in (
            (0.0, Usage(1, 0.0)), (1.0, Usage(1, 0.75)), (2.0, Usage(1, 0.75, 0.5)),
            (99.0, Usage(1, 0.75, 0.5))
        ):
            idleness.lasts(now, usage, 5.0)
        assert idleness.slept == 0.25 + 0.5 + 2.0

    def test_waiting_forever(self) -> None:
        waits = iter(range(1, 1000))
        with mock.patch("grader.watch.tree_usage", lambda pid: Usage(2, 0.1, float(next(waits)))):
            with mock.patch("grader.watch.OVERLOAD", 1):
                self.ended("sleep 10000", "wall", cpu_seconds=1, idle_seconds=0.5)

    def test_system_that_does_not_tell(self) -> None:
        with mock.patch("grader.watch.tree_usage", lambda pid: Usage()):
            self.ended("sleep 10000", "wall", cpu_seconds=1, idle_seconds=0.1)
            assert self.run_script("sleep 0.3", cpu_seconds=20, idle_seconds=0.1).ended_by == ""


class TestWalls(Case):
    """What commands cannot see or do."""

    def says(self, script: str, output: str) -> None:
        """The script must print this."""
        assert self.run_script(script).output.strip() == output

    def test_files(self) -> None:
        self.says("cat ../shown/file file; echo new >file; cat file", "text\ntext\nnew")
        self.says("(echo new >../shown/file) 2>/dev/null; cat ../shown/file", "text")
        self.says(f"cat {self.folder}/secret 2>/dev/null || ls {self.folder}", "open\nshown")
        self.says(f"ls {Path.home()} /home /root /var /etc/passwd 2>/dev/null", "")
        self.says("for f in / /usr /dev /proc; do (echo x >$f/x) 2>/dev/null && echo $f; done", "")

    def test_tmp_is_private_and_limited(self) -> None:
        file = f"/tmp/{self.folder.name}.x"
        self.says(
            f"echo x >{file} && ls {file} && df -k /tmp | awk 'END {{ print $2 <= 262144 }}'",
            f"{file}\n1"
        )
        assert not os.path.exists(file)

    def test_folders_too_many_for_looks(self) -> None:
        """Empty files have no bytes, but each look at them takes time."""
        with mock.patch("grader.watch.FOLDER_FILES", 100):
            self.ended("i=0; while :; do : >f$i; i=$((i+1)); done", "disk")

    def test_tmp_that_cannot_be_written_to(self) -> None:
        script = "echo x >/tmp/x || echo x >/tmp/here/x || echo new >file && cat file"
        command = ["/bin/sh", "-c", script]
        write = [self.open / "file"]
        done = self.sandbox.run(command, cwd=self.open, write=write, read=[self.open], tmp=False)
        assert done.output.splitlines()[-1] == "new", done.output

    def test_threads_are_counted(self) -> None:
        code = "import threading, time; threading.stack_size(1 << 16)\n"
        code += "for _ in range(900): threading.Thread(target=time.sleep, args=(1000,)).start()"
        self.ended(f"{PYTHON} -c '{code}'", "processes", threads=100)

    def test_no_forks(self) -> None:
        """A program that need not start others cannot: no fork bomb, not even for a moment."""
        code = "import os, threading\n"
        code += "for start in (os.fork, threading.Thread(target=print).start):\n"
        code += "    try: start(); print('started')\n"
        code += "    except (OSError, RuntimeError): print('refused')"
        command = [PYTHON, "-c", code]
        done = self.sandbox.run(
            command, cwd=self.open, read=python_folders(), write=[self.open],
            limits=replace(LIMITS, starts=NOTHING)
        )
        assert done.output.split() == ["refused", "refused"]

    def test_network(self) -> None:
        self.says("grep -c : /proc/net/dev; hostname", "1\nsandbox")

    def test_processes(self) -> None:
        self.says(
            f"kill -0 {os.getpid()} 2>/dev/null || echo none; "
            "ls -d /proc/[0-9]* | wc -l | awk '{ print $1 < 8 }'",
            "none\n1",
        )

    def test_environment(self) -> None:
        with mock.patch.dict(os.environ, COW_SECRET="x"):
            self.says("echo ${COW_SECRET:-none} $HOME; id -u", "none /tmp\n65534")

    def test_nothing_is_left(self) -> None:
        process = self.sandbox.popen(
            ["/bin/sh", "-c", "setsid sleep 1000 & echo started; sleep 1000"], cwd=self.open,
            write=[self.open],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        tree = process_tree(process.pid)
        assert len(tree) >= 4
        process.kill()
        process.wait()
        process.stdout.close()
        assert wait_for_end(tree) == []

    def test_children_left_behind_end_with_the_command(self) -> None:
        assert self.run_script("setsid sleep 10000 & echo done").ended_by == ""

    def test_dies_with_its_parent(self) -> None:
        program = (
            f"import sys, time; sys.path.insert(0, {TOOLS!r})\n"
            "from pathlib import Path\nfrom grader.sandbox import *\n"
            "from usage import process_tree\n"
            f"p = Sandbox({self.mode!r}).popen(['sleep', '1000'], cwd=Path({str(self.open)!r}), "
            f"write=[Path({str(self.open)!r})], stdout=None)\n"
            "while len(process_tree(p.pid)) < 3: time.sleep(0.02)\n"
            "print(*process_tree(p.pid), flush=True)\ntime.sleep(1000)"
        )
        with subprocess.Popen([PYTHON, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            pids = [int(word) for word in parent.stdout.readline().split()]
            parent.kill()
        assert wait_for_end(pids) == []
