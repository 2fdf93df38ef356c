"""What an xv6 kernel's sources tell about the machine that it needs, and about its first
process."""
from __future__ import annotations

import re
from pathlib import Path

from grader.constants import without_comments

DISK_VERSION = re.compile(r"VIRTIO_MMIO_VERSION\s{0,9}\)\s{0,9}!=\s{0,9}(?:0x)?([12])\b")
UVMCREATE = re.compile(
    r"^uvmcreate\s{0,9}\([^)\n]{0,80}\)\s{0,9}\{(?P<body>(?:\n(?!\}).{0,200}){0,30})", re.M
)
TABLES_OF_A_FORK = 5  # pages: the trap frame, and tables for it, the trampoline and the program
INCLUDED_INITCODE = re.compile(r"incbin\W{1,20}user/initcode")


def machine_options(texts: dict[Path, str]) -> list[str]:
    """What QEMU must be told for a kernel with these sources.

    Its disk driver wants a virtio device of version 1 (legacy, before 2022) or 2. If it does not
    set up memory protection (before 2021), the hardware must have none, or supervisor mode could
    access nothing.
    """
    codes = {path: without_comments(text) for path, text in texts.items()}
    version = next(filter(None, map(DISK_VERSION.search, codes.values())), None)
    has_modern_queues = any("QUEUE_DESC_LOW" in code for code in codes.values())
    legacy = version.group(1) == "1" if version else not has_modern_queues
    protects = any("pmpaddr0" in code for path, code in codes.items() if path.suffix != ".h")
    disk = ["-global", f"virtio-mmio.force-legacy={'true' if legacy else 'false'}"]
    return disk if protects else [*disk, "-cpu", "rv64,h=false,debug=false,pmp=false"]


def initcode_wanted(texts: dict[Path, str]) -> str:
    """What must be made for kernels that take the first process's code from a file: an object to
    link, or the file itself; nothing for others."""
    codes = [text for path, text in texts.items() if path.suffix != ".h"]
    if any("_binary_user_initcode_start" in code for code in codes):
        return "binary.o"
    return "user/initcode" if any(map(INCLUDED_INITCODE.search, codes)) else ""


def least_for_fork(texts: dict[Path, str]) -> int:
    """Returns the number of free pages below which, unless there are none, fork panics.

    In MIT's base of 2019 uvmcreate() panics if there is no page for the root table, and what it
    calls then does not check that there are pages for further tables. That is not the student's
    fault.
    """
    for path, text in texts.items():
        found = UVMCREATE.search(without_comments(text)) if path.suffix == ".c" else None
        if found is not None and "panic" in found["body"]:
            return TABLES_OF_A_FORK
    return 0
