"""A page map as a picture: processes as columns of pages, and at the right the frames that they
lead to. A line joins all pages that have a frame at an address.

The colours are attributes, which a page's style sheet may replace for the classes below; without
one, the picture has a light background of its own and can be read on any other. Each colour comes
with a sign: thick lines are shared frames, hatched pages can be written although they are shared,
dashed ones do not exist, and a triangle stands before the failing page.
"""
from __future__ import annotations

import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from grader.display import display
from grader.results import PageRow, ProcessPages
from reports.pagemap import Line, PageMap, describe, marks_of, page_map, rights_of

LINE, BOX = 26, 20  # heights: from line to line, and of a page
ADDRESS, COLUMN, PAGE_WIDTH, FRAME_WIDTH, END = 116, 128, 104, 100, 132
TOP, MARGIN = 48, 12
LETTER = 7.3  # the width of one, about
PNG_SECONDS, PNG_ZOOM = 20, "1.25"

# Kinds of boxes, with their colours: inside, edge.
SHARED, OWN, DANGER, NONE = "shared", "own", "danger", "none"
COLOURS = {
    SHARED: ("#dbeafe", "#1d4ed8"), OWN: ("#f3f4f6", "#6b7280"), DANGER: ("#ffedd5", "#c2410c"),
    NONE: ("none", "#6b7280"),
}
MEANINGS = {
    SHARED: "shared frame", DANGER: "shared, yet writable", OWN: "own frame", NONE: "no page",
}
LETTERS = "R read, W write, X execute, U user; A accessed, D dirty; last the two software bits"


def svg_of(pages: Sequence[ProcessPages], page: int | None) -> str:
    """Returns the picture of a test's page map as an SVG element; `page` is the address that the
    failure is about."""
    found = page_map(pages, page)
    notes = list(_notes(pages, found))
    frames = MARGIN + ADDRESS + COLUMN * len(found.names)
    width = max(frames + FRAME_WIDTH + END, 480)
    lines = [piece for note in notes for piece in textwrap.wrap(note, int(width / LETTER) - 4)]
    bottom = TOP + LINE * len(found.lines)
    parts = [
        *_opening(width, bottom + 18 * len(lines) + 52, describe(pages, page)),
        *_head(pages, found, frames),
        *_body(found, frames, width),
        *_foot(found, lines, bottom),
        "</g></svg>",
    ]
    return "".join(parts)


def png_of(svg: str) -> bytes | None:
    """Returns the picture as a PNG file; None if rsvg-convert is missing or cannot do it."""
    program = shutil.which("rsvg-convert")
    if program is None:
        return None
    command = [program, "--format", "png", "--zoom", PNG_ZOOM]
    try:
        done = subprocess.run(
            command, input=svg.encode("utf-8", "replace"), capture_output=True,
            timeout=PNG_SECONDS, check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 and done.stdout else None


# ---- Parts of the picture ----


def _opening(width: int, height: int, words: str) -> Iterator[str]:
    """Yields the beginning of the element, and what is read out instead of it."""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pages" role="img" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" '
        f'aria-label={quoteattr("Page map. " + words)}>'
        f"<title>Page map</title><desc>{escape(words)}</desc>"
    )
    yield (
        f'<rect class="p-back" width="{width}" height="{height}" rx="6" fill="#ffffff"/>'
        '<g font-family="DejaVu Sans Mono,ui-monospace,monospace" font-size="12" '
        'fill="#1b1f24" class="p-ink">'
    )


def _head(pages: Sequence[ProcessPages], found: PageMap, frames: int) -> Iterator[str]:
    """Yields the names above the columns."""
    yield _text(MARGIN + 14, 20, "page", "p-soft")
    for i, (name, process) in enumerate(zip(found.names, pages)):
        left = _left(i)
        yield _text(left, 20, name, weight="bold")
        yield _text(left, 36, f"pid {process['pid']}", "p-soft")
    yield _text(frames, 20, "frame", "p-soft")


def _body(found: PageMap, frames: int, width: int) -> Iterator[str]:
    """Yields all lines."""
    last = None
    for number, line in enumerate(found.lines):
        top = TOP + LINE * number
        if line.va == found.page:
            yield (
                f'<rect class="p-fail" x="4" y="{top}" width="{width - 8}" height="{LINE}" '
                'fill="#fef3c7"/>'
            )
        if line.va != last:
            yield from _address(line.va, top, line.va == found.page)
        last = line.va
        yield from _line(line, found, frames, top)


