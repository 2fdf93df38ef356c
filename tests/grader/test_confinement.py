"""The reduced sandbox: what is left of it without bubblewrap, as root and as another user, and with
each version of Landlock."""
from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import test_sandbox
import xv6_trees
from command import run
from grader import confine, submission
from grader.errors import InfraError
from grader.ownership import User
from grader.protections import END, FILES, NAMES, NETWORK, PROCESSES, QEMU, USER
from grader.sandbox import REDUCED, Sandbox
from products import ROOT
from submissions import TREE
from test_sandbox import PYTHON, WAIT_SECONDS

HERE = Path(__file__).resolve().parent
NOBODY = 65534
IS_ROOT = os.geteuid() == 0
LANDLOCK = confine.landlock_version()
AS_NOBODY = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
# What every user of a machine may do, and a user of its own without Landlock may do, too.
OF_EVERY_USER = {
    "read the results", "list the folder", "make a file in /tmp", "read the command line",
}
OF_SAME_USER = OF_EVERY_USER | {
    "read the secret", "read another submission", "make a file", "write the results",
    "remove another submission", "move the results", "link the secret",
}

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only on Linux")


@pytest.fixture
def lacking(no_bwrap: None) -> None:
    """For the tests that are those of test_sandbox.py."""


class Grading:
    """A grader in a process of its own, as root or as nobody, with files that it must protect."""

    def __init__(self, folder: Path, is_root: bool) -> None:
        self.folder, self.is_root = folder, is_root
        self.work = folder / "work"
        for path in (self.work / "open", self.work / "shown", folder / "other", folder / "tmp"):
            path.mkdir(parents=True)
        (folder / "secret").write_text("answer\n")
        (folder / "secret").chmod(0o600)
        (folder / "results.json").write_text("{}\n")
        (folder / "other/kernel.c").write_text("int x;\n")
        (folder / "other").chmod(0o700)
        shutil.copy(HERE / "confined_deeds.py", self.work / "shown")
        if IS_ROOT and not is_root:
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, NOBODY, NOBODY)
        elif IS_ROOT:
            User(NOBODY, 0).share(folder / "other")  # as the grading of another submission does

    def start(self, **request: Any) -> subprocess.Popen[str]:
        """Starts the grader with a request (see confined.py)."""
        words = [PYTHON, "-B", str(HERE / "confined.py")]
        words += [json.dumps({"work": str(self.work), **request})]
        as_nobody = AS_NOBODY if IS_ROOT and not self.is_root else []
        return subprocess.Popen(
            [*as_nobody, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "COW_SECRET": "x", "TMPDIR": str(self.folder / "tmp")},
        )

    def run(self, *command: str, **request: Any) -> dict[str, Any]:
        """Runs a command in the sandbox; returns how it ended."""
        with self.start(command=command, **request) as process:
            output = process.communicate()[0]
        assert process.returncode == 0, output
        answer: dict[str, Any] = json.loads(output)
        return answer

    def deeds(self, port: int = 9, **request: Any) -> set[str]:
        """Returns which deeds a command could do that may start nothing but threads."""
        limits = {"starts": "threads"}
        script = str(self.work / "shown/confined_deeds.py")
        words = [PYTHON, script, "GRADER", str(self.folder), str(port)]
        done = self.run(*words, limits=limits, **request)
        assert done.get("status") == 0, done
        return set(json.loads(done["output"]))


