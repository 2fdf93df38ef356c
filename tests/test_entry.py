"""Tests of what all programs of this tree have in common."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from products import ROOT

# Make starts the first, and in the grader's sandbox it finds no other module; the second stands in
# for the grader.
OTHERS = {"tools/symbols.py", "tests/classroom/stub_grader.py"}
IMPORT_ENTRY = "import sys; sys.path.insert(0, 'tools'); from entry import run_main\n"


def programs() -> list[str]:
    """Returns the python programs of this tree that people start: those with a --help. A student's
    tree has only some."""
    files = [path for name in ("tools", "tests") for path in (ROOT / name).rglob("*.py")]
    grader = [path.name for path in ROOT.glob("grade-cow")]
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}
    found = {
        name for name, text in texts.items() if "\nif __name__ ==" in text and "argparse" in text
    }
    return [*grader, *sorted(found - OTHERS)]


def run_unread(*words: str) -> tuple[int, str]:
    """Runs a program whose output has no reader; returns its status, and its complaints."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": ""},
            stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.parametrize("program", programs())
def test_program_ends_silently_if_nothing_reads_its_output(program: str) -> None:
    """As in `... --help | head -1`."""
    assert run_unread(program, "--help") == (141, "")


def test_program_stops_printing_when_its_reader_has_ended() -> None:
    """It ends at once."""
    script = f"{IMPORT_ENTRY}run_main(lambda: print('x' * (1 << 20)) or print(file=sys.stderr))"
    assert run_unread("-c", script) == (141, "")


def test_status_stays_if_only_the_last_lines_are_not_read() -> None:
    """What main returns counts."""
    assert run_unread("-c", f"{IMPORT_ENTRY}run_main(lambda: print('x') or 3)") == (3, "")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_end_a_program_as_ctrl_c_does(name: str) -> None:
    """A terminal that is closed sends SIGHUP; under nohup it is ignored, and stays so."""
    script = (
        "import os, signal, sys; sys.path.insert(0, 'tools'); from entry import heed_signals\n"
        f"signal.signal(signal.{name}, getattr(signal, sys.argv[1])); heed_signals()\n"
        f"try: os.kill(os.getpid(), signal.{name}); sys.exit(5)\n"
        "except KeyboardInterrupt: sys.exit(6)\n"
    )
    assert [run_unread("-c", script, before) for before in ("SIG_DFL", "SIG_IGN")] == [
        (6, ""), (5, "")
    ]


@pytest.mark.skipif(not (ROOT / "grade-cow").exists(), reason="there is no grader here")
def test_the_grader_keeps_what_python_compiles(tmp_path: Path) -> None:
    """With what make builds, so that each start is fast and nothing lies among the sources."""
    environment = {**os.environ, "BUILD": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        [sys.executable, "grade-cow", "--list"], cwd=ROOT, env=environment, check=True,
        stdout=subprocess.DEVNULL,
    )
    assert list((tmp_path / "build/pycache").rglob("cli.*.pyc")) != []


@pytest.mark.skipif(not (ROOT / "grade-cow").exists(), reason="there is no grader here")
def test_grader_blames_no_machine_if_nobody_reads_on() -> None:
    """It ends before it builds anything."""
    assert run_unread("grade-cow", "--seed", "1") == (141, "")
