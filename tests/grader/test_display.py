"""What comes from a submission is shown escaped and shortened, wherever it is shown."""
from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from grader.display import display, display_name, shell_word

# What it is, as it may come, as it is shown.
HOSTILE = (
    ("clears the screen", "a\x1b[2Jb", "a\\x1b[2Jb"),
    ("a C1 control", "a\x9b2Jb", "a\\x9b2Jb"),
    ("a bell and a backspace", "\a\b", "\\x07\\x08"),
    ("goes to the start of the line", "bad\rgood", "bad\\x0dgood"),
    ("turns the direction of writing", "a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
    ("has no width", "a\u200bb\ufeffc\u2060d\u00ade", "a\\u200bb\\ufeffc\\u2060d\\xade"),
    ("cannot be seen", "a\u3164b\u2800c\ufe0fd", "a\\u3164b\\u2800c\\ufe0fd"),
    ("is a tag", "a\U000e0041b", "a\\U000e0041b"),
    ("a line break that is none", "a\u2028b\x0bc\x85d", "a\\u2028b\\x0bc\\x85d"),
    ("a space that is none", "a\u00a0b\u3000c", "a\\xa0b\\u3000c"),
    ("a pile of accents", "e\u0301\u0301\u0301\u0301", "e\u0301\u0301\\u0301\\u0301"),
    ("an accent on what comes before", "\u0301e", "\\u0301e"),
    ("half a character", "a\ud800b", "a\\ud800b"),
    ("for a private use", "a\ue000b", "a\\ue000b"),
)


@pytest.mark.parametrize("what, text, shown", HOSTILE)
def test_hostile_character_is_escaped(what: str, text: str, shown: str) -> None:
    """In lines as in names."""
    assert display(text) == shown, what
    assert display_name(text) == shown, what


def test_every_character() -> None:
    """What is shown can be printed."""
    everything = "".join(map(chr, [*range(0x20000), *range(0xe0000, 0xe1000), sys.maxunicode]))
    shown = display(everything, columns=1 << 25)
    assert all(letter.isprintable() for line in shown.split("\n") for letter in line)
    assert display(shown, columns=1 << 25) == shown


def test_harmless_text() -> None:
    """Messages and names of any language stay as they are."""
    for text in ("panic: walk", "müller/größe.c", "Người", "学生/内核.c", "e\u0301", "a\nb\n"):
        assert display(text) == text
    assert display("a\r\nb\tc") == "a\nb    c"


def test_bytes_and_paths() -> None:
    """Bytes that are no UTF-8 are escaped, in paths, too."""
    assert display(b"a\xff\xc3\xa9") == "a\\xffé"
    path = Path(b"kernel/\xff\x1b.c".decode("utf-8", "surrogateescape"))
    assert display(path) == "kernel/\\xff\\x1b.c"


def test_columns() -> None:
    """A line is cut to columns, not to characters."""
    assert display("x" * 500, columns=20) == "x" * 17 + "..."
    assert display("学" * 20, columns=10) == "学学学..."
    assert display("\x1b" * 20, columns=10) == "\\x1b..."
    assert display("x" * 20, columns=20) == "x" * 20
    assert display("\n".join(["x" * 500] * 2), columns=5) == "xx...\nxx..."


def test_lines() -> None:
    """Of many lines the first are shown; in one line no line break is left."""
    assert display("a\nb\nc\nd\n", lines=3) == "a\nb\n[2 more lines]"
    assert display("a\nb\nc\n", lines=3) == "a\nb\nc\n"
    assert display("a\nb", lines=1) == "a\\x0ab"


@pytest.mark.parametrize("text", [
    *(text for _, text, _ in HOSTILE), "x" * 999, "a\n" * 999, "学" * 999,
], ids=lambda text: ascii(text[:9]))
def test_twice_is_once(text: str) -> None:
    """A text may pass through several places that show it."""
    assert display(display(text)) == display(text)


@pytest.mark.parametrize("piece", ["x", "\x1b", "\u0301", "\t", "x \n", "\r\n"])
def test_what_is_not_shown_takes_no_time(piece: str) -> None:
    """However long it is."""
    text, start = piece * (4 << 20), time.process_time()
    assert len(display(text)) < 100_000
    assert time.process_time() - start < 2


@pytest.mark.parametrize("word", [
    b"plain", b"with space", b"it's", b"a\x1b[2J'\\b", "\u202eé".encode(), b"\xff1\n",
])
def test_shell_makes_of_a_word_what_it_was(word: bytes) -> None:
    """And the word can be shown."""
    shown = shell_word(word.decode("utf-8", "surrogateescape"))
    assert display(shown) == shown
    command = ["bash", "-c", f"printf %s {shown}"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == word
