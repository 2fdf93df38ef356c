#!/usr/bin/env python3
"""Loses the power while cow6 changes files: the disk must then be consistent, with all that the
kernel has said to be done, and of what it had not yet said, a beginning.

guests/writer.c is the program; what it does follows from its seed, so the states of the disk after
each of its system calls are known. One run serves many losses: the simulator writes at many times
what a disk would hold without power.
"""
from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests"), str(ROOT / "tools")]

from command import make, run
from entry import run_main
from products import product, target
from simulated import execute, simulator

NAMES, BYTES_MAX, KINDS = "abcd", 9000, 5  # as in the program
TASKS, CHANGES = 3, 20
EVERY = 15_000  # instructions between two losses, on average
MOST = 170  # that are looked at, in a run
AGAIN = 8  # one in so many disks is started, and loses power again
PROFILES = ("kind", "timing", "all")
LOST = re.compile(r"sim: the power may be lost at (\d+)\n")
SAID = re.compile(r"^(\d) (\d+)\r?\n", re.MULTILINE)
LISTED = re.compile(r"^ *(\d+) (dir|file) +\d+ +(\d+) /(\d)(?:/(\w))?$", re.MULTILINE)
GAVE_UP = re.compile("^log: the disk failed|^cannot start: .* error 5", re.MULTILINE)
START = 500_000  # instructions in which a kernel starts
RECENT, OTHERS = 10, 4  # states; of the files that have not changed since, one in so many is read
FSCK = product("mkfs/fsck")

# By name: all names of the file, and its contents or size. None: there is no directory.
State = Optional[dict[str, tuple[str, bytes]]]
Shape = Optional[dict[str, tuple[str, int]]]


def shape_of(state: State) -> Shape:
    """Returns names and sizes."""
    if state is None:
        return None
    return {name: (names, len(data)) for name, (names, data) in state.items()}


class Chance:
    """The program's random numbers."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, limit: int) -> int:
        """Returns a number below the limit."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % limit


class Inode:
    """A file, which may have several names."""

    def __init__(self) -> None:
        self.contents = b""


