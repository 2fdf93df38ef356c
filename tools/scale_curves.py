"""The curves of `make bench-scale`: what each measures, at which sizes, and how far it may grow."""
from __future__ import annotations

from dataclasses import dataclass, field

GROWTH_MAX = 1.15  # of the cost of a unit, beyond what it was at any smaller size
STREAMS_GROWTH_MAX = 1 / 0.75  # four harts have at least three times the throughput of one
STREAMS = "streams"  # the end of the names of curves that several harts run


@dataclass(frozen=True)
class Curve:
    """A curve of user/tests/scale.c: what a unit of its work is, and the sizes at which it is
    measured, all of them and those of the short form."""

    name: str
    title: str
    sizes: tuple[int, ...]
    short: tuple[int, ...] = ()
    growth_max: float = GROWTH_MAX


@dataclass(frozen=True)
class Plot:
    """A picture with the curves that have one meaning of size."""

    name: str
    title: str
    size: str
    curves: tuple[Curve, ...]
    mem: str = "128M"
    image_size: str = ""  # of an image of its own; "": fs.img
    cost: str = "instructions for each unit of work"
    only_in_full: bool = field(default=False)


ALIVE, ALIVE_SHORT = (2, 8, 32, 128, 512), (2, 512)
MANY, MANY_SHORT = (1, 8, 32, 128, 510), (8, 510)
PAGES, PAGES_SHORT = (1, 4, 16, 64, 256, 1024, 4096), (16, 64, 1024)
ENTRIES, ENTRIES_SHORT = (10, 100, 1000, 10_000), (10, 1000)
HARTS, HARTS_SHORT = (1, 2, 4, 8), (1, 4)
JUDGED_HARTS_MAX = 4

ONE_HART = (
    Plot("processes-alive", "One call, among processes that sleep", "processes alive", (
        Curve("fork", "fork+exit+wait", ALIVE, ALIVE_SHORT),
        Curve("kill", "fork+kill+wait", ALIVE, ALIVE_SHORT),
        Curve("nap", "sleep(1), others sleep longer", ALIVE, ALIVE_SHORT),
        Curve("wake", "pipe round trip", ALIVE, ALIVE_SHORT),
    )),
    Plot("processes", "Many processes, for each of them", "processes", (
        Curve("crowd", "all alive at once: fork to wait", MANY, MANY_SHORT),
        Curve("sleepers", "all sleep(1): fork to wait", MANY, MANY_SHORT),
        Curve("list", "procinfo", MANY, MANY_SHORT),
    )),
    Plot("pipes", "A byte goes round a ring of pipes, for each of them", "pipes", (
        Curve("ring", "write, wake-up, read", (2, 8, 32, 128, 256), (2, 256)),
    )),
    Plot("pages", "Many pages, for each of them", "pages", (
        Curve("fork-first", "first fork, exit and wait", PAGES, PAGES_SHORT),
        Curve("fork-later", "second fork, exit and wait", PAGES, PAGES_SHORT),
        Curve("grow", "sbrk, touch, shrink", PAGES, PAGES_SHORT),
        Curve("map", "shared mmap, touch, munmap", PAGES, PAGES_SHORT),
        Curve("cow", "copy-on-write", PAGES, PAGES_SHORT),
        Curve("exit", "exit", PAGES, PAGES_SHORT),
    )),
    Plot("directories", "In a directory", "entries", (
        Curve("lookup", "open+close", ENTRIES, ENTRIES_SHORT),
        Curve("create", "create+close+unlink", ENTRIES, ENTRIES_SHORT),
        Curve("entries", "link, list, unlink: each entry", ENTRIES, ENTRIES_SHORT),
    )),
    Plot("cached-files", "A file in the block cache", "KiB", (
        Curve("read", "read, for each KiB", (4, 64, 1024, 4096), (64, 1024)),
    )),
    Plot("files", "A file larger than the block cache", "KiB", (
        Curve("write", "create, write, unlink: each KiB", (4096, 65_536, 1_048_576)),
        Curve("read", "read from the disk, each KiB", (4096, 65_536, 1_048_576)),
        Curve("end", "mmap, write 8 pages at its end: each", (4096, 65_536, 1_048_576)),
    ), mem="32M", image_size="1100M", only_in_full=True),
)

# On as many harts as there are streams, and a single one on so many harts.
SEVERAL_HARTS = Plot(
    "harts", "Independent streams, one for each hart", "harts and streams", (
        Curve("fork-streams", "fork+exit+wait", HARTS, HARTS_SHORT, STREAMS_GROWTH_MAX),
        Curve("fault-streams", "page faults", HARTS, HARTS_SHORT, STREAMS_GROWTH_MAX),
        Curve("pipe-streams", "pipe round trips", HARTS, HARTS_SHORT, STREAMS_GROWTH_MAX),
        Curve("read-streams", "file reads, each KiB", HARTS, HARTS_SHORT, STREAMS_GROWTH_MAX),
    ), mem="32M", cost="simulated time of a hart for each unit of work, in instructions",
)
SINGLE_STREAM = Plot(
    "single-stream", "A single stream, on several harts", "harts", (
        Curve("fork-streams", "fork+exit+wait", HARTS, HARTS_SHORT),
        Curve("pipe-streams", "pipe round trips", HARTS, HARTS_SHORT),
        Curve("disk-streams", "reads from the disk, each KiB", HARTS, HARTS_SHORT),
    ), mem="32M", cost="simulated time for each unit of work, in instructions",
)
