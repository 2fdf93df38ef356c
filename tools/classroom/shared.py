"""What a folder needs that several machines share, perhaps over NFS: a fresh look at what others
have written, and a file to which all can add lines. Locks (flock) work there, renames are whole."""
from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path


def refresh(folder: Path, size: int = 0) -> None:
    """Makes this machine see what others have put into a folder. NFS may go on for a minute with
    what it knows of one, but not when this machine changes it, too: so a file is made and removed.

    OSError if there is no space for so many bytes, or if the folder cannot be written to.
    """
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".") as file:
        if size:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file, whoever else does so at the same time; OSError if that fails. What a
    full disk has left of an earlier line stays a line of its own."""
    with path.open("a+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # also lets NFS see where the file ends now
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        is_broken = size > 0 and file.read(1) != b"\n"
        file.write((b"\n" if is_broken else b"") + line.encode() + b"\n")