def _address(va: int, top: int, failing: bool) -> Iterator[str]:
    """Yields an address, and a triangle before that of the failing page."""
    if failing:
        y = top + LINE // 2
        yield (
            f'<path class="p-mark" d="M{MARGIN - 4} {y - 6}l10 6l-10 6z" fill="#b45309"/>'
        )
    yield _text(MARGIN + 14, top + 17, f"{va:#x}", weight="bold" if failing else "")


def _line(line: Line, found: PageMap, frames: int, top: int) -> Iterator[str]:
    """Yields a frame, its pages, and the line that joins them."""
    box = top + (LINE - BOX) // 2
    for i in line.missing:
        yield _box(NONE, _left(i), box, PAGE_WIDTH)
        yield _text(_left(i) + 10, box + 14, "no page", "p-soft")
    if line.pa is None or not line.entries:
        return
    shared = found.owners[line.pa] > 1
    kind = SHARED if shared else OWN
    yield (
        f'<path class="p-line-{kind}" d="M{_left(min(line.entries))} {top + LINE // 2}H{frames}" '
        f'stroke="{COLOURS[kind][1]}" stroke-width="{3 if shared else 1}"/>'
    )
    for i, row in line.entries.items():
        yield from _page(row, DANGER if shared and "W" in row["flags"] else kind, _left(i), box)
    yield _box(kind, frames, box, FRAME_WIDTH)
    yield _text(frames + 8, box + 14, f"{line.pa:#x}")
    said = f"{found.owners[line.pa]} pages" if shared else ""
    said = f"also {line.elsewhere[0]:#x}" if line.elsewhere else said
    yield _text(frames + FRAME_WIDTH + 8, box + 14, said, "p-soft")


def _page(row: PageRow, kind: str, x: int, y: int) -> Iterator[str]:
    """Yields a page with its letters."""
    yield _box(kind, x, y, PAGE_WIDTH)
    yield _text(x + 8, y + 14, rights_of(row), weight="bold")
    yield _text(x + 46, y + 14, marks_of(row), "p-soft")


def _foot(found: PageMap, notes: Sequence[str], bottom: int) -> Iterator[str]:
    """Yields what the signs mean, as far as they occur, and the notes."""
    x, y = MARGIN, bottom + 14
    for kind in _kinds(found):
        yield _box(kind, x, y, 16, 12)
        yield _text(x + 22, y + 11, MEANINGS[kind], "p-soft", size=11)
        x += 38 + int(6.7 * len(MEANINGS[kind]))
    for number, note in enumerate(notes):
        yield _text(MARGIN, y + 34 + 18 * number, note, "p-soft", size=11)


def _kinds(found: PageMap) -> list[str]:
    """Returns which kinds of boxes are in the picture."""
    kinds = set()
    for line in found.lines:
        kinds |= {NONE} if line.missing else set()
        for row in line.entries.values():
            shared = found.owners[row["pa"]] > 1
            kinds.add((DANGER if "W" in row["flags"] else SHARED) if shared else OWN)
    return [kind for kind in MEANINGS if kind in kinds]


def _notes(pages: Sequence[ProcessPages], found: PageMap) -> Iterator[str]:
    """Yields what the letters mean, and what else there is to say below the picture."""
    yield LETTERS
    for name, process in zip(found.names, pages):
        if process["problem"]:
            yield f"{name}: {display(process['problem'], lines=1)}"
        if process["left_out"]:
            yield f"{name} has {process['left_out']} more pages"
    if found.above or found.below:
        yield f"not shown: {found.above} lines above these, {found.below} below"


# ---- Shapes ----


def _left(number: int) -> int:
    """Returns where the column of a process begins."""
    return MARGIN + ADDRESS + COLUMN * number


def _box(kind: str, x: int, y: int, width: int, height: int = BOX) -> str:
    """Returns a box with the colours and signs of its kind."""
    inside, edge = COLOURS[kind]
    dashed = ' stroke-dasharray="4 3"' if kind == NONE else ""
    box = (
        f'<rect class="p-{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="3" '
        f'fill="{inside}" stroke="{edge}"{dashed}/>'
    )
    if kind != DANGER:
        return box
    step = height // 2
    lines = "".join(f"M{at} {y + height}l{step} -{height}" for at in range(x, x + width - 4, 10))
    return f'{box}<path class="p-hatch" d="{lines}" stroke="#fdba74" fill="none"/>'


def _text(
    x: int, y: int, text: str, name: str = "", weight: str = "", size: int = 0
) -> str:
    """Returns text at a place, "" if there is none."""
    more = f' class="{name}"' + (' fill="#57606a"' if name == "p-soft" else "") if name else ""
    more += f' font-weight="{weight}"' if weight else ""
    more += f' font-size="{size}"' if size else ""
    return f'<text x="{x}" y="{y}"{more}>{escape(text)}</text>' if text else ""