class Model:
    """What a task of the program does, and the states of its directory after each system call."""

    def __init__(self, seed: int, task: int) -> None:
        self.task, self.chance = task, Chance(seed * 8 + task)
        self.chance.below(len(NAMES))
        self.files: dict[str, Inode] = {}
        self.states: list[State] = [None]
        self.ends: list[int] = []  # the state after each change

    def note(self) -> None:
        """Notes a state."""
        names = {
            name: ("".join(sorted(n for n in self.files if self.files[n] is file)), file.contents)
            for name, file in self.files.items()
        }
        self.states.append(names)

    def write(self, change: int, name: str, is_new: bool) -> None:
        """Opens a file, perhaps a new one, and writes its beginning."""
        count = 1 + self.chance.below(BYTES_MAX)
        if is_new:
            self.files.setdefault(name, Inode())
            self.note()
            self.files[name].contents = b""
            self.note()
        if name in self.files:
            first = change * 31 + self.task * 17
            data = bytes((first + i * 7 + i // 256) & 255 for i in range(count))
            self.files[name].contents = data + self.files[name].contents[count:]
            self.note()

    def change(self, number: int) -> None:
        """Makes a change."""
        kind, name, other = (self.chance.below(n) for n in (KINDS, len(NAMES), len(NAMES)))
        path, new = NAMES[name], NAMES[other]
        if kind <= 2:
            self.write(number, path, kind < 2)
        elif kind == 3:
            self.files.pop(path, None)
            self.note()
        elif path in self.files and new not in self.files:
            self.files[new] = self.files[path]
            self.note()
        self.ends.append(len(self.states) - 1)

    def run(self, changes: int) -> "Model":
        """Makes the directory and all changes."""
        self.note()
        self.ends.append(1)
        for number in range(1, changes + 1):
            self.change(number)
        return self

    def allowed(self, said: int | None) -> list[State]:
        """Returns the states that the disk may be in when the program has said that."""
        first = 0 if said is None else self.ends[said]
        following = 0 if said is None else said + 1
        return self.states[first : self.ends[min(following, len(self.ends) - 1)] + 1]


    def recent(self, name: str, said: int | None) -> bool:
        """Tells whether the file's contents are new, or may be."""
        first = 0 if said is None else self.ends[max(said - 2, 0)]
        seen = [(state or {}).get(name) for state in self.states[first : first + RECENT]]
        return any(file != seen[0] for file in seen)


@dataclass(frozen=True)
class Disk:
    """A disk after the power was lost."""

    image: Path
    models: list[Model]
    said: list[int | None]

    def extract(self, task: int, name: str) -> bytes:
        """Returns a file."""
        command = [str(FSCK), "--extract", f"/{task}/{name}", str(self.image)]
        return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout

    def shapes(self) -> list[Shape]:
        """Returns names and sizes of each task's files."""
        shapes: list[Shape] = [None] * TASKS
        names: dict[str, list[tuple[int, str]]] = {}
        sizes = {}
        for inode, kind, size, task, name in LISTED.findall(
            run([FSCK, "--list", self.image]).output
        ):
            if kind == "dir":
                shapes[int(task)] = {}
            else:
                names.setdefault(inode, []).append((int(task), name))
                sizes[inode] = int(size)
        for inode, places in names.items():
            for task, name in places:
                shape = shapes[task]
                assert shape is not None
                shape[name] = ("".join(sorted(other for _, other in places)), sizes[inode])
        return shapes

    def problem(self, chance: random.Random) -> str:
        """Returns what is wrong, or ""."""
        checked = run([FSCK, "-q", self.image])
        if not checked.succeeded:
            return f"fsck: {checked.output}"
        for task, shape in enumerate(self.shapes()):
            wrong = self.problem_of_task(task, shape, chance)
            if wrong:
                return f"task {task} had said {self.said[task]}: {wrong}"
        return ""

    def problem_of_task(self, task: int, shape: Shape, chance: random.Random) -> str:
        """Compares names and sizes, and the contents of files that have changed lately, or that
        chance chooses."""
        model = self.models[task]
        states = [s for s in model.allowed(self.said[task]) if shape_of(s) == shape]
        if not states:
            return f"the names and sizes are those of no state near that: {shape}"
        for name, (names, _) in (shape or {}).items():
            is_first = names[0] == name
            if not is_first or not (
                model.recent(name, self.said[task]) or chance.randrange(OTHERS) == 0
            ):
                continue
            contents = self.extract(task, name)
            states = [s for s in states if s is not None and s[name][1] == contents]
            if not states:
                return f"{name} has the contents of no state near that"
        return ""


def said_in(console: str) -> list[int | None]:
    """Returns the last change of each task that was said to be made."""
    said: list[int | None] = [None] * TASKS
    for task, change in SAID.findall(console):
        said[int(task)] = int(change)
    return said


@dataclass(frozen=True)
class Writing:
    """A run of the program."""

    seed: int
    harts: int
    profile: str
    kernel: Path
    errors: int = 0  # one request of so many fails

    def words(self) -> list[object]:
        """Returns the simulator's options."""
        append = f"init=/writer,{self.seed},{TASKS},{CHANGES}"
        words = ["--harts", self.harts, "--profile", self.profile, "--seed", self.seed,
                 "--append", append, "--input", "/dev/null"]
        return [*words, "--disk-errors", self.errors] if self.errors else words

    def losses(self, folder: Path, every: int) -> Iterator[tuple[Path, list[int | None]]]:
        """Yields the disks without power, and what the tasks had said by then."""
        shutil.copyfile(product("build/power.img"), folder / "disk")
        status, output = execute(
            self.kernel, folder / "disk", *self.words(), "--power-losses", folder,
            "--loss-every", every,
        )
        console, *rest = LOST.split(output)  # also in the middle of a line
        for time, more in zip(rest[::2], rest[1::2]):
            yield folder / f"{time}.img", said_in(console)
            console += more
        said = said_in(console)
        has_ended = status == 0 and said == [CHANGES] * TASKS
        if not has_ended and not (self.errors and GAVE_UP.search(output)):
            raise AssertionError(f"the program has not ended:\n{output[-2000:]}")
        yield folder / "disk", said


def lose_again(writing: Writing, image: Path, chance: random.Random) -> None:
    """Starts a kernel from the disk, and lets the power fail while it starts."""
    words = ["--power-loss-at", chance.randrange(1, START), "--seed", chance.getrandbits(32)]
    execute(writing.kernel, image, *writing.words()[:4], "--append", "init=/none", *words)


def try_losses(
    writing: Writing, every: int = EVERY, most: int = MOST
) -> tuple[int, list[str]]:
    """Returns how many losses there were, not more than that and one, and what was wrong after
    them."""
    models = [Model(writing.seed, task).run(CHANGES) for task in range(TASKS)]
    chance = random.Random(writing.seed)
    count, problems = 0, []
    with tempfile.TemporaryDirectory() as folder:
        losses = list(writing.losses(Path(folder), every))
        for image, said in [*chance.sample(losses[:-1], min(most, len(losses) - 1)), losses[-1]]:
            times = 2 if chance.randrange(AGAIN) == 0 else 1
            for _ in range(times):
                wrong = Disk(image, models, said).problem(chance)
                count += 1
                if wrong:
                    problems.append(f"{writing.words()}, {image.stem}: {wrong}")
                    break
                if times == 2:
                    lose_again(writing, image, chance)
            image.unlink()
    return count, problems


def prepare() -> None:
    """Builds what is needed."""
    simulator()
    make(target("mkfs/fsck"), target("build/power.img"))


def main() -> int:
    """Runs the program until there were that many losses; returns 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kernel", type=Path, default=product("kernel/kernel"))
    arguments = parser.parse_args()
    prepare()
    total, failed, seed = 0, 0, arguments.seed
    while total < arguments.count:
        writing = Writing(seed, (1, 3, 8)[seed % 3], PROFILES[seed // 3 % 3], arguments.kernel)
        count, problems = try_losses(writing)
        for problem in problems:
            print(f"FAIL {problem}", flush=True)
        total += count
        failed += len(problems)
        seed += 1
    print(f"{total - failed} passed, {failed} failed")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    run_main(main)
