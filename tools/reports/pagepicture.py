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
LETTER = 6.7  # the width of a small one, about
PNG_SECONDS, PNG_ZOOM = 20, "1.25"

# Kinds of boxes, with their colours: inside, edge.
SHARED, OWN, DANGER, NONE = "shared", "own", "danger", "none"
COLOURS = {
    SHARED: ("#dbeafe", "#1d4ed8"), OWN: ("#f3f4f6", "#6b7280"), DANGER: ("#ffedd5", "#c2410c"),
    NONE: ("none", "#6b7280"),
}
# What is drawn with the same pencil, lowest first: its class, and its colours and lines.
BAND, HATCH, MARK = "fail", "hatch", "mark"
PENCILS = {
    BAND: 'fill="#fef3c7"',
    "line-shared": 'stroke="#1d4ed8" stroke-width="3"',
    "line-own": 'stroke="#6b7280"',
    **{kind: f'fill="{inside}" stroke="{edge}"' for kind, (inside, edge) in COLOURS.items()},
    HATCH: 'stroke="#fdba74" fill="none"',
    MARK: 'fill="#b45309"',
}
PENCILS[NONE] += ' stroke-dasharray="4 3"'
INK, BOLD, SOFT, SMALL = "ink", "bold", "soft", "small"
PENS = {
    INK: "", BOLD: 'class="p-ink" font-weight="bold"', SOFT: 'class="p-soft" fill="#57606a"',
    SMALL: 'class="p-soft" fill="#57606a" font-size="11"',
}
MEANINGS = {
    SHARED: "shared frame", DANGER: "shared, yet writable", OWN: "own frame", NONE: "no page",
}
LETTERS = "R read, W write, X execute, U user; A accessed, D dirty; the two RSW bits"


def svg_of(pages: Sequence[ProcessPages], page: int | None) -> str:
    """Returns the picture of a test's page map as an SVG element; `page` is the address that the
    failure is about."""
    found = page_map(pages, page)
    picture = Picture(found)
    picture.draw_head(pages)
    for number, line in enumerate(found.lines):
        picture.draw_line(line, TOP + LINE * number)
    bottom = TOP + LINE * len(found.lines)
    height = picture.draw_foot(list(_notes(pages, found)), bottom)
    return picture.svg(height, describe(pages, page))


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


