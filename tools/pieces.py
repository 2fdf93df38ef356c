"""Pieces: small changes to files of this tree, kept in .ini files.

The student's kernel (labs/cow/starter), the known solutions of the lab (labs/cow/solutions) and the
planted bugs (tests/mutants) are all written as pieces, so that no kernel file exists twice:

    [kernel/vm/cow.c 1]
    replace = pt_replace(&as->pt, va, m);
    with =
        // as many lines as are needed
        pt_replace(&as->pt, va, m);

The old text must occur exactly once. Spaces, line breaks and where a comment is wrapped do not
matter. A line `...` in it stands for any text, as little as possible. The new text keeps its
indentation, relative to the line on which the old one began; an empty one removes the line. Pieces
are applied in order; what follows the file's name only tells them apart. Where sections have names
of their own, as planted bugs do, `file = kernel/vm/cow.c` names the file.
"""
from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from products import ROOT

Sections = dict[str, dict[str, str]]


class PieceError(Exception):
    """A piece that does not fit, or an .ini file that cannot be read; the message says why."""


def read_sections(path: Path) -> Sections:
    """Reads an .ini file: `[section]`, `key = value`, and comments, which are lines that begin with
    `#` or `;`.

    Indented lines continue a value. Unlike configparser, this keeps their indentation, except for
    what all lines of the value have in common.
    """
    blocks: dict[str, dict[str, list[str]]] = {}
    section, value = "", None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        header, key = re.fullmatch(r"\[(.+)\]\s*", line), re.match(r"(\w+) *= *", line)
        if line[:1] in ("#", ";"):
            continue
        if header and header[1] not in blocks:
            section, value = header[1], None
            blocks[section] = {}
        elif key and section and key[1] not in blocks[section]:
            value = blocks[section][key[1]] = [line[key.end():]]
        elif value is not None and (not line.strip() or line[0].isspace()):
            value.append(line)
        elif line.strip():
            raise PieceError(
                f"{path}:{number}: expected a new section, a new key or an indented line, "
                f"saw: {line}"
            )
    return {
        name: {key: joined(lines) for key, lines in block.items()} for name, block in blocks.items()
    }


def joined(lines: list[str]) -> str:
    """Returns a value, given its lines; the first is what follows the key."""
    return (lines[0] + "\n" + textwrap.dedent("\n".join(lines[1:]))).strip("\n")


def pattern(text: str) -> str:
    """Returns a regular expression that finds the text, however it is laid out.

    If the text ends in a comment, the comment must end with its line; otherwise the rest of it
    would be left behind.
    """
    found, in_comment, separator = "", False, ""
    for line in text.splitlines():
        if line.strip() == "...":
            found, in_comment, separator = found + ".*?", False, ""
            continue
        code, slashes, comment = line.partition("//")
        if code.strip() or not slashes:
            in_comment = False
        for token in re.findall(r"\w+|[^\w\s]", code):
            found, separator = found + separator + re.escape(token), r"\s*"
        if slashes and not in_comment:
            found, separator = found + separator + "//", r"\s*"
        for token in re.findall(r"\w+|[^\w\s]", comment):
            found, separator = found + r"(?:\s|//)*" + re.escape(token), r"\s*"
        in_comment = bool(slashes)
    return found + (r"(?=[^\S\n]*(?:\n|$))" if in_comment else "")


@dataclass(frozen=True)
class Piece:
    """A piece of a file that is replaced."""

    file: str
    old: str
    new: str
    origin: str  # where it is written

    def apply(self, text: str) -> str:
        """Returns the text with the piece replaced; raises PieceError if it does not occur once."""
        matches = list(re.finditer(pattern(self.old), text, re.DOTALL))
        if len(matches) != 1 or not self.old.strip():
            raise PieceError(
                f"{self.origin}: expected this once in {self.file}, saw it {len(matches)} times:\n"
                + textwrap.indent(self.old, "    ")
            )
        start, end = matches[0].span()
        if not self.new:
            return text[:start].rstrip(" ") + text[end:].lstrip(" ").removeprefix("\n")
        line = text[text.rfind("\n", 0, start) + 1 : start]
        indentation = line[: len(line) - len(line.lstrip())]
        first, newline, rest = self.new.partition("\n")
        return text[:start] + first + newline + textwrap.indent(rest, indentation) + text[end:]


def read_pieces(path: Path) -> list[Piece]:
    """Returns the pieces of a file in their order; other sections are skipped."""
    return [
        make_piece(path, name, values)
        for name, values in read_sections(path).items()
        if "replace" in values
    ]


def make_piece(path: Path, name: str, values: dict[str, str]) -> Piece:
    """Returns the piece that a section describes."""
    file = values.get("file") or name.split()[0]
    return Piece(file, values["replace"], values["with"], f"{relative(path)} [{name}]")


def relative(path: Path) -> Path:
    """Returns the path relative to this tree, if it is in it."""
    return path.relative_to(ROOT) if ROOT in path.parents else path


def read_source(file: str) -> str:
    """Returns the text of a file of this tree."""
    try:
        return (ROOT / file).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PieceError(f"there is no file {file}") from error


def changed_files(
    pieces: Iterable[Piece], read: Callable[[str], str] = read_source
) -> dict[str, str]:
    """Returns the new text of each file that the pieces change."""
    texts: dict[str, str] = {}
    for piece in pieces:
        text = texts[piece.file] if piece.file in texts else read(piece.file)
        texts[piece.file] = piece.apply(text)
    return texts
