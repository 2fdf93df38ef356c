"""Files that a platform reads, in folders where a submission may have put something."""
from __future__ import annotations

import os
import tempfile
from pathlib import Path

READABLE = 0o644


def replace_file(path: Path, text: str) -> None:
    """Writes a file that readers see whole, the old one or the new one. No link is followed, and no
    file that is there is written into. OSError if it cannot be written."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            os.fchmod(handle, READABLE)
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
