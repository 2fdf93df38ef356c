"""The known solutions of the lab (labs/cow/solutions/{right,wrong}/NAME) as they are written down.

about.ini says what is right or wrong with a solution and which tests must fail. It has the pieces
(tools/pieces.py) that are replaced in the kernel of the solution's base; other files in the folder
replace whole files.
"""
from __future__ import annotations

import difflib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from litter import is_litter
from pieces import Piece, PieceError, changed_files, read_pieces, read_sections
from products import ROOT
from starter import DEPTHS, starter_pieces

SOLUTIONS = ROOT / "labs/cow/solutions"


@dataclass(frozen=True)
class Solution:
    """A submission whose verdict is known."""

    name: str  # right/NAME or wrong/NAME
    folder: Path
    what: str
    fails: tuple[str, ...] = ()  # these tests, exactly; ("*",): all
    may_fail: tuple[str, ...] = ()  # chance decides: on several harts, or where the grader looks
    hidden: tuple[str, ...] = ()  # of `fails`: QEMU hides the bug when it happens to empty its TLB
    causes: tuple[str, ...] = ()  # one of these names the bug that was planted
    refused: str = ""  # part of the message, if the submission is refused
    pieces: tuple[Piece, ...] = ()  # replaced in the reference's kernel

    @property
    def short_name(self) -> str:
        """The name without right/ or wrong/."""
        return self.name.partition("/")[2]

    @property
    def is_right(self) -> bool:
        """Tells whether it must lose nothing."""
        return self.name.startswith("right/")

    def hand_in(self, to: Path) -> str:
        """Writes the whole submission to the folder; returns its name for the grader."""
        shutil.copytree(ROOT / "kernel", to / "kernel", ignore=others_among, dirs_exist_ok=True)
        shutil.copytree(
            self.folder, to, ignore=shutil.ignore_patterns("about.ini"), dirs_exist_ok=True
        )
        for file, text in changed_files(self.pieces).items():
            (to / file).write_text(text, encoding="utf-8")
        return str(to)

    def diff(self) -> str:
        """Returns what the solution changes in the reference, as a unified diff."""
        changed = changed_files(self.pieces)
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name != "about.ini" and not is_litter(path):
                name = str(path.relative_to(self.folder))
                changed[name] = changed.get(name) or path.read_text(encoding="utf-8")
        lines: list[str] = []
        for file, text in sorted(changed.items()):
            ours = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).exists() else ""
            lines += difflib.unified_diff(
                ours.splitlines(), text.splitlines(), f"a/{file}", f"b/{file}", lineterm=""
            )
        return "\n".join(lines)


def others_among(folder: str, names: list[str]) -> list[str]:
    """Returns the names of files that editors and make leave behind; for copytree."""

    def is_built(name: str) -> bool:
        return name == "kernel" or name.startswith("kernel.") and name != "kernel.ld"

    is_top = Path(folder) == ROOT / "kernel"
    return [name for name in names if is_litter(name) or is_top and is_built(name)]


def base_pieces(about: Path, base: str) -> list[Piece]:
    """Returns the pieces that make a solution's base out of this tree's kernel.

    A base is "reference", or "starter N": the student's kernel of depth N.
    """
    kind, _, depth = base.partition(" ")
    if base == "reference":
        return []
    if kind == "starter" and depth in map(str, DEPTHS):
        # A submission is a kernel; the rest of the starter's tree is not handed in.
        return [piece for piece in starter_pieces(int(depth)) if piece.file.startswith("kernel/")]
    raise PieceError(f"{about}: expected `base = reference` or `starter N`, saw {base}")


def own_pieces(about: Path) -> list[Piece]:
    """Returns a solution's pieces, after those of the solution that it builds on (`pieces_of`)."""
    other = read_sections(about)["solution"].get("pieces_of")
    first = own_pieces(SOLUTIONS / other / "about.ini") if other else []
    return first + read_pieces(about)


def read_solution(folder: Path, tests: Sequence[str]) -> Solution:
    """Reads about.ini: `fails` names the tests that must fail, or `passes` those that must not; for
    those in `may_fail` chance decides, and in `hidden` whether the bug shows at the first try."""
    path = folder / "about.ini"
    about = read_sections(path)["solution"]

    def words(key: str) -> tuple[str, ...]:
        return tuple(about.get(key, "").split())

    fails = words("fails")
    if "passes" in about:
        fails = tuple(t for t in tests if t not in words("passes") + words("may_fail"))
    pieces = base_pieces(path, about["base"]) + own_pieces(path)
    return Solution(
        f"{folder.parent.name}/{folder.name}",
        folder,
        " ".join(about["what"].split()),
        fails,
        words("may_fail"),
        words("hidden"),
        words("cause"),
        about.get("refused", ""),
        tuple(pieces),
    )


def all_solutions(tests: Sequence[str] = ()) -> list[Solution]:
    """Returns all known solutions; those that say what `passes` need the ids of the lab's tests."""
    return [read_solution(about.parent, tests) for about in sorted(SOLUTIONS.glob("*/*/about.ini"))]
