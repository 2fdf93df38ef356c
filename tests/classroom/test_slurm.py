"""Tests of a class on Slurm, on a cluster inside this machine, with faults made on purpose.

Those marked `whole` run in `make check-class` only.
"""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import slurm_cluster
from classroom.record import read_records
from products import ROOT
from slurm_cluster import MARK, Cluster, marked, missing_programs, running_cluster, wait_for
from slurm_course import SlurmCourse
from solutions import all_solutions

MISSING = missing_programs()
SMALL_DISK = "COW6_SMALL_DISK"
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"no {', '.join(MISSING)}: `make setup check-class` installs Slurm",
)
whole = pytest.mark.whole


@pytest.fixture(name="cluster")
def fixture_cluster() -> Iterator[Cluster]:
    """A cluster of two nodes, with four processors and two."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(name="course")
def fixture_course(cluster: Cluster, tmp_path: Path) -> Iterator[SlurmCourse]:
    """A class of ten."""
    course = SlurmCourse(tmp_path.resolve(), cluster, 10)
    yield course
    course.end()


def name_of_tasks(course: SlurmCourse) -> str:
    """Returns the name that the tasks have in the queue."""
    return course.cluster.run("squeue", "--noheader", "--format=%j").split()[0]


def wait_for_down(course: SlurmCourse, node: str) -> None:
    """Waits until Slurm gives up a node, and lets the tasks that this has lost start at once."""
    wait_for("the node's end", lambda: "down" in course.cluster.node_states().get(node, ""))
    start_at_once(course)


def start_at_once(course: SlurmCourse) -> None:
    """Lets tasks that Slurm has queued again start now, not in two minutes."""
    for task in course.cluster.run("squeue", "--noheader", "--array", "--format=%i").split():
        course.cluster.run("scontrol", "update", f"JobId={task}", "StartTime=now")


# ---- The short form ----


def test_all_are_graded_once(course: SlurmCourse) -> None:
    """By several tasks, of several submissions each; nothing is left to do then."""
    command = course.command(3)
    assert command.finish() == 0, course.explain()
    course.check_all_graded()
    assert "4 tasks for 10 submissions are queued" in command.said()
    assert len(re.findall(r"^\[\d+/10\] s\d\d: ", command.said(), re.MULTILINE)) == 10
    assert course.command(3).finish() == 0
    assert course.rounds() == 1


def test_killed_worker(course: SlurmCourse) -> None:
    """The others of its task are graded by this, and the one that it graded by a second task."""
    course.hold("s00")
    command = course.command(5)
    os.kill(int(course.started("s00").pid), signal.SIGKILL)
    course.started("s00", times=2)
    command.has_said("1 submissions are still missing, and are queued again")
    assert re.search(r"slurm/1/\d+_0\.log: w\d could not grade s00", command.said())
    course.release()
    assert command.finish() == 0, course.explain()
    course.check_all_graded()


def test_nothing_is_left_of_a_cluster(tmp_path: Path) -> None:
    """Not even if whoever started it is killed."""
    line = f'echo "$SLURM_CONF" >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/conf; exec sleep 3600'
    with subprocess.Popen([sys.executable, slurm_cluster.__file__, "sh", "-c", line]) as starter:
        wait_for("a cluster", lambda: (tmp_path / "conf").exists() or starter.poll() is not None)
        starter.kill()
    folder = Path((tmp_path / "conf").read_text().strip()).parent
    wait_for("the end of all", lambda: not folder.exists())
    assert not list(marked(MARK, str(folder)))


# ---- What the user does ----


@whole
def test_interrupted_command_is_attached_to_again(course: SlurmCourse) -> None:
    """Ctrl-C, or the death of the command, leaves the tasks; the next command waits for these, and
    nothing is queued twice."""
    course.hold(*course.students)
    command = course.command(5)
    course.started("s00")
    command.process.send_signal(signal.SIGINT)
    assert command.finish() == 3
    assert "Tasks that are queued go on" in command.said()
    second = course.command(5)
    second.has_said("are queued already: waiting for them")
    second.process.kill()
    third = course.command(5)
    third.has_said("are queued already: waiting for them")
    course.release()
    assert third.finish() == 0, course.explain()
    course.check_all_graded()
    assert course.rounds() == 1


@whole
def test_late_student_while_tasks_are_queued(course: SlurmCourse) -> None:
    """The next command waits for what is queued, and then queues only who is missing."""
    course.hold("s00")
    course.command(5).has_said("are queued: array")
    course.started("s00")
    course.students.append("late")
    course.hand_in(late="100")
    command = course.command(5)
    command.has_said("are queued already: waiting for them")
    course.release()
    assert command.finish() == 0, course.explain()
    course.check_all_graded()
    assert command.said().count("are queued already") == 1
    assert "1 tasks for 1 submissions are queued" in command.said() and course.rounds() == 2


@whole
def test_three_commands_at_once(course: SlurmCourse) -> None:
    """One of them queues the tasks, and all wait for these."""
    course.hold("s00")
    commands = [course.command(5) for _ in range(3)]
    for command in commands:
        command.has_said("are queued")
    course.started("s00")
    course.release()
    assert [command.finish() for command in commands] == [0, 0, 0], course.explain()
    course.check_all_graded()
    assert course.rounds() == 1


@whole
def test_the_same_array_twice(course: SlurmCourse) -> None:
    """Workers of two arrays meet at each submission, and one of them grades it."""
    course.hold("s00", "s01")
    command = course.command(5)
    course.started("s00", "s01")
    folder = course.out / "slurm/1"
    course.cluster.run(
        "sbatch", f"--job-name={name_of_tasks(course)}", "--array=0-1", f"--chdir={folder}",
        "--output=%A_%a.log", f"{folder}/task.sh", "0",
    )
    wait_for("four tasks", lambda: [text for text in course.logs() if text][3:], course.explain)
    course.release()
    assert command.finish() == 0, course.explain()
    wait_for("the end of all", lambda: not course.tasks(), course.explain)
    course.check_all_graded()
    assert set(course.count("start").values()) == {1}
    assert all("all done" in text for text in course.logs())


@whole
def test_cancelled_tasks(course: SlurmCourse) -> None:
    """They are queued again, each with one submission."""
    course.hold("s00", "s01")
    command = course.command(5)
    course.started("s00", "s01")
    course.cluster.run("scancel", f"--name={name_of_tasks(course)}")
    command.has_said("10 submissions are still missing")
    assert "CANCELLED" in command.said()
    course.release()
    assert command.finish() == 0, course.explain()
    course.check_all_graded()
    assert "10 tasks for 10 submissions" in command.said()


@whole
def test_held_tasks(course: SlurmCourse) -> None:
    """It is said how they are let go."""
    command = course.command(5, "--hold")
    command.has_said("2 tasks wait: JobHeldUser (`scontrol release jobname=")
    release = re.search(r"`(scontrol release \S+)`", command.said())
    assert release
    course.cluster.run(*release[1].split())
    assert command.finish() == 0, course.explain()
    course.check_all_graded()


@whole
def test_more_tasks_than_an_array_can_have(cluster: Cluster, tmp_path: Path) -> None:
    """Several arrays are queued, one after the other, so that the throttle holds."""
    course = SlurmCourse(tmp_path.resolve(), cluster, 45)
    command = course.command(1)
    assert command.finish() == 0, course.explain()
    course.check_all_graded()
    arrays = re.search(r"45 tasks .* queued: array (\d+), (\d+), (\d+),", command.said())
    assert arrays
    logs = [len(list(course.out.glob(f"slurm/1/{array}_*.log"))) for array in arrays.groups()]
    assert logs == [20, 20, 5]


@whole
def test_refusals(course: SlurmCourse) -> None:
    """Slurm's own words are shown, with what was asked of it; nothing is graded."""
    command = course.command(5, "--partition=nowhere")
    assert command.finish() == 3
    assert "invalid partition specified: nowhere" in command.said()
    assert "The words of --slurm-args were: --partition=nowhere" in command.said()
    course.cluster.kill_daemon("slurmctld")
    command = course.command(5)
    assert command.finish() == 3
    assert "Slurm's controller does not answer" in command.said()
    course.cluster.environment["PATH"] = "/nonexistent"
    command = course.command(5)
    assert command.finish() == 3
    assert "sbatch and squeue not found" in command.said()
    assert not course.journal()


