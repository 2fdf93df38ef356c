"""Makes text that comes from a submission safe to show: the one place that escapes and shortens it.

Everything that a student can influence goes through here before it is shown: names of files and
folders, messages of compilers, git and QEMU, the console, names in debug information. Escaped are
control characters, bytes that are not UTF-8, and characters that change how other text looks: marks
of writing direction, characters without width, piles of accents.
"""
from __future__ import annotations

import os
import re
import shlex
import unicodedata
from pathlib import PurePath
from typing import Union

Text = Union[str, bytes, PurePath]

COLUMNS, LINES = 300, 60  # that are shown unless a place says otherwise
NAME_COLUMNS = 120  # of a name inside a sentence
CUT = "..."
TAB = "    "
ACCENTS_MAX = 2  # on one letter
INVALID_BYTE = 0xDC00  # what python adds to a byte that is not UTF-8
PLAIN = re.compile(r"[ -~]*")
# Letters and marks that are printable by their category, but cannot be seen.
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0000-\U000e0fff]"
)


def display(text: Text, *, columns: int = COLUMNS, lines: int = LINES) -> str:
    """Returns the text as it can be shown: at most so many lines, each at most so wide.

    With one line, line breaks are escaped, too. Text that is safe already is not changed.
    """
    whole = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else os.fspath(text)
    if lines == 1:
        return _display_line(whole, columns)
    pieces = whole.replace("\r\n", "\n").split("\n", lines)
    if len(pieces) > lines and pieces[lines]:
        left_out = 2 + pieces[lines].rstrip("\n").count("\n")
        pieces[lines - 1:] = [f"[{left_out} more lines]"]
    return "\n".join(_display_line(piece, columns) for piece in pieces)


def display_name(name: Text) -> str:
    """Returns the name of a file, a folder or a function as it can stand inside a sentence."""
    return display(name, columns=NAME_COLUMNS, lines=1)


def display_message(message: str) -> str:
    """Returns the message of a compiler or another tool, to follow a beginning of ours: its further
    lines are indented, so that none looks like one of ours."""
    return display(message).replace("\n", "\n" + TAB)


def shell_word(word: str) -> str:
    """Returns any word quoted for a shell's command line; the result can be shown."""
    if _display_line(word, 10 * len(word)) == word:
        return shlex.quote(word)
    letters = []
    for letter in word:
        if letter in "\\'":
            letters.append("\\" + letter)
        elif PLAIN.fullmatch(letter):
            letters.append(letter)
        else:
            letters += [f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape")]
    return "$'" + "".join(letters) + "'"


def _display_line(line: str, columns: int) -> str:
    """Returns the line escaped and cut."""
    if len(line) <= columns and PLAIN.fullmatch(line):
        return line
    shown: list[str] = []
    width, accents = 0, ACCENTS_MAX  # no accent may begin a line: it would be on what is before it
    for letter in line:
        accents = accents + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        piece = _escape(letter) if accents > ACCENTS_MAX or not _is_visible(letter) else letter
        width += _width(piece)
        shown.append(piece)
        if width > columns:
            return _cut(shown, width, columns)
    return "".join(shown)


def _cut(shown: list[str], width: int, columns: int) -> str:
    """Returns the beginning of a line that is too wide, and the mark that says so."""
    while shown and width > columns - len(CUT):
        width -= _width(shown.pop())
    return "".join(shown) + CUT


def _is_visible(letter: str) -> bool:
    """Tells whether a character can be seen and changes nothing around it."""
    return letter.isprintable() and not INVISIBLE.match(letter)


def _width(piece: str) -> int:
    """Returns how many columns a letter, or what replaces it, takes on a terminal."""
    if len(piece) > 1:
        return len(TAB) if piece == TAB else len(piece)
    if unicodedata.category(piece) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(piece) in "WF" else 1


def _escape(letter: str) -> str:
    """Returns what replaces a character that is not shown."""
    code = ord(letter)
    if letter == "\t":
        return TAB
    if INVALID_BYTE + 0x80 <= code <= INVALID_BYTE + 0xFF:
        return f"\\x{code - INVALID_BYTE:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
