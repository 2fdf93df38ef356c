"""The rows of the benchmark: their names, what they cost elsewhere, and the lines of bench."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

LINE = re.compile(r"^bench (\S+) (\d+) (\S+) (\d+)$", re.MULTILINE)
K, M = 1_000, 1_000_000


@dataclass(frozen=True)
class Row:
    """A benchmark, and what it costs elsewhere.

    That is in xv6 (2022), in students' copy-on-write kernels and in Linux 6.12 (in parentheses:
    with transparent huge pages), and a hand count of what a small kernel could reach.
    """

    name: str
    title: str
    xv6: int | None
    students: str
    linux: str
    bound: str


ROWS = [
    Row("getpid", "getpid, per call", 1_080, "1,080", "431", "65-95"),
    Row("dup+close", "dup+close", 3_244, "3,234", "1,392", "250"),
    Row("fork+exit+wait", "fork+exit+wait, no heap", 607 * K, "384K", "112K", "2.5-4K"),
    Row("fork+exit+wait-1MiB", "same, 1 MiB touched heap", 12_300 * K, "553K", "217K", "+5K (+20)"),
    Row("fork+exit+wait-16MiB", "same, 16 MiB", 188 * M, "3.4M", "1.67M (339K)", "+82K (+0.3K)"),
    Row("fork+exit+wait-64MiB", "same, 64 MiB", 751 * M, "12.4M", "7.9M (418K)", "+330K (+1K)"),
    Row("fork-16MiB", "fork() alone, 16 MiB", 136 * M, "1.86M", "627K (142K)", "45K (2K)"),
    Row("fork+exec+exit+wait", "fork+exec+exit+wait", 1_720 * K, "1.46M", "242K", "6-12K"),
    Row("vfork+exit+wait", "vfork+exit+wait", None, "-", "-", "-"),
    Row("vfork+exec+exit+wait", "vfork+exec+exit+wait", None, "-", "-", "-"),
    Row("vfork+exec-16MiB", "same, 16 MiB touched heap", None, "-", "-", "-"),
    Row("cow-break", "COW break, per page", None, "34.1K", "5,473", "1,250"),
    Row("last-owner", "last-owner rewrite, per page", None, "939-46.8K", "1,423", "150"),
    Row("sbrk-1MiB", "sbrk 1 MiB grow+touch+shrink, per page", 37_500, "37.6K", "5.8K", "570-700"),
    Row("mmap-1MiB", "mmap 1 MiB+touch+munmap, per page", None, "-", "-", "-"),
    Row("shared-touch", "first touch of a shared page that is there", None, "-", "-", "-"),
    Row("shared-write", "write to a shared page, per page", None, "-", "-", "-"),
    Row("pipe-same", "pipe write+read, same process", 38_200, "38.1K", "2,961", "300"),
    Row("pipe-round-trip", "pipe round trip, two processes", 90_300, "90.1K", "13.8K", "900"),
    Row("pipe-512B", "pipe 512 B writes, per KiB", 741 * K, "671K", "15.4K", "1.2K"),
    Row("pipe-4KiB", "pipe 4 KiB writes, per KiB", 708 * K, "639K", "3.1K", "670"),
    Row("open+close", "open+close", 168 * K, "168K", "7.3K", "400"),
    Row(
        "create+write+unlink",
        "create+write 1 byte+close+unlink",
        7_300 * K,
        "7.2M",
        "33K (tmpfs)",
        "25K",
    ),
    Row("file-write", "write 64 KiB, per KiB", 897 * K, "897K", "1,674 (tmpfs)", "350"),
    Row("file-read", "read 64 KiB, per KiB", 125 * K, "125K", "693", "330"),
    Row("boot", "boot, beyond the firmware", 427 * M, "426M", "940M", "<1M"),
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
