#!/usr/bin/env python3
"""A Slurm cluster inside this machine, for tests: munge, a controller and two nodes, all of them
programs of the user who runs the test, with their files in one folder and with ports of their own.
The system's own Slurm, if there is one, is neither read nor changed.

    slurm_cluster.py COMMAND ...     runs a command that sees a new cluster

Every process of a cluster has MARK in its environment, also what its tasks start. So all are found
and ended when the test is over, or, if the test itself is killed, by a guard.
"""
from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MARK = "COW6_TEST_CLUSTER"
NODE_MARK = "COW6_TEST_NODE"
NODES = ("w1", "w2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
ATTEMPTS = 5  # to find ports that nobody else takes
PATIENCE = 900.0  # seconds, after which what has not come will never come
PATH_MAX = 60  # characters of the folder: the paths of sockets must be short
ARRAY_SIZE_MAX = 20

CONFIGURATION = """\
ClusterName=cow6
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
SlurmdTimeout=60
MessageTimeout=60
KillWait=2
JobRequeue=1
MaxArraySize={array_size_max}
NodeName=w1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=16000
NodeName=w2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=16000
PartitionName=main Nodes=w1,w2 Default=YES MaxTime=INFINITE State=UP
"""


class ClusterFailure(Exception):
    """The cluster does not start, or what a test waits for does not come."""


def search_path() -> str:
    """Returns where programs are looked for, also where a user's shell does not look."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def missing_programs() -> list[str]:
    """Returns which of the programs are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]


def wait_for(
    what: str, condition: Callable[[], object], explain: Callable[[], str] = lambda: ""
) -> None:
    """Waits until a condition holds; ClusterFailure if it does not for a very long time."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise ClusterFailure(f"this never came: {what}\n{explain()}")
        time.sleep(0.05)


# ---- Processes ----


def marked(name: str, value: str) -> Iterator[int]:
    """Yields the processes, without this one, that have a variable with that value."""
    wanted = os.fsencode(f"{name}={value}")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):  # it has just ended, or it is another user's
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def end_all(find: Callable[[], list[int]]) -> None:
    """Kills processes until none is found any more."""
    found = find()
    while found:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
        found = find()


def guard(folder: Path) -> None:
    """Waits until whoever started this has ended, then ends the cluster."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_all(lambda: list(marked(MARK, str(folder))))
    shutil.rmtree(folder, ignore_errors=True)


def choose_ports(count: int) -> list[int]:
    """Returns ports that are free now, below those that the system gives to clients."""
    found: set[int] = set()
    while len(found) < count:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return sorted(found)


# ---- The cluster ----


