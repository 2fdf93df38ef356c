"""A page map as lines to draw or to read out: for each address, each frame that is mapped there and
the processes that map it."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from grader.display import display
from grader.results import PageRow, ProcessPages

PAGE_SIZE = 4096
LINES_MAX = 64  # that are shown, the nearest to the failing page
NAME_COLUMNS = 14  # of the name of a process
TOLD_MAX = 12  # processes of which a description tells the failing page


@dataclass(frozen=True)
class Line:
    """A frame at an address, and the entry of each process (by its number) that has it there.

    Without a frame: the processes that have no page at the failing address.
    """

    va: int
    pa: int | None
    entries: dict[int, PageRow] = field(default_factory=dict)
    missing: tuple[int, ...] = ()
    elsewhere: tuple[int, ...] = ()  # other addresses that have the frame, too


@dataclass(frozen=True)
class PageMap:
    """The lines in the order of their addresses, and what was left out above and below them."""

    names: list[str]
    lines: list[Line]
    page: int | None  # where the failing page starts
    owners: Counter[int]  # how many pages have each frame
    above: int = 0
    below: int = 0


def page_map(processes: Sequence[ProcessPages], page: int | None) -> PageMap:
    """Returns the map around the page that the failure is about, or else its first lines."""
    failing = page // PAGE_SIZE * PAGE_SIZE if page is not None else None
    rows = [row for process in processes for row in process["pages"]]
    owners = Counter(row["pa"] for row in rows)
    places: dict[int, set[int]] = {}
    for row in rows:
        places.setdefault(row["pa"], set()).add(row["va"])
    addresses = {row["va"] for row in rows} | ({failing} if failing is not None else set())
    lines = []
    for va in sorted(addresses):
        lines += _lines_at(va, processes, places)
        missing = tuple(
            i for i, process in enumerate(processes)
            if va == failing and all(row["va"] != va for row in process["pages"])
        )
        lines += [Line(va, None, missing=missing)] if missing else []
    first = _first_shown(lines, failing)
    shown = lines[first:first + LINES_MAX]
    names = [process_name(process) for process in processes]
    return PageMap(names, shown, failing, owners, first, len(lines) - first - len(shown))


def _lines_at(
    va: int, processes: Sequence[ProcessPages], places: dict[int, set[int]]
) -> list[Line]:
    """Returns a line for each frame at the address."""
    frames: dict[int, dict[int, PageRow]] = {}
    for i, process in enumerate(processes):
        for row in process["pages"]:
            if row["va"] == va:
                frames.setdefault(row["pa"], {})[i] = row
    return [
        Line(va, pa, entries, elsewhere=tuple(sorted(places[pa] - {va})))
        for pa, entries in frames.items()
    ]


def _first_shown(lines: Sequence[Line], failing: int | None) -> int:
    """Returns the number of the first line to show."""
    middle = next((i for i, line in enumerate(lines) if line.va == failing), 0)
    return max(0, min(middle - LINES_MAX // 2, len(lines) - LINES_MAX))


def process_name(process: ProcessPages) -> str:
    """Returns the name of a process as it can be shown."""
    return display(process["name"], columns=NAME_COLUMNS, lines=1) or "process"


def rights_of(row: PageRow) -> str:
    """Returns the rights of an entry, a letter or a dash for each of R, W, X and U."""
    return "".join(letter if letter in row["flags"] else "-" for letter in "RWXU")


def marks_of(row: PageRow) -> str:
    """Returns an entry's marks: accessed and dirty, then the two bits for software."""
    letters = "".join(letter if letter in row["flags"] else "-" for letter in "AD")
    return f"{letters} {row['rsw'] & 3:02b}"


def describe(processes: Sequence[ProcessPages], page: int | None) -> str:
    """Returns in words what the picture of a page map shows, for those who cannot see it."""
    pages = page_map(processes, page)
    counts = [f"{name} has {len(process['pages']) + process['left_out']}"
              for name, process in zip(pages.names, processes)]
    shared = sum(number > 1 for number in pages.owners.values())
    said = [f"Pages: {', '.join(counts)}. Frames with more than one page: {shared}."]
    if pages.page is not None:
        said.append(f"The failing page is {pages.page:#x}.")
        here = [line for line in pages.lines if line.va == pages.page]
        told = [text for line in here for text in _tell(line, pages)]
        said += told[:TOLD_MAX]
    problems = zip(pages.names, processes)
    said += [f"{name}: {display(process['problem'], lines=1)}."
             for name, process in problems if process["problem"]]
    return " ".join(said)


def _tell(line: Line, pages: PageMap) -> list[str]:
    """Returns a sentence for each process of a line."""
    said = [f"{pages.names[i]} has no page there." for i in line.missing]
    for i, row in line.entries.items():
        others = pages.owners[row["pa"]] - 1
        where = f"shared with {others} other page{'s' if others > 1 else ''}" if others else "alone"
        said.append(
            f"{pages.names[i]} has frame {row['pa']:#x} {where}, rights {rights_of(row)}, "
            f"marks {marks_of(row)}."
        )
    return said
