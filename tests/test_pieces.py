"""All pieces of the starters, the known solutions and the planted bugs fit their files.

This needs no machine and no compiler. The rules of matching (tools/pieces.py) are tested, too.
"""
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import mutants
import pytest
import solutions
import starter
from pieces import Piece, PieceError, changed_files, read_pieces, read_sections, read_source


class TreeTest(unittest.TestCase):
    """The pieces of this tree."""

    def test_starters_fit(self) -> None:
        """Every depth."""
        for depth in starter.DEPTHS:
            with self.subTest(depth):
                assert "kernel/vm/cow.c" in changed_files(starter.starter_pieces(depth))

    def test_solutions_fit(self) -> None:
        """Every known solution, on its base."""
        for about in sorted(solutions.SOLUTIONS.glob("*/*/about.ini")):
            with self.subTest(about.parent.name):
                changed_files(solutions.read_solution(about.parent, ()).pieces)

    def test_mutants_fit(self) -> None:
        """Every planted bug."""
        for mutant in mutants.read_mutants():
            with self.subTest(mutant.name):
                mutant.piece.apply(read_source(mutant.file))


class MatchingTest(unittest.TestCase):
    """What a piece matches, and what takes its place."""

    def apply(self, old: str, new: str, text: str) -> str:
        """Replaces a piece of a text."""
        return Piece("file.c", old, new, "here").apply(text)

    def test_layout_does_not_matter(self) -> None:
        """Spaces and line breaks are ignored."""
        text = "{\n    if (a)\n        b ( );\n}\n"
        assert self.apply("if (a) b();", "c();", text) == "{\n    c();\n}\n"

    def test_wrapped_comments(self) -> None:
        """It does not matter where a comment is wrapped."""
        for text in (
            "// one two three\nf();\n",
            "// one\n// two three\nf();\n",
            "  // one two\n  // three\n  f();\n",
        ):
            for old in ("// one two three", "// one two\n// three", "// one two\n// three\nf();"):
                assert "one" not in self.apply(old, "g();", text)

    def test_a_comment_stays_a_comment(self) -> None:
        """The slashes that begin a comment count."""
        with pytest.raises(PieceError):
            self.apply("a();\n// b", "", "a(); b\n")
        with pytest.raises(PieceError):
            self.apply("a(); b", "", "a();\n// b\n")

    def test_ellipsis(self) -> None:
        """A line of three dots matches as little as possible."""
        text = "f {\n  a;\n  return;\n}\ng {\n  return;\n}\n"
        assert self.apply("f {\n...\nreturn;", "f {", text) == "f {\n}\ng {\n  return;\n}\n"

    def test_must_occur_once(self) -> None:
        """A piece that is empty, or does not occur exactly once, is refused by name."""
        for text in ("a; a;", "b;"):
            with pytest.raises(PieceError, match="here: expected this once in file.c"):
                self.apply("a;", "c;", text)
        with pytest.raises(PieceError):
            self.apply("", "c;", "a;")

    def test_indentation(self) -> None:
        """The new text starts where the old one did, and keeps its relative indentation."""
        assert (
            self.apply("b;", "if (x)\n    c;\n\nd;", "{\n    b;\n}\n")
            == "{\n    if (x)\n        c;\n\n    d;\n}\n"
        )

    def test_empty_text_removes_line(self) -> None:
        """An empty new text leaves no empty line."""
        text = "{\n    a;\n    b;\n    c;\n}\n"
        assert self.apply("b;", "", text) == "{\n    a;\n    c;\n}\n"

    def test_in_order(self) -> None:
        """A piece can replace what an earlier one has written."""
        pieces = [Piece("f", "a", "b", ""), Piece("f", "b", "c", ""), Piece("g", "x", "y", "")]
        assert changed_files(pieces, {"f": "a", "g": "x"}.__getitem__) == {"f": "c", "g": "y"}


class DiffTest(unittest.TestCase):
    """What a solution changes can be read as a diff."""

    def test_pieces_and_whole_files(self) -> None:
        """A piece shows as lines taken out and put in, a file of its own as lines put in."""
        piece = Piece("README.md", "# cow6", "# cow7", "here")
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "new.c").write_text("int x;\n")
            solution = solutions.Solution("wrong/x", Path(folder), "x", pieces=(piece,))
            lines = solution.diff().splitlines()
        assert "-# cow6" in lines
        assert "+# cow7" in lines
        assert lines[-1] == "+int x;"


class ReadingTest(unittest.TestCase):
    """The files that pieces are in."""

    def write(self, text: str) -> Path:
        """Writes a file for the test."""
        folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, "pieces.ini")
        path.write_text(text)
        return path

    def test_values_keep_their_indentation(self) -> None:
        """Unlike with configparser; a comment starts at the beginning of a line."""
        first = "; one\n[f.c 1]\n# two\nreplace = a;\nwith =\n    if\n        #b\n\n    c = d\n\n"
        path = self.write(f"{first}[x]\ny = z\n")
        assert read_sections(path)["f.c 1"] == {"replace": "a;", "with": "if\n    #b\n\nc = d"}
        (piece,) = read_pieces(path)
        assert (piece.file, piece.origin) == ("f.c", f"{path} [f.c 1]")

    def test_broken_ini_files(self) -> None:
        """The message has the number of the line."""
        for text in ("[a]\nx = 1\nx = 2\n", "[a]\n[a]\n", "x = 1\n", "[a]\nhello\n", "[a]\n  x\n"):
            with pytest.raises(PieceError, match=r"pieces.ini:\d: expected"):
                read_sections(self.write(text))
