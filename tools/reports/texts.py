"""Texts of a class, made fit for where they are shown."""
from __future__ import annotations

import os
import re

from classroom.record import Submission
from grader.display import display, shell_word

TEXT_COLUMNS, TEXT_LINES = 2000, 400
# What no XML file may have: display() escapes them, unless a text did not go through it.
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A path from the root: at least two folders, not the end of a URL or of another path.
ABSOLUTE = re.compile(
    r"(?:\bfile://|(?<![\w./~-]))/(?!/)(?:[^\s/'\"(),:;<>]+/)+(?=[^\s/'\"(),:;<>])"
)
CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")  # of a URL
RESERVED = re.compile(r"[\\/:*?\"<>|\x00-\x1f\x7f]")
DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE | re.DOTALL)
FILE_NAME_BYTES = 150
SAFE_ID = re.compile(r"(?!\.)[\w.+@-]{1,100}")


def xml_text(text: str) -> str:
    """Returns text that may be in an XML file, where it will be escaped."""
    return NOT_XML.sub("?", display(text, columns=TEXT_COLUMNS, lines=TEXT_LINES))


def one_line(text: str) -> str:
    """Returns text that may be in an XML file, on one line."""
    return xml_text(" ".join(text.splitlines()))


class PathHider:
    """Takes the folders of this machine out of texts for a student: the submission has its own name
    there, of other paths only the last part is left, and of a URL no name or password."""

    def __init__(self, submission: Submission) -> None:
        source = submission["source"]
        name = display(os.path.basename(submission["original"].rstrip("/")), lines=1)
        self.name = name or "the submission"
        shown = display(source, columns=len(source) * 10, lines=1)
        self.forms = (shell_word(source), source, shown) if len(source) > 1 else ()

    def __call__(self, text: str) -> str:
        """Returns the text without folders."""
        for form in self.forms:
            text = text.replace(form, self.name)
        return ABSOLUTE.sub("", CREDENTIALS.sub("", text))


def file_name(text: str) -> str:
    """Returns a name for a file or a folder that is safe on every system: no path, nothing hidden,
    no name of a device, not too long."""
    name = RESERVED.sub("-", display(text, columns=FILE_NAME_BYTES, lines=1)).strip(" .")
    while len(name.encode("utf-8", "replace")) > FILE_NAME_BYTES:
        name = name[:-1]
    return f"{name}-" if DEVICES.fullmatch(name) else name or "-"


def is_safe_id(identity: str) -> bool:
    """Tells whether an id can be the name of a file; those that classroom/ makes are."""
    return SAFE_ID.fullmatch(identity) is not None
