"""A session at the shell's prompt, typed key by key as a user would."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Tuple

from guest.machine import Guest, GuestFailure, fsck
from guest.runs import Run, kernel_and_image
from outcome import Outcome

PROMPT = r"^\$ \Z"
UP, DOWN, LEFT = "\x1b[A", "\x1b[B", "\x1b[D"
CTRL_C, CTRL_D, CTRL_P, CTRL_U, CTRL_W, BACKSPACE = "\x03", "\x04", "\x10", "\x15", "\x17", "\x7f"


@dataclass(frozen=True)
class Step:
    """Typed text, and patterns that the lines printed for it match, one each and no more lines."""

    name: str
    typed: str
    lines: Tuple[str, ...] = ()


STEPS: List[Step] = [
    Step("echo", "echo hello world", ("hello world",)),
    Step("arguments", "echo  a   b", ("a b",)),
    Step("quotes", "echo \"a  b\" 'c | d'", (r"a  b c \| d",)),
    Step("comment", "echo one # two", ("one",)),
    Step("write", "echo first > made; cat made", ("first",)),
    Step("append", "echo second >> made; cat made", ("first", "second")),
    Step("overwrite", "echo third > made; cat made", ("third",)),
    Step("read", "cat < made", ("third",)),
    Step("pipe", "echo through | cat | cat", ("through",)),
    Step("pipe-count", "cat README | grep -c . | wc -l", (r"\s*1",)),
    Step("list", "echo a; echo b", ("a", "b")),
    Step("and", "true && echo yes; false && echo no", ("yes", "false: exit status 1")),
    Step("or", "false || echo no; true || echo never", ("no",)),
    Step("subshell", "(echo x; echo y) | cat", ("x", "y")),
    Step("background", "sleep 1 & echo now", ("now",)),
    Step("status", "false", ("false: exit status 1",)),
    Step("unknown", "nosuchprogram", (r"sh: nosuchprogram: .+",)),
    Step("missing-file", "cat nosuchfile", (r"cat: nosuchfile: .+", "cat: exit status 1")),
    Step("directory", "mkdir dir; cd dir; echo in > file; cat ../dir/file; cd ..; ls dir", ("in", ".*file.*")),
    Step("dot-dot-at-root", "cd ../../..; ls README", (".*README.*",)),
    Step("link", "ln made other; rm made; cat other; rm other", ("third",)),
    Step("backspace", f"echo abX{BACKSPACE}c", ("abc",)),
    Step("erase-line", f"echo wrong{CTRL_U}echo right", ("right",)),
    Step("erase-word", f"echo one two{CTRL_W}three", ("one three",)),
    Step("arrow-left", f"echo ac{LEFT}b", ("abc",)),
    Step("history", UP, ("abc",)),
    Step("history-two-back", f"{UP}{UP}{DOWN}", ("abc",)),
    Step("script", "echo 'echo from a script' > script; sh script; rm script", ("from a script",)),
    Step("many-processes", "echo 1 | cat | cat | cat | cat | cat | cat | cat | cat", ("1",)),
]


def converse(guest: Guest, step: Step) -> str:
    """Types a step's text and returns what is wrong with the answer, "" if nothing is."""
    guest.send(step.typed + "\n")
    answer = guest.expect(PROMPT).splitlines()[1:-1]
    if re.fullmatch("\n".join(step.lines), "\n".join(answer)):
        return ""
    return f"{step.name}: expected the lines {list(step.lines)}, saw {answer}"


def end_of_input(guest: Guest) -> None:
    """Ctrl-D ends what the job in the foreground reads."""
    guest.send("sh -c 'echo ready; cat'\n")
    guest.expect(r"^ready$")
    guest.send("typed\n")
    guest.expect(r"^typed\ntyped$")
    guest.send(CTRL_D)
    guest.expect(PROMPT)


def interrupt(guest: Guest) -> None:
    """Ctrl-C ends the job in the foreground and not the shell."""
    guest.send("sh -c 'echo ready; cat'\n")
    guest.expect(r"^ready$")
    guest.send(CTRL_C)
    guest.expect(PROMPT)


def process_table(guest: Guest) -> None:
    """Ctrl-P shows the processes."""
    guest.send(CTRL_P)
    guest.expect(r"\binit\b")
    guest.expect(r"\bsh\b")
    guest.send("\n")
    guest.expect(PROMPT)


def check_session() -> Outcome:
    """Boots to the prompt, types everything, powers off."""
    run = Run("session", "")
    kernel, image = kernel_and_image(run)
    problems: List[str] = []
    passed = 0
    with Guest(run.name, cpus=3, mem="128M", words="", kernel=kernel, image=image) as guest:
        try:
            guest.expect(PROMPT)
            for step in STEPS:
                problem = converse(guest, step)
                problems += [problem] if problem else []
                passed += not problem
            for special in (end_of_input, interrupt, process_table):
                special(guest)
                passed += 1
            guest.send("poweroff\n")
            status = guest.wait()
            problems += [f"poweroff: expected exit status 0, saw {status}"] if status else []
        except GuestFailure as failure:
            problems.append(str(failure))
    problems += [f"fsck: {line}" for line in fsck(guest.image)]
    if not problems:
        guest.image.unlink()
        return Outcome(passed + 1)
    return Outcome(passed, len(problems), 0, "\n".join([*problems, *guest.evidence()]))
