"""A class that is graded on a cluster, with students whose grading a test holds and lets go."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from classroom.record import read_record
from slurm_cluster import Cluster, wait_for
from stub_course import Course

COMMAND = Path(__file__).with_name("slurm_command.py")
GRADED = "graded"


class Line(NamedTuple):
    """A line of the journal."""

    time: str
    machine: str
    pid: str
    what: str
    student: str


def listen_to_interrupts() -> None:
    """Lets Ctrl-C interrupt a new process, even if a shell runs this one in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Command:
    """A command that runs beside the test; what it prints is in a file."""

    def __init__(self, words: list[str], cluster: Cluster, log: Path) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                words, env=cluster.environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True, preexec_fn=listen_to_interrupts,
            )

    def said(self) -> str:
        """Returns what it has printed so far."""
        return self.log.read_text(errors="replace")

    def has_said(self, text: str) -> None:
        """Waits until it has printed a text."""
        wait_for(text, lambda: text in self.said() or self.process.poll() is not None, self.said)
        assert text in self.said()

    def finish(self) -> int:
        """Waits for its end; returns the exit status."""
        wait_for("the end of the command", lambda: self.process.poll() is not None, self.said)
        return int(self.process.returncode)


class SlurmCourse(Course):
    """A class, and a cluster."""

    def __init__(self, folder: Path, cluster: Cluster, students: int) -> None:
        super().__init__(folder)
        self.folder, self.cluster = folder, cluster
        self.students = [f"s{number:02}" for number in range(students)]
        self.commands: list[Command] = []
        self.hand_in(**{student: "100" for student in self.students})

    # ---- Commands ----

    def command(self, per_task: int = 1, *words: str) -> Command:
        """Starts to grade on the cluster, with these words for sbatch."""
        line = self.words("--slurm", "--per-task", str(per_task), f"--slurm-args={' '.join(words)}")
        log = self.folder / f"command-{len(self.commands)}.log"
        command = Command([sys.executable, str(COMMAND), *line[2:]], self.cluster, log)
        self.commands.append(command)
        return command

    def end(self) -> None:
        """Ends all commands that a test has left."""
        for command in self.commands:
            with suppress(ProcessLookupError):
                os.killpg(command.process.pid, signal.SIGKILL)
            command.process.wait()

    # ---- Students ----

    def hold(self, *students: str) -> None:
        """Lets gradings of these wait."""
        self.hand_in(**{student: "wait" for student in students})

    def release(self) -> None:
        """Lets all gradings go on."""
        for student in self.students:
            self.go(student)

    # ---- What has happened ----

    def rounds(self) -> int:
        """Returns how often tasks have been queued."""
        return len(list(self.out.glob("slurm/*/batches.json")))

    def logs(self) -> list[str]:
        """Returns what each task has printed."""
        return [log.read_text(errors="replace") for log in self.out.glob("slurm/*/*.log")]

    def journal(self) -> list[Line]:
        """Returns the whole lines of the journal."""
        try:
            lines = (self.out / "journal.log").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [Line(*line.split()) for line in lines if len(line.split()) == 5]

    def count(self, what: str) -> Counter[str]:
        """Returns how often each student appears in the journal with that word."""
        return Counter(line.student for line in self.journal() if line.what == what)

    def started(self, *students: str, times: int = 1) -> Line:
        """Waits until each student's grading has started so often; returns the last such line."""
        wait_for(
            f"start {times} of {students}",
            lambda: all(self.count("start")[student] >= times for student in students),
            self.explain,
        )
        return [line for line in self.journal() if line[3:] == ("start", students[-1])][-1]

    def node_of(self, student: str) -> str:
        """Returns on which node a student's last grading has started."""
        pid = self.started(student).pid
        nodes = [node for node in ("w1", "w2") if int(pid) in self.cluster.node_processes(node)]
        assert len(nodes) == 1, self.explain()
        return nodes[0]

    def explain(self) -> str:
        """Returns what commands, tasks and the cluster have said."""
        said = [command.said() for command in self.commands] + self.logs()
        said += [str(line) for line in self.journal()]
        queue = self.cluster.run("squeue", "--array")
        return "\n".join([*said, queue, str(self.cluster.node_states()), self.cluster.logs()])

    def tasks(self) -> list[str]:
        """Returns the states of the tasks in the queue."""
        return self.cluster.run("squeue", "--noheader", "--array", "--format=%t").split()

    def check_all_graded(self, *but: str) -> None:
        """Checks that every student but these has a complete result, and was graded once."""
        expected = Counter(student for student in self.students if student not in but)
        assert self.count(GRADED) == expected, self.explain()
        for student in expected:
            assert read_record(self.out, student)["results"]["complete"]
        assert not list((self.out / "results").glob("*.new"))
