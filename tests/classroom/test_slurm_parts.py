"""Tests of what goes to Slurm and what comes from it, without a cluster: its commands are scripts
that say what Slurm says."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from classroom.slurm import read_name
from classroom.slurm_queue import ARRAY_SIZE_MAX, Queue, SlurmError, Tasks, Wishes
from classroom.slurm_round import Round, choose_size, split
from hypothesis import given
from hypothesis import strategies as st
from products import ROOT

WISHES = Wishes(throttle=7, minutes=30, extra=("--partition=short", "--mem=2G"))


class Commands:
    """A folder with commands on the path; `asked` has the words with which each was last run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def say(self, command: str, output: str, status: int = 0, error: str = "") -> None:
        """Lets a command say this."""
        (self.folder / f"{command}.out").write_text(output)
        (self.folder / f"{command}.err").write_text(error)
        file = self.folder / command
        file.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" >{file}.asked\ncat {file}.out; cat {file}.err >&2\n'
            f"exit {status}\n"
        )
        file.chmod(0o755)

    def asked(self, command: str) -> list[str]:
        """Returns the words that a command was given."""
        return (self.folder / f"{command}.asked").read_text().splitlines()


@pytest.fixture(name="commands")
def fixture_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Slurm's commands, with an empty queue."""
    (tmp_path / "bin").mkdir()
    commands = Commands(tmp_path / "bin", monkeypatch)
    commands.say("sbatch", "17\n")
    commands.say("squeue", "")
    commands.say("scontrol", "")
    return commands


# ---- The queue ----


def test_words_for_sbatch(commands: Commands, tmp_path: Path) -> None:
    """Own words come before those of the user, who has the last one."""
    script = tmp_path / "1/task.sh"
    assert Queue("cow6-x").submit(script, 40, 20, WISHES, after="16") == "17"
    asked = commands.asked("sbatch")
    assert {"--array=0-19%7", "--requeue", "--open-mode=append", "--output=%A_%a.log"} < set(asked)
    assert {"--job-name=cow6-x", f"--chdir={tmp_path}/1", "--dependency=afterany:16"} < set(asked)
    assert asked[-4:] == ["--partition=short", "--mem=2G", str(script), "40"]
    assert asked.index("--mem=1G") < asked.index("--mem=2G")
    commands.say("sbatch", "18;north\n")
    assert Queue("cow6-x").submit(script, 0, 1, WISHES) == "18"
    assert "--dependency" not in " ".join(commands.asked("sbatch"))


@pytest.mark.parametrize("error, advice", [
    ("Batch job submission failed: Job violates accounting/QOS policy (job submit limit)",
     "larger --per-task"),
    ("Invalid job array specification", "larger --per-task"),
    ("Memory specification can not be satisfied", "--slurm-args were: --partition=short --mem=2G"),
])
def test_refusals_are_explained(commands: Commands, error: str, advice: str) -> None:
    commands.say("sbatch", "", 1, f"sbatch: error: {error}\n")
    with pytest.raises(SlurmError) as caught:
        Queue("cow6-x").submit(Path("/x"), 0, 20, WISHES)
    assert error in str(caught.value) and advice in str(caught.value)


def test_silence_is_no_array(commands: Commands) -> None:
    """sbatch that succeeds without a number has queued nothing that could be found again."""
    commands.say("sbatch", "thank you\n")
    with pytest.raises(SlurmError, match="thank you"):
        Queue("cow6-x").submit(Path("/x"), 0, 20, WISHES)


@pytest.mark.parametrize("said, tasks", [
    ("", Tasks(0, 0)),
    ("R|None\nPD|Resources\nCG|None\nPD|Priority\nPD|Resources\n",
     Tasks(2, 3, ("Priority", "Resources"))),
    ("PD|launch failed requeued held\n", Tasks(0, 1, ("launch failed requeued held",))),
    ("SE|(null)\nXX|new state\n", Tasks(1, 1, ("(null)",))),
    ("PD|\x1b[31mred\n", Tasks(0, 1, ("\\x1b[31mred",))),
])
def test_tasks_in_the_queue(commands: Commands, said: str, tasks: Tasks) -> None:
    """Each is running, or it waits for a reason; all count."""
    commands.say("squeue", said)
    assert Queue("cow6-x").tasks() == tasks
    assert {"--array", "--name=cow6-x", f"--user={os.getuid()}"} < set(commands.asked("squeue"))


def test_no_answer_is_not_an_empty_queue(commands: Commands) -> None:
    commands.say("squeue", "", 1, "slurm_load_jobs error: Unable to contact slurm controller\n")
    assert Queue("cow6-x").tasks() is None


@pytest.mark.parametrize("said, size", [
    ("MaxArraySize            = 5001\nMaxJobCount = 10\n", 5001), ("", ARRAY_SIZE_MAX),
    ("MaxArraySize            = 0\n", 1),
])
def test_size_of_arrays(commands: Commands, said: str, size: int) -> None:
    commands.say("scontrol", said)
    assert Queue("cow6-x").array_size_max() == size


def test_no_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SlurmError, match="sbatch and squeue not found: start this on a machine of"):
        Queue("cow6-x")


# ---- Rounds ----