class Picture:
    """What is drawn so far, in the order of pencils and pens, not of drawing: shapes of a kind are
    one path, which keeps the picture small."""

    def __init__(self, found: PageMap) -> None:
        self.found = found
        self.frames = MARGIN + ADDRESS + COLUMN * len(found.names)
        self.width = max(self.frames + FRAME_WIDTH + END, 480)
        self.shapes: dict[str, list[str]] = {name: [] for name in PENCILS}
        self.texts: dict[str, list[str]] = {name: [] for name in PENS}
        self.last: int | None = None  # the address of the line before

    def svg(self, height: int, words: str) -> str:
        """Returns the whole as an element; the words are read out instead of it."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="pages" role="img" '
            f'width="{self.width}" height="{height}" viewBox="0 0 {self.width} {height}" '
            f'aria-label={quoteattr("Page map. " + words)}>'
            f"<title>Page map</title><desc>{escape(words)}</desc>"
            f'<path class="p-back" fill="#ffffff" d="M0 0H{self.width}V{height}H0z"/>'
        ]
        for name, pencil in PENCILS.items():
            if self.shapes[name]:
                drawn = "".join(self.shapes[name])
                parts.append(f'<path class="p-{name}" {pencil} d="{drawn}"/>')
        parts.append(
            '<g font-family="DejaVu Sans Mono,ui-monospace,monospace" font-size="12" '
            'fill="#1b1f24" class="p-ink">'
        )
        for name, pen in PENS.items():
            parts += [f"<g {pen}>".replace(" >", ">"), *self.texts[name], "</g>"]
        return "".join([*parts, "</g></svg>"])

    # ---- Its parts ----

    def draw_head(self, pages: Sequence[ProcessPages]) -> None:
        """Writes the names above the columns."""
        self.write(SOFT, MARGIN + 14, 20, "page")
        for i, (name, process) in enumerate(zip(self.found.names, pages)):
            self.write(BOLD, _left(i), 20, name)
            self.write(SOFT, _left(i), 36, f"pid {process['pid']}")
        self.write(SOFT, self.frames, 20, "frame")

    def draw_line(self, line: Line, top: int) -> None:
        """Draws a frame, its pages, and the line that joins them."""
        box, middle, failing = top + (LINE - BOX) // 2, top + LINE // 2, line.va == self.found.page
        if failing:
            self.shapes[BAND].append(_box(4, top, self.width - 8, LINE))
        if line.va != self.last:
            self.write(BOLD if failing else INK, MARGIN + 14, top + 17, f"{line.va:#x}")
            self.shapes[MARK] += [f"M{MARGIN - 4} {middle - 6}l10 6l-10 6z"] if failing else []
        self.last = line.va
        for i in line.missing:
            self.shapes[NONE].append(_box(_left(i), box, PAGE_WIDTH))
            self.write(SOFT, _left(i) + 10, box + 14, "no page")
        if line.pa is None or not line.entries:
            return
        owners = self.found.owners[line.pa]
        kind = SHARED if owners > 1 else OWN
        self.shapes[f"line-{kind}"].append(f"M{_left(min(line.entries))} {middle}H{self.frames}")
        for i, row in line.entries.items():
            self.draw_page(row, _left(i), box)
        self.shapes[kind].append(_box(self.frames, box, FRAME_WIDTH))
        self.write(INK, self.frames + 8, box + 14, f"{line.pa:#x}")
        said = f"{owners} pages" if owners > 1 else ""
        said = f"also {line.elsewhere[0]:#x}" if line.elsewhere else said
        self.write(SOFT, self.frames + FRAME_WIDTH + 8, box + 14, said)

    def draw_page(self, row: PageRow, x: int, y: int) -> None:
        """Draws a page with its letters."""
        kind = kind_of(row, self.found)
        self.shapes[kind].append(_box(x, y, PAGE_WIDTH))
        self.shapes[HATCH] += [_hatch(x, y, PAGE_WIDTH, BOX)] if kind == DANGER else []
        self.write(BOLD, x + 8, y + 14, rights_of(row))
        self.write(SOFT, x + 46, y + 14, marks_of(row))

    def draw_foot(self, notes: Sequence[str], bottom: int) -> int:
        """Says what the signs mean, as far as they occur, and the notes; returns the height."""
        x, y = MARGIN, bottom + 14
        rows = [row for line in self.found.lines for row in line.entries.values()]
        kinds = {kind_of(row, self.found) for row in rows}
        kinds |= {NONE for line in self.found.lines if line.missing}
        for kind in (kind for kind in MEANINGS if kind in kinds):
            self.shapes[kind].append(_box(x, y, 16, 12))
            self.shapes[HATCH] += [_hatch(x, y, 16, 12)] if kind == DANGER else []
            self.write(SMALL, x + 22, y + 11, MEANINGS[kind])
            x += 38 + int(LETTER * len(MEANINGS[kind]))
        y += 34
        for note in notes:
            for piece in textwrap.wrap(note, int(self.width / LETTER) - 4):
                self.write(SMALL, MARGIN, y, piece)
                y += 18
        return y

    def write(self, pen: str, x: int, y: int, text: str) -> None:
        """Writes text at a place."""
        if text:
            self.texts[pen].append(f'<text x="{x}" y="{y}">{escape(text)}</text>')


def kind_of(row: PageRow, found: PageMap) -> str:
    """Returns of which kind a page is."""
    if found.owners[row["pa"]] < 2:
        return OWN
    return DANGER if "W" in row["flags"] else SHARED


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


def _left(number: int) -> int:
    """Returns where the column of a process begins."""
    return MARGIN + ADDRESS + COLUMN * number


def _box(x: int, y: int, width: int, height: int = BOX) -> str:
    """Returns a box as part of a path."""
    return f"M{x} {y}h{width}v{height}h-{width}z"


def _hatch(x: int, y: int, width: int, height: int) -> str:
    """Returns oblique lines across a box."""
    step = height // 2
    return "".join(f"M{at} {y + height}l{step} -{height}" for at in range(x, x + width - 4, 10))