# ---- What fails ----


@whole
def test_deadly_submissions(course: SlurmCourse) -> None:
    """What always brings down its worker costs nobody else his result; it is given up after some
    rounds, and graded by a later command."""
    course.hand_in(s03="kill", s04="kill")
    command = course.command(5)
    assert command.finish() == 3, course.explain()
    course.check_all_graded("s03", "s04")
    assert re.search(r"s03: not graded: no task .*\n.*s04: not graded: no task", command.said())
    assert course.count("start")["s03"] == 3
    course.hand_in(s03="100", s04="100")
    assert course.command(5).finish() == 0
    course.check_all_graded()


@whole
def test_faults_of_a_machine(course: SlurmCourse) -> None:
    """What a worker could not grade is tried again, and then it is said what failed."""
    course.hand_in(s03="fault", s04="fault once")
    command = course.command(5)
    assert command.finish() == 3, course.explain()
    course.check_all_graded("s03")
    assert "s03: not graded: no space left" in command.said()


@whole
def test_killed_task(course: SlurmCourse) -> None:
    """All processes of a task are killed: what it has graded counts, and the rest is graded by
    others."""
    course.hold("s04")
    command = course.command(5)
    node = course.node_of("s04")
    for pid in course.cluster.task_processes(node):
        os.kill(pid, signal.SIGKILL)
    course.release()
    assert command.finish() == 0, course.explain()
    course.check_all_graded()


