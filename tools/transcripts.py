#!/usr/bin/env python3
"""Runs the transcripts of README.md, docs/ and HANDOUT.md again, and writes what is shown now.

A transcript is a block of text below a mark that says how it is made:

    <!-- run WHERE: boot WORDS -->          the console of a boot with WORDS on the kernel's
                                            command line, below the command for it
    <!-- run WHERE: shell -->               the lines of the block that begin with "$ ", typed at
                                            the shell's prompt, each with what it prints
    <!-- run WHERE: make -->                the same with commands `make ...` on the host
    <!-- run WHERE: grade WORDS -->         what `make grade WORDS` says, which may be that points
                                            are lost; without the place of the transcripts
    <!-- run WHERE: gdb WORDS: C1; C2 -->   what gdb answers to commands, before such a boot

WHERE is `solved` (this tree) or `starter-1`, -2, -3 (the handout of that depth). After ` | ` a boot
or a shell may have a pattern: only the lines in which it is found are shown. With --check nothing
is written; transcripts that show something else now are named. Addresses, frame numbers and spaces
differ from compiler to compiler, so they do not count there, nor do seconds at the end of a line.
"""
from __future__ import annotations

import argparse
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from python_packages import need_packages

need_packages("elftools", "rich")  # which the grader imports

from command import CommandFailure, make, run  # noqa: E402
from entry import run_main  # noqa: E402
from grader.errors import InfraError  # noqa: E402
from pieces import PieceError  # noqa: E402
from products import ROOT, make_environment  # noqa: E402
from qemu import ICOUNT, Guest, run_gdb  # noqa: E402
from starter import HANDOUT, OUT, Wrong, make_handout  # noqa: E402

TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), HANDOUT]
PLACES = ("solved", "starter-1", "starter-2", "starter-3")
PROMPT = r"^\$ \Z"
MAKE_SECONDS = 3600.0
MARK = re.compile(
    r"<!-- run (?P<where>solved|starter-[123]): "
    r"(?P<kind>boot|shell|make|grade|gdb)(?P<how>.*) -->\n"
    r"```text\n(?P<body>(?:(?!```).*\n)*)```\n"
)


def matching(pattern: str, text: str) -> list[str]:
    """Returns the lines in which the pattern is found."""
    return [line for line in text.splitlines() if re.search(pattern, line)]


def boot_transcript(tree: Path, how: str, _body: str) -> list[str]:
    """Returns the command that a student types, and what the console shows."""
    words, _, pattern = how.partition(" | ")
    with Guest("transcript", words=words, extra=ICOUNT, tree=tree) as guest:
        guest.wait()
    guest.image.unlink()
    return [f"$ make qemu APPEND={words}", *matching(pattern, guest.kernel_text())]


def shell_transcript(tree: Path, how: str, body: str) -> list[str]:
    """Returns the commands of the block, each with what it prints now.

    Each is typed when every process sleeps. Time is real, or a `sleep` would be over at once.
    """
    lines = []
    with Guest("transcript", words="", tree=tree) as guest:
        guest.expect(PROMPT)
        for command in matching(r"^\$ ", body):
            guest.expect_rest()
            guest.send(command[2:] + "\n")
            shown = guest.expect(PROMPT).splitlines()[1:-1]  # without the command and the prompt
            lines += [command, *matching(how.partition("| ")[2], "\n".join(shown))]
    guest.image.unlink()
    return lines


def make_transcript(tree: Path, _how: str, body: str) -> list[str]:
    """Returns the commands of the block, each with what make prints now."""
    lines = []
    for command in matching(r"^\$ make ", body):
        words = ["make", "--no-print-directory", *command.split()[2:]]
        done = run(words, cwd=tree, env=make_environment(tree), seconds=MAKE_SECONDS)
        if not done.succeeded:
            raise Wrong(f"`{command}` fails:\n{done.output[-2000:]}")
        lines += [command, *done.output.splitlines()]
    return lines


