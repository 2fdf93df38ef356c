#!/usr/bin/env python3
"""Gives the parts of the grader that read submissions broken and hostile inputs.

Whatever the input, each part ends within CPU_SECONDS with a result or with a fault of the
submission's: no other exception, and never one that blames the grading machine. Inputs are made by
changing good ones at random; the same seed gives the same inputs. A failed input is kept, and the
command that repeats it is printed.
"""
from __future__ import annotations

import argparse
import json
import random
import signal
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from grader_paths import ROOT
from entry import run_main
import grader_seeds as seeds
from grader import constants, cow6_tree, xv6_image, xv6_sources
from grader.archives import Sizes, unpack
from grader.cow6_compile import first_lines
from grader.elf import Segment, check_segments, parse_kernel
from grader.errors import SubmissionError
from grader.reader import survey
from grader.xv6_makefile import Makefile
from grader.xv6_tree import stage
from grader.xv6_words import Unreadable
from products import target

CPU_SECONDS = 20.0
RUNS = 200
KEPT = ROOT / target("build/check")
SIZES = Sizes(
    files=100, file_bytes=1 << 16, total_bytes=1 << 20, archive_files=500, unpacked_bytes=32 << 20
)
ALLOWED = ["kernel/**/*.c", "kernel/**/*.h", "kernel/**/*.S"]


class TooSlow(BaseException):
    """An input that takes too long."""


def fuzz_archive(data: bytes, folder: Path) -> None:
    """Unpacks an archive, finds the tree in it, takes what is allowed."""
    archive, unpacked, taken = folder / "a", folder / "unpacked", folder / "taken"
    archive.write_bytes(data)
    for place in (unpacked, taken):
        place.mkdir()
    unpack(archive, "a", unpacked, SIZES)
    root = Path(survey(str(unpacked), "a", None)["tree"])
    cow6_tree.collect(root, taken, ALLOWED, [], SIZES)


def fuzz_makefile(data: bytes, _: Path) -> None:
    """Reads a Makefile that includes itself."""
    text = data.decode("utf-8", "replace")
    try:
        makefile = Makefile(
            text, lambda name: text[:1000], ["kernel/vm.c", "kernel/proc.c", "a/b.S"]
        )
        makefile.kernel_objects()
        makefile.defines()
    except (Unreadable, RecursionError):  # xv6_tree.py takes note of these
        pass


def fuzz_header(data: bytes, _: Path) -> None:
    """Adapts a source; what is not a definition stays."""
    text = data.decode("utf-8", "surrogateescape")
    code = constants.without_comments(text)
    assert len(code) == len(text)
    path = Path("start.c")
    adapted, prefix, _can_shrink = xv6_sources.adapt_all({path: text})
    assert prefix not in text
    if prefix not in adapted[path]:
        assert adapted[path] == constants.join_lines(text)


def fuzz_tree(data: bytes, folder: Path) -> None:
    """Stages an xv6 tree, of which one file is the input."""
    chance = random.Random(len(data))
    tree, to = folder / "tree", folder / "to"
    to.mkdir()
    files = dict(seeds.XV6)
    files[chance.choice([*files, "kernel/extra.c", "kernel/vm.c/x.c"])] = data
    for name, content in files.items():
        path = tree / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError:
            continue
    stage(tree, to)


def fuzz_image(data: bytes, folder: Path) -> None:
    """Writes an image with a layout of some odd numbers."""
    chance = random.Random(data)
    layout = dict(seeds.LAYOUT)
    for name in chance.sample(sorted(layout), 3):
        odd = chance.choice([0, 1, 2, 7, 255, 1 << 16, 1 << 31, (1 << 64) - 1, layout[name] + 1])
        layout[name] = odd
    program = folder / "program"
    program.write_bytes(data)
    try:
        xv6_image.write(folder / "image", {"init": program}, layout)
    except (xv6_image.ImageError, xv6_image.struct.error):
        pass


def fuzz_elf(data: bytes, folder: Path) -> None:
    """Reads a kernel; whatever it is, what is told of it is not too much."""
    kernel = folder / "kernel"
    kernel.write_bytes(data)
    found = parse_kernel(kernel)
    assert len(json.dumps(found)) < 4 << 20
    segments: Any = found["segments"]
    check_segments([Segment(**segment) for segment in segments], 0x80000000, 128 << 20)


def fuzz_messages(data: bytes, _: Path) -> None:
    """Shortens a compiler's complaints."""
    assert len(first_lines(data.decode("utf-8", "replace"))) < 20_000


KINDS: dict[str, tuple[Callable[[bytes, Path], None], Callable[[random.Random], list[bytes]]]] = {
    "archive": (fuzz_archive, seeds.archives), "makefile": (fuzz_makefile, seeds.makefiles),
    "header": (fuzz_header, seeds.headers), "tree": (fuzz_tree, seeds.headers),
    "image": (fuzz_image, seeds.headers), "elf": (fuzz_elf, seeds.kernels),
    "messages": (fuzz_messages, seeds.headers),
}


def check(kind: str, number: int, seed: int) -> str:
    """Makes and tries an input; returns what is wrong, "" if nothing is."""
    chance = random.Random(f"{seed} {kind} {number}")
    attempt, make = KINDS[kind]
    data = seeds.change(chance.choice(make(chance)), chance)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        with tempfile.TemporaryDirectory() as folder:
            attempt(data, Path(folder))
        return ""
    except SubmissionError:
        return ""
    except TooSlow:
        problem = f"more than {CPU_SECONDS:g} s of CPU time"
    except Exception:  # pylint: disable=broad-except
        problem = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"fuzz-{kind}-{seed}-{number}").write_bytes(data)
    again = f"{kind} --seed {seed} --first {number} --runs 1"
    return f"{problem}\nagain: tests/grader/fuzz_grader.py {again}"


def give_up(_: int, __: FrameType | None) -> None:
    """The time is over."""
    raise TooSlow


def main() -> int:
    """Tries inputs of the kinds that were named, of all if none was."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"inputs of each kind ({RUNS})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="begin with this input")
    arguments = parser.parse_args()
    unknown = [kind for kind in arguments.kinds if kind not in KINDS]
    if unknown:
        parser.error(f"no such kind: {', '.join(unknown)}")
    signal.signal(signal.SIGPROF, give_up)
    passed = failed = 0
    for kind in arguments.kinds or KINDS:
        for number in range(arguments.first, arguments.first + arguments.runs):
            problem = check(kind, number, arguments.seed)
            passed, failed = passed + (not problem), failed + bool(problem)
            if problem:
                print(f"{kind}: FAIL {problem}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    run_main(main)