@whole
def test_time_limit(course: SlurmCourse) -> None:
    """A task that Slurm ends because it takes too long is such a task, too."""
    course.hold("s02")
    command = course.command(5, "--time=0:1")
    course.started("s02")
    command.has_said("are still missing")
    assert "DUE TO TIME LIMIT" in command.said()
    course.release()
    assert command.finish() == 0, course.explain()
    course.check_all_graded()


@whole
def test_killed_controller(course: SlurmCourse) -> None:
    """Tasks that run go on, and those that wait are started by the next controller."""
    course.hold(*course.students[:8])
    command = course.command(1)
    course.started(*course.students[:6])
    course.cluster.kill_controller()
    command.has_said("Slurm's controller does not answer")
    for student in course.students[:3]:
        course.go(student)
    wait_for("results", lambda: sum(course.count("graded").values()) == 3, course.explain)
    course.cluster.start_controller()
    course.started(*course.students[6:8])
    course.release()
    assert command.finish() == 0, course.explain()
    course.check_all_graded()
    assert course.rounds() == 1


@whole
def test_drained_node(course: SlurmCourse) -> None:
    """It ends what it has begun and gets no more; while no node is left, it is said why tasks
    wait."""
    course.hold("s00")
    command = course.command(1, "--nodelist=w2")
    course.started("s00")
    course.cluster.run("scontrol", "update", "NodeName=w2", "State=DRAIN", "Reason=test")
    command.has_said("tasks wait: ReqNodeNotAvail")
    course.release()
    wait_for("an empty node", lambda: course.cluster.node_states()["w2"] == "drained")
    assert course.count("graded")["s00"] == 1
    course.cluster.run("scontrol", "update", "NodeName=w2", "State=RESUME")
    assert command.finish() == 0, course.explain()
    course.check_all_graded()
    assert course.rounds() == 1


@whole
def test_dead_node(course: SlurmCourse) -> None:
    """Slurm notices it and starts its tasks again elsewhere; these go on where they were."""
    course.hold("s02", "s03")
    command = course.command(5)
    course.started("s02", "s03")
    node = course.node_of("s02")
    course.cluster.kill_node(node)
    wait_for_down(course, node)
    course.started("s02", times=2)
    course.release()
    assert command.finish() == 0, course.explain()
    course.check_all_graded()
    assert course.count("start")["s00"] == course.count("start")["s01"] == 1
    assert course.rounds() == 1


