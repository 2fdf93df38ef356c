"""Makes a class of any size, as Moodle would hand it out, with the verdict that each must get.

Most submissions are known solutions of the lab in disguise, packed in every way; the others are
broken, empty, huge or hostile.
"""
from __future__ import annotations

import io
import itertools
import os
import random
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from disguise import disguise
from solutions import Solution, all_solutions

DISGUISED = ("kernel/mem", "kernel/proc", "kernel/trap", "kernel/vm")
HUGE_BYTES = 101 << 20
BOMB_BYTES = 1100 << 20
NAMES = ("Ada", "김철수", "Zoë", "O'Hara", "=1+1", "<b>Bob</b>", "Eve\x1b[31m", "Ann\u202eEve")


@dataclass(frozen=True)
class Case:
    """A student, and the verdict that the submission must get: what must be in the reason why it
    is not graded, or else which tests must and may be lost."""

    identity: str
    what: str
    reason: str = ""
    fails: frozenset[str] = frozenset()
    may_fail: frozenset[str] = frozenset()


Pack = Callable[[Path, Path], None]
Break = Callable[[Path], str]  # writes into a student's folder; returns part of the reason


def make_class(
    folder: Path, count: int, seed: int, tests: Sequence[str], broken_in_ten: int = 1
) -> list[Case]:
    """Writes `count` submissions into the folder; returns what must become of them if these tests
    are run."""
    chance = random.Random(seed)
    known = all_solutions(tests)
    breakages = itertools.cycle(BREAKAGES)
    cases = []
    for number in range(count):
        identity = str(1000 + number)
        name = f"{chance.choice(NAMES)}_{identity}_assignsubmission_file_"
        place = folder / name.replace("/", " ")
        place.mkdir(parents=True)
        if number % 10 < broken_in_ten:
            breakage = next(breakages)
            cases.append(Case(identity, breakage.__name__, breakage(place)))
        else:
            solution = known[number * 7919 % len(known)]
            cases.append(hand_in(solution, place, identity, chance, tests))
    return cases


# ---- Known solutions ----


def hand_in(
    solution: Solution, place: Path, identity: str, chance: random.Random, tests: Sequence[str]
) -> Case:
    """Hands in a known solution in disguise."""
    work = place.parent.parent / f"work-{identity}"
    solution.hand_in(work)
    for part in DISGUISED:
        for file in sorted((work / part).glob("*.c")):
            file.write_text(disguise(file.read_text(), chance))
    pack = PACKS[int(identity) % len(PACKS)]
    pack(work, place)
    shutil.rmtree(work)
    fails = frozenset(tests if "*" in solution.fails else solution.fails)
    what = f"{solution.name}, {pack.__name__}"
    return Case(
        identity, what, solution.refused, (fails - {*solution.hidden}) & {*tests},
        frozenset(solution.may_fail + solution.hidden),
    )


def as_zip(work: Path, place: Path) -> None:
    """An archive with a folder around the tree, and the litter of macOS."""
    with zipfile.ZipFile(place / "cow.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(work.rglob("*")):
            if file.is_file():
                archive.write(file, f"cow/{file.relative_to(work)}")
        archive.writestr("__MACOSX/cow/kernel/vm/._cow.c", b"\0\5\x16\7")
        archive.writestr("cow/.DS_Store", b"\0")


def as_tar(work: Path, place: Path) -> None:
    """An archive of kernel/ alone, in a folder of its own."""
    (place / "lab").mkdir()
    with tarfile.open(place / "lab/cow.tar.gz", "w:gz") as archive:
        archive.add(work / "kernel", "kernel")


def as_xz(work: Path, place: Path) -> None:
    """An archive of the tree."""
    with tarfile.open(place / "cow.tar.xz", "w:xz") as archive:
        archive.add(work, ".")


def as_folder(work: Path, place: Path) -> None:
    """The tree, in a folder with a name that is no UTF-8."""
    shutil.copytree(work, place / os.fsdecode(b"my c\xffw"))


PACKS: Sequence[Pack] = (as_zip, as_tar, as_xz, as_folder)


# ---- Broken ones ----


def empty_folder(_place: Path) -> str:
    """Nothing was handed in."""
    return "the folder is empty"


def no_archive(place: Path) -> str:
    """A picture of the solution."""
    (place / "cow.pdf").write_bytes(b"%PDF-1.4")
    return "only cow.pdf"


def cut_archive(place: Path) -> str:
    """An upload that broke off."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("kernel/main.c", "int main;\n" * 1000)
    (place / "cow.zip").write_bytes(data.getvalue()[:-100])
    return "is damaged"


def empty_archive(place: Path) -> str:
    """An archive of nothing."""
    with zipfile.ZipFile(place / "cow.zip", "w"):
        pass
    return "holds no folder kernel/"


def other_archive(place: Path) -> str:
    """An archive of a kind that nobody asked for."""
    (place / "cow.rar").write_bytes(b"Rar!\x1a\7\1\0" + bytes(100))
    return "is damaged, or not a tar"


def two_archives(place: Path) -> str:
    """Nobody knows which one counts."""
    for name in ("old.zip", "new.zip"):
        empty_archive(place)
        (place / "cow.zip").rename(place / name)
    return "several archives were handed in (new.zip, old.zip)"


def huge_archive(place: Path) -> str:
    """More than may be handed in."""
    with (place / "cow.tar").open("wb") as file:
        file.truncate(HUGE_BYTES)
    return "101 MiB; 100 are allowed"


def bomb(place: Path) -> str:
    """A small archive of a huge file."""
    with zipfile.ZipFile(place / "cow.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("kernel/main.c", "w", force_zip64=True) as file:
            for _ in range(BOMB_BYTES >> 20):
                file.write(bytes(1 << 20))
    return "more than 1024 MiB"


def way_out(place: Path) -> str:
    """An archive that wants to write elsewhere."""
    with zipfile.ZipFile(place / "cow.zip", "w") as archive:
        archive.writestr("../../report/results/1001.json", "{}")
        archive.writestr("kernel/main.c", "")
    return "leads out of it"


def link_to_others(place: Path) -> str:
    """A link to what others handed in."""
    with zipfile.ZipFile(place / "cow.zip", "w") as archive:
        link = zipfile.ZipInfo("kernel/vm")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "../../..")
    return "is a link: only files and folders can be handed in"


def only_links(place: Path) -> str:
    """A folder of links to what others handed in."""
    (place / "kernel").symlink_to("..")
    return "the folder is empty"


def half_a_tree(place: Path) -> str:
    """A file that the lab wants is missing."""
    (place / "kernel/vm").mkdir(parents=True)
    (place / "kernel/main.c").write_text("int main;\n")
    return "the submission has no kernel/"


BREAKAGES: Sequence[Break] = (
    empty_folder, cut_archive, way_out, link_to_others, no_archive, empty_archive, two_archives,
    only_links, other_archive, half_a_tree, huge_archive, bomb,
)