@pytest.fixture(params=["root", "nobody"])
def grading(request: pytest.FixtureRequest, tmp_path: Path, no_bwrap: None) -> Grading:
    """A grader without bubblewrap."""
    is_root = request.param == "root"
    if is_root and User.find() is None:
        pytest.skip("only root can become another user")
    if not User(NOBODY, 0).reaches(ROOT):
        pytest.skip("the tree is closed to other users")
    folder = tmp_path / "grading"
    folder.mkdir()
    return Grading(folder, is_root)


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def sleepers(seconds: str) -> list[int]:
    """Returns the processes that sleep for so long."""
    wanted = f"sleep\0{seconds}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == wanted:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_until(condition: Any) -> None:
    """Waits for what will soon be so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---- What is refused ----


@pytest.mark.parametrize("version", range(1, LANDLOCK + 1))
def test_every_deed_is_refused(grading: Grading, port: int, version: int) -> None:
    assert grading.deeds(port, landlock=version) == set()


def test_without_landlock(grading: Grading, port: int) -> None:
    """Another user is kept from what is private; the same user sees files, but no processes."""
    done = grading.deeds(port, landlock=0)
    assert done == (OF_EVERY_USER if grading.is_root else OF_SAME_USER)


def test_without_a_filter(grading: Grading, port: int) -> None:
    """Landlock and the other user keep files, processes and TCP ports all the same."""
    if LANDLOCK < confine.SCOPE_VERSION:
        pytest.skip("this kernel's Landlock knows no signals")
    left = {
        "own a file for the grader", "send a datagram", "leave the group", "start a process",
        "forget who it dies with", "make a namespace",
    }
    same_user = {
        "limit the grader", "delay the grader", "date the secret", "open the secret to all",
    }
    done = grading.deeds(port, filter=False)
    assert done <= (left if grading.is_root else left | same_user)


def test_environment(grading: Grading) -> None:
    done = grading.run("/bin/sh", "-c", "echo ${COW_SECRET:-none}; test $HOME = $TMPDIR && pwd")
    assert done["output"].split() == ["none", str(grading.work / "open")]


def test_tmp_is_private_and_removed(grading: Grading) -> None:
    script = "cd $TMPDIR && echo x >x && ls && stat -c %a . && pwd"
    *said, folder = grading.run("/bin/sh", "-c", script)["output"].split()
    assert said == ["x", "700"]
    assert not os.path.exists(folder)


@pytest.mark.parametrize("landlock", [0, 1, LANDLOCK])
def test_compiler(grading: Grading, landlock: int) -> None:
    """It works, but it cannot include what the grader keeps to itself."""
    (grading.work / "shown/good.c").write_text("int main(void) { return 7; }\n")
    (grading.work / "shown/bad.c").write_text(f'#include "{grading.folder}/secret"\n')
    source = f"{grading.work}/shown"
    done = grading.run("/bin/sh", "-c", f"cc -o a {source}/good.c && ./a", landlock=landlock)
    assert done["status"] == 7, done
    done = grading.run("/bin/sh", "-c", f"cc -E {source}/bad.c", landlock=landlock)
    is_kept = grading.is_root or landlock > 0
    assert ("answer" in done["output"]) != is_kept


# ---- What ends ----


@pytest.mark.parametrize("has_filter", [True, False])
def test_nothing_outlives_a_command(grading: Grading, has_filter: bool) -> None:
    seconds = f"{86400 + os.getpid()}"
    script = f"setsid sleep {seconds} & (sleep {seconds} &) & sleep 0.2; echo done"
    done = grading.run("/bin/sh", "-c", script, filter=has_filter)
    assert "done" in done["output"]
    assert sleepers(seconds) == []


def test_fork_bomb(grading: Grading) -> None:
    seconds = f"{86400 + os.getpid()}"
    script = f"while :; do sleep {seconds} & (sleep {seconds} &) & done"
    done = grading.run("/bin/sh", "-c", script, limits={"processes": 30})
    assert done["ended_by"] == "processes", done
    wait_until(lambda: sleepers(seconds) == [])


def test_memory_bomb(grading: Grading) -> None:
    hog = f"{PYTHON} -c 'import time; x = bytes(60 << 20) + b\"x\"; time.sleep(9999)' &"
    done = grading.run("/bin/sh", "-c", f"{hog} {hog} {hog} {hog} wait",
                       limits={"memory_bytes": 200 << 20})
    assert done["ended_by"] == "memory", done


def test_command_ends_with_the_grader(grading: Grading) -> None:
    seconds = f"{86400 + os.getpid()}"
    command = ["/bin/sh", "-c", f"(sleep {seconds} &) & sleep {seconds}"]
    with grading.start(command=command) as process:
        wait_until(lambda: len(sleepers(seconds)) == 2)
        process.kill()
        process.communicate()
    wait_until(lambda: sleepers(seconds) == [])


# ---- What is said ----


def test_missing_protections_are_named(grading: Grading) -> None:
    def names(**request: Any) -> set[str]:
        missing = grading.run("/bin/sh", "-c", ":", **request)["missing"]
        return {line.partition(":")[0] for line in missing} - {QEMU}

    user = set() if grading.is_root else {USER}
    assert names() == user
    assert names(landlock=0) == user | {FILES, PROCESSES}
    assert names(landlock=0, filter=False) == user | set(NAMES) - {USER, QEMU, "limits"}
    assert {NETWORK, END} <= names(filter=False)


def test_full_sandbox_is_not_reduced_unasked(no_bwrap: None) -> None:
    with pytest.raises(InfraError, match="No permissions.*--sandbox reduced"):
        Sandbox()


def test_namespaces_that_are_really_forbidden(tmp_path: Path) -> None:
    """Inside a container that forbids user namespaces, commands are confined without them."""
    bwrap = shutil.which("bwrap")
    inside = [str(bwrap), "--unshare-user", "--disable-userns", "--dev-bind", "/", "/"]
    if bwrap is None or subprocess.run([*inside, "true"], check=False).returncode != 0:
        pytest.skip("no user namespace can be made, or forbidden inside")
    for name in ("open", "shown"):
        (tmp_path / name).mkdir()
    request = {"work": str(tmp_path), "command": ["/bin/sh", "-c", "echo x; cat /etc/passwd"]}
    words = [*inside, PYTHON, "-B", str(HERE / "confined.py"), json.dumps(request)]
    answer = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
    assert answer["output"].startswith("x\n") and "root:" not in answer["output"]
    assert any(line.startswith(f"{USER}: ") for line in answer["missing"])


@pytest.mark.skipif(not IS_ROOT, reason="only root can give files away")
def test_reader_of_hidden_files(tmp_path: Path, no_bwrap: None) -> None:
    """Root's reader reads what is private to another user, and nothing else."""
    (tmp_path / "hidden").mkdir(0o700)
    for name in ("file", "hidden/file"):
        (tmp_path / name).write_text("private\n")
        (tmp_path / name).chmod(0o600)
        os.chown(tmp_path / name, NOBODY, NOBODY)
    sandbox, command = Sandbox(REDUCED), ["cat", "hidden/file", "file"]
    if not sandbox.is_root:
        pytest.skip("files cannot be kept from a reader here")
    done = sandbox.run(command, cwd=tmp_path, read=[tmp_path / "hidden"], as_root=True)
    assert done.output.startswith("private\n")
    assert done.output.endswith("file: Permission denied\n")
    with pytest.raises(InfraError, match="hidden is not readable for other users"):
        sandbox.run(command, cwd=tmp_path, read=[tmp_path / "hidden"])