def grade_transcript(tree: Path, how: str, _body: str) -> list[str]:
    """Returns the command that grades a tree, and what it prints."""
    command = f"make grade {how}"
    done = run(shlex.split(command), cwd=tree, env=make_environment(tree), seconds=MAKE_SECONDS)
    if "\nScore: " not in done.output:
        raise Wrong(f"`{command}` gives no score:\n{done.output[-2000:]}")
    said = re.sub(r"(?m)^(?:make: | {4}files ).*\n", "", done.output)
    return [f"$ {command}", *re.sub(r"\n{3,}", "\n\n", said).splitlines()]


def gdb_transcript(tree: Path, how: str, _body: str) -> list[str]:
    """Returns gdb's commands with its answers, on a machine that is about to boot."""
    words, _, commands = how.partition(": ")
    with tempfile.TemporaryDirectory() as scratch:
        socket = Path(scratch, "gdb")
        with Guest(
            "transcript", words=words, extra=ICOUNT, tree=tree, stub=socket, stopped=True
        ) as guest:
            kernel = guest.command[guest.command.index("-kernel") + 1]
            shown = ["set confirm off", f"target remote {socket}"]
            for command in commands.split("; "):
                shown += [f"echo (gdb) {command}\\n", command]
            text = run_gdb([*shown, "kill"], kernel, tree)
    guest.image.unlink()
    return [
        line
        for line in text[text.index("(gdb) ") : text.rindex("[Inferior 1")].splitlines()
        if line
    ]


KINDS = {
    "boot": boot_transcript,
    "shell": shell_transcript,
    "make": make_transcript,
    "grade": grade_transcript,
    "gdb": gdb_transcript,
}


def comparable(text: str) -> list[str]:
    """Returns the lines without what differs from compiler to compiler, or between two runs."""
    lines = [re.sub(r"\b\d+\.\d+ s$", "#", " ".join(line.split())) for line in text.splitlines()]
    return [re.sub(r"\b(0x)?[0-9a-f]{4,}\b", "#", line) for line in lines]


def refresh(
    write: bool, places: Sequence[str] = PLACES, kinds: Sequence[str] = tuple(KINDS),
    texts: Sequence[Path] = TEXTS,
) -> list[str]:
    """Runs the transcripts again; writes them, or returns a message for each that has changed."""
    different: list[str] = []
    trees = {"solved": ROOT}
    for file in texts:

        def again(match: re.Match[str], name: Path = file.relative_to(ROOT)) -> str:
            where, kind, how, body = match.group("where", "kind", "how", "body")
            if where not in places or kind not in kinds:
                return match.group()
            if where not in trees:
                trees[where] = make_handout(int(where[-1]), OUT / where)
            tree = trees[where]
            make("all", tree=tree)
            new = "".join(f"{line}\n" for line in KINDS[kind](tree, how.strip(), body))
            if comparable(new) != comparable(body):
                different.append(
                    f"{name}: `{kind}{how}` ({where}) shows something else now:\n{new}"
                )
            return match.group().replace(f"```text\n{body}", f"```text\n{new}")

        old = file.read_text(encoding="utf-8")
        new = MARK.sub(again, old)
        if write and new != old:
            file.write_text(new, encoding="utf-8")
    return different


def main() -> int:
    """Runs the transcripts of all texts, or of those that are named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing, fail if one has changed"
    )
    parser.add_argument(
        "--where", action="append", choices=PLACES, help="only transcripts of this tree"
    )
    parser.add_argument(
        "--kind", action="append", choices=KINDS, help="only transcripts of this kind"
    )
    parser.add_argument("texts", nargs="*", type=Path, help="only those of these texts")
    arguments = parser.parse_args()
    texts = [path.resolve() for path in arguments.texts] or TEXTS
    try:
        different = refresh(
            not arguments.check, arguments.where or PLACES, arguments.kind or tuple(KINDS), texts
        )
    except (Wrong, PieceError, CommandFailure, InfraError) as wrong:
        print(f"transcripts: {wrong}", file=sys.stderr)
        return 1
    print("\n".join(different) or "the transcripts are current")
    return 1 if different and arguments.check else 0


if __name__ == "__main__":
    run_main(main)