@whole
def test_node_that_starts_again(course: SlurmCourse) -> None:
    """A node that is back before anybody has missed it has lost its tasks."""
    course.hold("s02", "s03")
    command = course.command(5)
    course.started("s02", "s03")
    node = course.node_of("s02")
    course.cluster.kill_node(node)
    course.cluster.start_node(node)
    command.has_said("2 tasks wait: BeginTime (Slurm lets what a node has lost wait")
    start_at_once(course)
    course.release()
    assert command.finish() == 0, course.explain()
    course.check_all_graded()


@whole
def test_node_without_network(course: SlurmCourse) -> None:
    """Slurm gives up a node whose tasks still work, and starts these elsewhere: two workers have
    the same submission, and one waits for the other."""
    course.hold("s00", "s01")
    command = course.command(5)
    course.started("s00", "s01")
    node = course.node_of("s00")
    course.cluster.kill_daemon(node)
    wait_for_down(course, node)
    wait_for(
        "a second start", lambda: any(text.count("batch") > 1 for text in course.logs()),
        course.explain,
    )
    course.release()
    assert command.finish() == 0, course.explain()
    course.check_all_graded()
    assert set(course.count("start").values()) == {1}


def new_disk(place: Path) -> list[str]:
    """Returns the beginning of a command that sees a small disk at a place: it has mounts of its
    own, for which a user who is not root needs a namespace of his own, too."""
    space = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    mount = 'mount -t tmpfs -o size=12m none "$0" && exec "$@"'
    return ["unshare", *space, "--mount", "sh", "-c", mount, str(place)]


@whole
def test_full_disk(tmp_path: Path) -> None:
    """It is said that there is no space; what is graded stays, and the same command goes on when
    there is space again."""
    if SMALL_DISK not in os.environ:
        if not shutil.which("unshare") or subprocess.call([*new_disk(tmp_path), "true"]):
            pytest.skip("this user cannot mount a small disk")
        done = subprocess.run(
            [*new_disk(tmp_path), sys.executable, "-m", "pytest", "-m", "whole", "-x", __file__,
             "-k", "test_full_disk"],
            env={**os.environ, SMALL_DISK: str(tmp_path)}, text=True, capture_output=True,
            check=False,
        )
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout
        return
    with running_cluster() as cluster:
        course = SlurmCourse(Path(os.environ[SMALL_DISK]), cluster, 10)
        course.hold("s02", "s03")
        command = course.command(5)
        course.started("s02", "s03")
        with pytest.raises(OSError), (course.folder / "fill").open("wb", buffering=0) as fill:
            while True:
                fill.write(bytes(1 << 12))
        course.release()
        assert command.finish() == 3, course.explain()
        assert "No space left on device" in command.said()
        assert "What is graded is safe: make room, and run the same command again" in command.said()
        (course.folder / "fill").unlink()
        assert course.command(5).finish() == 0, course.explain()
        assert {course.record(student)["gradings"] for student in course.students} == {1}
        course.end()


# ---- The real grader ----


@whole
def test_real_gradings(cluster: Cluster, tmp_path: Path) -> None:
    """The whole way: a right and a wrong submission, an archive that is none, and the verdicts that
    one machine finds."""
    known = {solution.name: solution for solution in all_solutions()}
    known["right/reference"].hand_in(tmp_path / "class/right")
    known["wrong/address_is_cut_to_32_bits"].hand_in(tmp_path / "class/wrong")
    (tmp_path / "class/broken.zip").write_bytes(b"PK")
    done = subprocess.run(
        [sys.executable, str(ROOT / "grade-cow"), "--class", str(tmp_path / "class"), "--seed", "1",
         "--out", str(tmp_path / "report"), "--slurm", "--per-task", "1", "--time-limit", "7200"],
        env=cluster.environment, text=True, capture_output=True, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    records = {record["submission"]["id"]: record for record in read_records(tmp_path / "report")}
    lost = {
        test["id"] for test in records["wrong"]["results"]["tests"] if test["status"] == "failed"
    }
    assert lost == set(known["wrong/address_is_cut_to_32_bits"].fails)
    assert records["right"]["results"]["score"] == records["right"]["results"]["max_score"]
    assert records["broken"]["results"]["status"] == "unreadable"
