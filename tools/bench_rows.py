"""The rows of the benchmark: their names, what they cost elsewhere, and the lines of bench."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

LINE = re.compile(r"^bench (\S+) (\d+) (\S+) (\d+)$", re.MULTILINE)
K, M = 1_000, 1_000_000


@dataclass(frozen=True)
class Row:
    """A benchmark, what its instructions should come down to, and what it costs elsewhere.

    That is in xv6 (2022), in students' copy-on-write kernels and in Linux 6.12 (in parentheses:
    with transparent huge pages).
    """

    name: str
    title: str
    target: int | None
    xv6: int | None = None
    students: str = "-"
    linux: str = "-"


ROWS = [
    Row("getpid", "getpid, per call", 100, 1_080, "1,080", "431"),
    Row("dup+close", "dup+close", 250, 3_244, "3,234", "1,392"),
    Row("fork+exit+wait", "fork+exit+wait, no heap", 8 * K, 607 * K, "384K", "112K"),
    Row("fork+exit+wait-1MiB-first", "same, 1 MiB touched heap, first fork", None, 12_300 * K,
        "553K", "217K"),
    Row("fork+exit+wait-1MiB", "same, the forks after it", 10 * K, 12_300 * K, "553K", "217K"),
    Row("fork+exit+wait-16MiB-first", "same, 16 MiB, first fork", 120 * K, 188 * M, "3.4M",
        "1.67M (339K)"),
    Row("fork+exit+wait-16MiB", "same, the forks after it", 15 * K, 188 * M, "3.4M",
        "1.67M (339K)"),
    Row("fork+exit+wait-64MiB-first", "same, 64 MiB, first fork", None, 751 * M, "12.4M",
        "7.9M (418K)"),
    Row("fork+exit+wait-64MiB", "same, the forks after it", 25 * K, 751 * M, "12.4M",
        "7.9M (418K)"),
    Row("fork-16MiB-first", "fork() alone, 16 MiB, first fork", None, 136 * M, "1.86M",
        "627K (142K)"),
    Row("fork-16MiB", "same, the forks after it", 8 * K, 136 * M, "1.86M", "627K (142K)"),
    Row("fork+exec+exit+wait", "fork+exec+exit+wait", 20 * K, 1_720 * K, "1.46M", "242K"),
    Row("vfork+exit+wait", "vfork+exit+wait", None),
    Row("vfork+exec+exit+wait", "vfork+exec+exit+wait", 14 * K),
    Row("vfork+exec-16MiB", "same, 16 MiB touched heap", None),
    Row("cow-break", "COW break, per page", 1_500, None, "34.1K", "5,473"),
    Row("last-owner", "last-owner rewrite, per page", 250, None, "939-46.8K", "1,423"),
    Row("sbrk-1MiB", "sbrk 1 MiB grow+touch+shrink, per page", 850, 37_500, "37.6K", "5.8K"),
    Row("sbrk-page", "sbrk 1 page, touch, shrink: per cycle", 1_500, None, "-", "30K"),
    Row("mmap-1MiB", "mmap 1 MiB+touch+munmap, per page", None),
    Row("shared-touch", "first touch of a shared page", None),
    Row("shared-write", "write to a shared page", None),
    Row("pipe-same", "pipe write+read, same process", 700, 38_200, "38.1K", "2,961"),
    Row("pipe-round-trip", "pipe round trip, two processes", 1_800, 90_300, "90.1K", "13.8K"),
    Row("pipe-512B", "pipe, 512 B writes and reads, per KiB", 1_500, 741 * K, "671K", "15.4K"),
    Row("pipe-4KiB", "pipe, 4 KiB writes and reads, per KiB", 700, 708 * K, "639K", "3.1K"),
    Row("open+close", "open+close", 1_200, 168 * K, "168K", "7.3K"),
    Row("create+write+unlink", "create+write 1 byte+close+unlink", 35 * K, 7_300 * K, "7.2M",
        "33K (tmpfs)"),
    Row("file-write", "write 64 KiB at once, per KiB", None, 897 * K, "897K", "1,674 (tmpfs)"),
    Row("file-write-8KiB", "new file of 64 KiB, 8 KiB a write, per KiB", 1_500, 897 * K, "897K",
        "1,674 (tmpfs)"),
    Row("rewrite-8KiB", "rewrite 8 KiB in place, per KiB", 800, 552 * K, "-", "829 (tmpfs)"),
    Row("file-read", "read 64 KiB at once, per KiB", None, 125 * K, "125K", "693"),
    Row("file-read-8KiB", "open, read 64 KiB by 8 KiB, close, per KiB", 320, 125 * K, "125K",
        "693"),
    Row("boot", "boot, beyond the firmware", 300 * K, 427 * M, "426M", "940M"),
]


def plain(name: str) -> str:
    """Returns a row's name in lower case and without separators."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def find_row(name: str) -> Row | None:
    """Returns the row with that name, else the first whose name begins so. Separators do not
    matter: `fork_exit` is fork+exit+wait."""
    wanted = plain(name)
    exact = [row for row in ROWS if plain(row.name) == wanted]
    begun = [row for row in ROWS if wanted and plain(row.name).startswith(wanted)]
    return next(iter(exact + begun), None)


class Line(NamedTuple):
    """What bench prints of a row: instructions for each of the units that a round covers."""

    instructions: int
    unit: str
    units: int


def read_lines(text: str) -> dict[str, Line]:
    """Returns bench's lines in what a console shows, by the names of rows."""
    return {name: Line(int(count), unit, int(n)) for name, count, unit, n in LINE.findall(text)}
