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
ABSOLUTE = re.compile(r"(?<![\w.:/~-])/(?:[^\s/'\"(),:;<>]+/)+(?=[^\s/'\"(),:;<>])")
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


def hide_paths(text: str, submission: Submission) -> str:
    """Returns the text without the folders of this machine: for the student, the submission has its
    own name, and of other paths only the last part is left."""
    source = submission["source"]
    if len(source) > 1:
        name = display(os.path.basename(submission["original"].rstrip("/")), lines=1)
        shown = display(source, columns=len(source) * 10, lines=1)
        for form in (shell_word(source), source, shown):
            text = text.replace(form, name or "the submission")
    return ABSOLUTE.sub("", text)


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