class Cluster:
    """The programs of a cluster. `environment` is for programs that are to see it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        foreign = ("SLURM", "SBATCH", "SQUEUE", "SCANCEL", "SINFO", MARK, NODE_MARK)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(foreign)
        }
        self.environment["PATH"] = os.path.dirname(sys.executable) + os.pathsep + search_path()
        self.environment["SLURM_CONF"] = str(folder / "slurm.conf")
        self.environment[MARK] = str(folder)

    def start(self) -> None:
        """Starts all programs, with other ports if somebody takes one of them."""
        for _ in range(ATTEMPTS):
            self.configure()
            self.start_munge()
            self.start_controller()
            for node in NODES:
                self.start_node(node)
            wait_for("two idle nodes", lambda: self.has_lost() or self.is_idle(), self.logs)
            if not self.has_lost():
                return
            said = self.logs()
            self.stop()
        raise ClusterFailure(f"the cluster does not start\n{said}")

    def stop(self) -> None:
        """Ends everything that belongs to it."""
        end_all(lambda: list(marked(MARK, str(self.folder))))
        for daemon in self.daemons.values():
            daemon.wait()
        self.daemons.clear()

    def configure(self) -> None:
        """Writes the settings and the key."""
        for name in ("munge", "state"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        (self.folder / "munge").chmod(0o711)
        text = CONFIGURATION.format(
            host=socket.gethostname().partition(".")[0], user=pwd.getpwuid(os.getuid()).pw_name,
            ports=choose_ports(3), folder=self.folder, array_size_max=ARRAY_SIZE_MAX,
        )
        (self.folder / "slurm.conf").write_text(text)
        key = self.folder / "munge/key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)

    def start_munge(self) -> None:
        """Starts what the other programs know each other by, and waits for its socket."""
        folder = self.folder / "munge"
        self.start_daemon(
            "munged", "--foreground", "--force", f"--key-file={folder}/key",
            f"--socket={folder}/socket", f"--pid-file={folder}/pid", f"--log-file={folder}/log",
            f"--seed-file={folder}/seed",
        )
        ended = self.daemons["munged"].poll
        wait_for("munge's socket", lambda: (folder / "socket").exists() or ended(), self.logs)

    def start_controller(self) -> None:
        """Starts the controller, which goes on with the jobs that it had."""
        self.start_daemon("slurmctld", "-D", "-i")

    def start_node(self, node: str) -> None:
        """Starts a node."""
        self.start_daemon("slurmd", "-D", "-N", node, name=node)

    def start_daemon(self, *words: str, name: str = "") -> None:
        """Starts a program; what it says goes to a file."""
        name = name or words[0]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                words, env={**self.environment, NODE_MARK: f"{self.folder}/{name}"}, cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                executable=shutil.which(words[0], path=search_path()),
            )

    # ---- Faults ----

    def kill_daemon(self, name: str) -> None:
        """Kills munged, slurmctld or a node's slurmd, and nothing that this has started."""
        daemon = self.daemons.pop(name)
        daemon.kill()
        daemon.wait()

    def kill_controller(self) -> None:
        """Kills it once it has saved the state of the queue, which it does some seconds after a
        change. One that is killed before starts tasks again that run, and then Slurm takes the
        nodes out of service."""
        saved, before = self.folder / "state/job_state", time.time_ns()
        task = self.run("squeue", "--noheader", "--array", "--format=%i").split()[0]
        self.run("scontrol", "update", f"JobId={task}", "Comment=to be saved")
        wait_for("saved state", lambda: saved.stat().st_mtime_ns > before, self.logs)
        self.kill_daemon("slurmctld")

    def kill_node(self, node: str) -> None:
        """Kills all programs of a node, as if it had lost its power."""
        self.kill_daemon(node)
        end_all(lambda: self.node_processes(node))

    def task_processes(self, node: str) -> list[int]:
        """Returns the processes of a node's tasks."""
        ours = set(marked(MARK, str(self.folder)))
        return [pid for pid in marked("SLURMD_NODENAME", node) if pid in ours]

    def node_processes(self, node: str) -> list[int]:
        """Returns the processes of a node: Slurm's own, and those of tasks."""
        return [*marked(NODE_MARK, f"{self.folder}/{node}"), *self.task_processes(node)]

    # ---- Looking ----

    def run(self, *words: str) -> str:
        """Runs one of Slurm's commands; returns what it prints, "" if it fails."""
        done = subprocess.run(
            words, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else ""

    def node_states(self) -> dict[str, str]:
        """Returns the state of each node, as sinfo has it; nothing if the controller is away."""
        lines = self.run("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines()
        return {node: state for node, state in (line.split() for line in lines)}

    def is_idle(self) -> bool:
        """Tells whether all nodes are up and have nothing to do."""
        return self.node_states() == {node: "idle" for node in NODES}

    def has_lost(self) -> bool:
        """Tells whether a program that was started has ended."""
        return any(daemon.poll() is not None for daemon in self.daemons.values())

    def logs(self) -> str:
        """Returns the end of what each program said."""
        parts = []
        for log in sorted(self.folder.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            parts.append("\n".join([f"{log.name}:", *lines[-15:]]))
        return "\n".join(parts)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Starts a cluster, and ends it whatever happens, even if this process is killed."""
    parent = tempfile.gettempdir()
    short = parent if len(parent) < PATH_MAX else "/tmp"
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir=short)).resolve()
    folder.chmod(0o711)
    watch = subprocess.Popen(
        [sys.executable, __file__, "--guard", str(folder)], stdin=subprocess.PIPE,
        start_new_session=True,
    )
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        assert watch.stdin is not None
        watch.stdin.close()
        watch.wait()
        cluster.stop()


def main() -> int:
    """Guards a cluster, or runs a command in one."""
    if sys.argv[1:2] == ["--guard"]:
        guard(Path(sys.argv[2]))
        return 0
    if len(sys.argv) < 2 or missing_programs():
        print(__doc__, f"Not installed: {missing_programs()}", sep="\n")
        return 2
    with running_cluster() as cluster:
        return subprocess.run(sys.argv[1:], env=cluster.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
