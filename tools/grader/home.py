"""A student's own tree, in which the student grades what is not handed in yet.

`make handout` puts labs/NAME/original.tar.gz into it: the files that submissions are laid over, as
they were handed out. So what a student changes in files that are not handed in has no effect here,
just as it has none on the mark.
"""
from __future__ import annotations

import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from grader.errors import InfraError
from products import ROOT

ORIGINALS = "original.tar.gz"
NO_SANDBOX = "there is no sandbox: your kernel is built and run without one, as by `make qemu`"


def read_originals(lab: str) -> dict[str, bytes]:
    """Returns the files as they were handed out; none if this is not a student's tree."""
    archive = ROOT / "labs" / lab / ORIGINALS
    if not archive.exists():
        return {}
    try:
        with tarfile.open(archive) as tar:
            members = [(member.name, tar.extractfile(member)) for member in tar]
            return {name: file.read() for name, file in members if file is not None}
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InfraError(f"labs/{lab}/{ORIGINALS} cannot be read: {error}") from None


def pristine_tree(lab: str, work: Path) -> Path:
    """Returns the tree that submissions are laid over: this one, or in a student's tree the
    originals, unpacked in the folder `work`."""
    originals = read_originals(lab)
    if not originals:
        return ROOT
    for name, content in originals.items():
        file = work / "original" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return work / "original"


def is_own_work(lab: str, source: str) -> bool:
    """Tells whether a student grades the tree that this grader is in."""
    is_here = os.path.realpath(source) == os.path.realpath(ROOT)
    return is_here and (ROOT / "labs" / lab / ORIGINALS).exists()


def not_used(lab: str, allowed: Sequence[str]) -> list[str]:
    """Returns a note for each file of this tree that the original replaces, here and for the mark:
    the allowed ones are handed in."""
    notes = []
    for name, original in read_originals(lab).items():
        file = ROOT / name
        is_allowed = any(Path(name).match(pattern) for pattern in allowed)
        if not file.is_file():
            notes.append(f"{name} is missing: the original is used")
        elif not is_allowed and file.read_bytes().replace(b"\r\n", b"\n") != original:
            notes.append(f"{name} is not handed in: the original is used instead of yours")
    return notes
