"""All pieces of the starters, the known solutions and the planted bugs fit their files.

This needs no machine and no compiler. The rules of matching (tools/pieces.py) are tested, too.
"""
from __future__ import annotations

from pathlib import Path

import mutants
import pytest
import solutions
import starter
from mutants import Mutant
from pieces import Piece, PieceError, changed_files, read_pieces, read_sections, read_source

ABOUTS = sorted(solutions.SOLUTIONS.glob("*/*/about.ini"))

# ---- The pieces of this tree ----


@pytest.mark.parametrize("depth", starter.DEPTHS)
def test_starter_fits(depth: int) -> None:
    """At every depth it takes copy-on-write out."""
    assert "kernel/vm/cow.c" in changed_files(starter.starter_pieces(depth))


@pytest.mark.parametrize("about", ABOUTS, ids=lambda about: about.parent.name)
def test_solution_fits(about: Path) -> None:
    """Every known one, on its base."""
    changed_files(solutions.read_solution(about.parent, ()).pieces)


@pytest.mark.parametrize("mutant", mutants.read_mutants(), ids=lambda mutant: mutant.name)
def test_planted_bug_fits(mutant: Mutant) -> None:
    """Every one of tests/mutants."""
    mutant.piece.apply(read_source(mutant.file))


# ---- What a piece matches, and what takes its place ----


def apply(old: str, new: str, text: str) -> str:
    """Replaces a piece of a text."""
    return Piece("file.c", old, new, "here").apply(text)


def test_layout_does_not_matter() -> None:
    """Spaces and line breaks are ignored."""
    text = "{\n    if (a)\n        b ( );\n}\n"
    assert apply("if (a) b();", "c();", text) == "{\n    c();\n}\n"


@pytest.mark.parametrize("text", [
    "// one two three\nf();\n",
    "// one\n// two three\nf();\n",
    "  // one two\n  // three\n  f();\n",
])
@pytest.mark.parametrize("old", [
    "// one two three", "// one two\n// three", "// one two\n// three\nf();",
])
def test_it_does_not_matter_where_a_comment_is_wrapped(text: str, old: str) -> None:
    """In the file or in the piece."""
    assert "one" not in apply(old, "g();", text)


@pytest.mark.parametrize("old, text", [
    ("a();\n// b", "a(); b\n"),
    ("a(); b", "a();\n// b\n"),
    ("a(); // b", "a(); // b c\n"),
])
def test_a_comment_stays_a_comment(old: str, text: str) -> None:
    """The slashes that begin it count, and none of it is left on its line."""
    with pytest.raises(PieceError):
        apply(old, "", text)


def test_three_dots_match_as_little_as_possible() -> None:
    """They are a line of their own."""
    text = "f {\n  a;\n  return;\n}\ng {\n  return;\n}\n"
    assert apply("f {\n...\nreturn;", "f {", text) == "f {\n}\ng {\n  return;\n}\n"


@pytest.mark.parametrize("old, text", [("a;", "a; a;"), ("a;", "b;"), ("", "a;")])
def test_piece_must_occur_once(old: str, text: str) -> None:
    """It is refused by name if it occurs twice or never, or if it is empty."""
    with pytest.raises(PieceError, match="here: expected this once in file.c"):
        apply(old, "c;", text)


def test_new_text_is_indented_as_the_old_one() -> None:
    """It starts where the old one did, and keeps its relative indentation."""
    changed = apply("b;", "if (x)\n    c;\n\nd;", "{\n    b;\n}\n")
    assert changed == "{\n    if (x)\n        c;\n\n    d;\n}\n"


def test_empty_text_removes_the_line() -> None:
    """No empty one is left."""
    text = "{\n    a;\n    b;\n    c;\n}\n"
    assert apply("b;", "", text) == "{\n    a;\n    c;\n}\n"


def test_pieces_are_applied_in_order() -> None:
    """One can replace what an earlier one has written."""
    pieces = [Piece("f", "a", "b", ""), Piece("f", "b", "c", ""), Piece("g", "x", "y", "")]
    assert changed_files(pieces, {"f": "a", "g": "x"}.__getitem__) == {"f": "c", "g": "y"}


# ---- What a solution changes can be read as a diff ----


def test_diff_shows_pieces_and_whole_files(tmp_path: Path) -> None:
    """A piece shows as lines taken out and put in, a file of its own as lines put in."""
    piece = Piece("README.md", "# cow6", "# cow7", "here")
    (tmp_path / "new.c").write_text("int x;\n")
    lines = solutions.Solution("wrong/x", tmp_path, "x", pieces=(piece,)).diff().splitlines()
    assert "-# cow6" in lines
    assert "+# cow7" in lines
    assert lines[-1] == "+int x;"


# ---- The files that pieces are in ----


def test_values_keep_their_indentation(tmp_path: Path) -> None:
    """Unlike with configparser; a comment starts at the beginning of a line."""
    first = "; one\n[f.c 1]\n# two\nreplace = a;\nwith =\n    if\n        #b\n\n    c = d\n\n"
    path = tmp_path / "pieces.ini"
    path.write_text(f"{first}[x]\ny = z\n")
    assert read_sections(path)["f.c 1"] == {"replace": "a;", "with": "if\n    #b\n\nc = d"}
    (piece,) = read_pieces(path)
    assert (piece.file, piece.origin) == ("f.c", f"{path} [f.c 1]")


@pytest.mark.parametrize("text", [
    "[a]\nx = 1\nx = 2\n", "[a]\n[a]\n", "x = 1\n", "[a]\nhello\n", "[a]\n  x\n",
])
def test_broken_ini_file_is_refused(tmp_path: Path, text: str) -> None:
    """The message has the number of the line."""
    path = tmp_path / "pieces.ini"
    path.write_text(text)
    with pytest.raises(PieceError, match=r"pieces.ini:\d: expected"):
        read_sections(path)