@given(st.integers(1, 300), st.integers(1, 20))
def test_batches_have_everybody_once(count: int, size: int) -> None:
    """They are as few as possible, none is too large, and none much smaller than another."""
    names = [str(number) for number in range(count)]
    batches = split(names, size)
    assert sorted(name for batch in batches for name in batch) == sorted(names)
    sizes = {len(batch) for batch in batches}
    assert len(batches) == -(-count // size) and max(sizes) <= size and max(sizes) - min(sizes) < 2


@pytest.mark.parametrize("count, size", [(1, 1), (100, 1), (101, 2), (500, 5), (2000, 8)])
def test_small_classes_use_all_nodes(count: int, size: int) -> None:
    assert choose_size(count, 100) == size


def test_rounds_are_numbered(tmp_path: Path) -> None:
    """Also beyond 9, and whatever else is in the folder."""
    (tmp_path / "slurm/9").mkdir(parents=True)
    (tmp_path / "slurm/8x").mkdir()
    assert Round.create(tmp_path, [["a"]], Path("w")).folder.name == "10"
    assert Round.create(tmp_path, [["a"]], Path("w")).folder.name == "11"
    newest = Round.newest(tmp_path / "slurm")
    assert newest is not None and newest.folder.name == "11"
    assert Round.newest(tmp_path / "nothing") is None


def run_task(made: Round, number: int, first: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs a task's script as Slurm does: somewhere else, from a copy, in the round's folder."""
    copy = made.folder.parent / "copy"
    copy.write_bytes(made.script.read_bytes())
    return subprocess.run(
        ["sh", str(copy), str(first)], cwd=made.folder, text=True, capture_output=True, check=False,
        env={**os.environ, "SLURM_ARRAY_TASK_ID": str(number), "SLURMD_NODENAME": "w7",
             "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},
    )


def make_worker(folder: Path) -> Path:
    """Returns a worker that notes whom it grades, and ends badly for b."""
    worker = folder / "worker.py"
    worker.write_text(
        "import sys\nfrom pathlib import Path\nout, name = sys.argv[1:]\n"
        "with open(Path(out) / 'seen', 'a') as file: file.write(name + '\\n')\n"
        "sys.exit(3 if name == 'b' else 0)\n"
    )
    return worker


def test_task_grades_its_batch(tmp_path: Path) -> None:
    """Whom a worker cannot grade has no mark, and who has one is not given to a worker again; odd
    letters in paths do no harm."""
    out = tmp_path / "it's %A $(touch x) \n\udcff"
    out.mkdir()
    made = Round.create(out, [["x"], ["a", "b", "c"]], make_worker(tmp_path))
    done = run_task(made, 0, first=1)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines() == [
        "batch 1 on w7: a b c", "b: the worker ended with exit status 3", "w7 could not grade b"
    ]
    assert made.done() == {"a", "c"}
    make_worker(tmp_path).write_text("raise SystemExit(0)")
    assert run_task(made, 1).stdout.splitlines()[-1] == "all done"
    assert made.done() == {"a", "b", "c"}
    assert (out / "seen").read_text().split() == ["a", "b", "c"]


def test_logs_that_say_what_failed(tmp_path: Path) -> None:
    """Slurm's own words come first; few logs are shown, and nothing in them acts on a terminal."""
    made = Round.create(tmp_path, [["a"]], Path("w"))
    (made.folder / "5_0.log").write_text("batch\nall done\n")
    (made.folder / "5_1.log").write_text("slurmstepd: error: *** DUE TO TIME LIMIT ***\nbye\n")
    (made.folder / "5_2.log").write_text("x" * 9000 + "\n\x1b[2Jw2 could not grade a\n")
    (made.folder / "5_3.log").write_text("")
    (made.folder / "5_4.log").write_text("batch\n")
    assert made.complaints() == [
        "slurm/1/5_1.log: slurmstepd: error: *** DUE TO TIME LIMIT ***",
        "slurm/1/5_2.log: \\x1b[2Jw2 could not grade a", "slurm/1/5_3.log: (nothing)",
        "and 1 more",
    ]


def test_name_of_a_report(tmp_path: Path) -> None:
    """It stays the same, no two reports have the same, and it fits into a command line."""
    names = [read_name(tmp_path / file) for file in ("a", "a", "b")]
    assert names[0] == names[1] != names[2]
    (tmp_path / "a").write_text("; rm -rf /\n")
    with pytest.raises(SlurmError, match="is damaged"):
        read_name(tmp_path / "a")


def test_batches_are_read_back(tmp_path: Path) -> None:
    made = Round.create(tmp_path, [["a", "b"], ["c"]], ROOT)
    assert made.batches() == [["a", "b"], ["c"]]
    assert json.loads((made.folder / "batches.json").read_text()) == made.batches()


def test_failures_in_the_documents_have_tests() -> None:
    """Each row of the table names one."""
    table = (ROOT / "docs/scale.md").read_text().partition("| what fails |")[2].partition("\n\n")[0]
    rows = [line.split("|")[-2].strip(" `") for line in table.splitlines()[2:]]
    tests = (ROOT / "tests/classroom/test_slurm.py").read_text()
    assert len(rows) > 15 and [row for row in rows if f"def test_{row}(" not in tests] == []
