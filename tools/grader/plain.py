"""Files of a submission as plain bytes and text."""
from __future__ import annotations

import os
import stat
from pathlib import Path

from grader.display import display_name
from grader.errors import SubmissionError, blame


def read_plain(path: Path, name: str, most: int) -> bytes:
    """Returns the bytes of a file; SubmissionError if it is not a plain file, or too large."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _not_opened(path, display_name(name), error) from None
    with os.fdopen(file, "rb") as opened:
        state = os.fstat(file)
        if not stat.S_ISREG(state.st_mode):
            raise SubmissionError(f"{display_name(name)} is not a plain file")
        data = opened.read(most + 1)
    if len(data) > most:
        raise SubmissionError(
            f"{display_name(name)} has more than {most} bytes, which is the most allowed"
        )
    return data


def _not_opened(path: Path, name: str, error: OSError) -> Exception:
    """Returns the error for a file that cannot be opened."""
    if path.is_symlink():
        return SubmissionError(f"{name} is a link: hand in the file itself")
    return blame(error, f"{name} cannot be read")


def plain_text(content: bytes) -> bytes:
    """Returns a source as our tools want it: without byte-order mark and carriage returns, in UTF-8
    if it was in UTF-16."""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    elif content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode()
    return content.replace(b"\r\n", b"\n")