@pytest.mark.skipif(not IS_ROOT, reason="only root can give files away")
def test_submissions_of_others(tmp_path: Path, no_bwrap: None) -> None:
    """A private tree, and a work tree whose repository is elsewhere."""
    sandbox, folder = Sandbox(REDUCED), tmp_path / "private"
    if not sandbox.is_root:
        pytest.skip("files cannot be kept from a reader here")
    for name, content in TREE.items():
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).write_bytes(content)
    user = ["-c", "user.name=x", "-c", "user.email=x"]
    for words in (
        ["init", "-q"], ["add", "-A"], [*user, "commit", "-qm", "x"],
        ["worktree", "add", "-q", "../linked"],
    ):
        assert run(["git", "-C", folder / "tree", *words]).succeeded
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    sandbox.share(tmp_path)
    tree, kind = submission.bring(f"{folder}/linked@HEAD", tmp_path / "a", None, sandbox)
    assert (kind, (tree / "Makefile").is_file()) == ("cow6", True)
    folder.chmod(0o700)
    found = submission.bring(str(folder / "tree"), tmp_path / "b", None, sandbox)
    assert found == (folder / "tree", "cow6")


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_tree_with_its_own_mkfs(tmp_path: Path, no_bwrap: None, umask: int) -> None:
    """Whatever it needs is handed over, also where new files are private."""
    sandbox, folder, before = Sandbox(REDUCED), tmp_path / "private", os.umask(umask)
    try:
        for name, text in xv6_trees.TREE.items():
            (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "tree" / name).write_text(text)
        (folder / "init").write_bytes(xv6_trees.PROGRAM)
        folder.chmod(0o700)
        sandbox.share(folder)
        built = xv6_trees.build_as(
            folder / "tree", folder / "work", {"init": folder / "init"}, sandbox=sandbox
        )
    finally:
        os.umask(before)
    assert built.image.read_bytes() == b"init\0" + xv6_trees.PROGRAM
    assert not any("mkfs" in note for note in built.notes)
    assert built.image.stat().st_uid == os.geteuid()


@pytest.mark.skipif(not IS_ROOT, reason="only root becomes another user")
def test_files_with_other_names_are_not_given_away(tmp_path: Path) -> None:
    """A link that a command has left behind gives it nothing of ours."""
    (tmp_path / "ours").write_text("x")
    (tmp_path / "open").mkdir()
    os.link(tmp_path / "ours", tmp_path / "open/hard")
    (tmp_path / "open/soft").symlink_to(tmp_path / "ours")
    (tmp_path / "open/own").write_text("x")
    User(NOBODY, 0).give(tmp_path / "open")
    owners = {path.name: path.lstat().st_uid for path in tmp_path.rglob("*")}
    assert owners == {"ours": 0, "open": NOBODY, "hard": 0, "soft": 0, "own": NOBODY}


@pytest.mark.skipif(not IS_ROOT, reason="only root becomes another user")
def test_what_its_user_cannot_reach_is_the_machines_fault(tmp_path: Path, no_bwrap: None) -> None:
    sandbox, hidden = Sandbox(REDUCED), tmp_path / "hidden"
    hidden.mkdir(0o700)
    with pytest.raises(InfraError, match="hidden is not readable for other users"):
        sandbox.run(["true"], cwd=tmp_path, read=[hidden])


class TestEnds(test_sandbox.TestEnds):
    """The limits hold without bubblewrap, too."""

    mode = REDUCED


class TestSums(test_sandbox.TestSums):
    """So do those for all processes of a command together."""

    mode = REDUCED


class TestHidden(test_sandbox.TestHidden):
    """And nothing is hidden from them."""

    mode = REDUCED
