"""A table of a platform's, of which every byte stays as it is but for the cells that are changed:
byte-order mark, line ends, quotes and all."""
from __future__ import annotations

from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"
QUOTE = ord('"')
ENDS = (ord("\r"), ord("\n"))


@dataclass(frozen=True)
class Cell:
    """A cell: where it is in the file, from its first byte to the one after its last."""

    start: int
    end: int
    text: str


class Gradebook:
    """The rows of a file in the format of spreadsheets (RFC 4180), with commas or semicolons."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        start = len(BOM) if data.startswith(BOM) else 0
        first = data[start:].split(b"\n", 1)[0]
        self.separator = ord(";") if first.count(b";") > first.count(b",") else ord(",")
        self.rows: list[list[Cell]] = []
        while start < len(data):
            row, start = self._read_row(start)
            self.rows.append(row)

    def _read_row(self, start: int) -> tuple[list[Cell], int]:
        """Returns the cells of the row that begins here, and where the next one begins."""
        cells = []
        while True:
            end = self._end_of_cell(start)
            cells.append(Cell(start, end, unquote(self.data[start:end])))
            if end >= len(self.data):
                return cells, end
            if self.data[end] != self.separator:
                is_pair = self.data[end:end + 2] == b"\r\n"
                return cells, end + (2 if is_pair else 1)
            start = end + 1

    def _end_of_cell(self, start: int) -> int:
        """Returns where the cell that begins here ends."""
        at, inside = start, False
        while at < len(self.data):
            byte = self.data[at]
            if byte == QUOTE and (inside or at == start):
                inside = not inside
            elif byte == QUOTE and self.data[at - 1] == QUOTE and self.data[start] == QUOTE:
                inside = True  # the second of two quotes stands for one
            elif not inside and (byte == self.separator or byte in ENDS):
                return at
            at += 1
        return at

    def with_cells(self, changes: dict[Cell, str]) -> bytes:
        """Returns the file with these cells replaced; the texts need no quotes."""
        pieces, last = [], 0
        for cell in sorted(changes, key=lambda cell: cell.start):
            pieces += [self.data[last:cell.start], changes[cell].encode()]
            last = cell.end
        return b"".join([*pieces, self.data[last:]])


def unquote(raw: bytes) -> str:
    """Returns the text of a cell."""
    text = raw.decode("utf-8", "surrogateescape")
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return text[1:-1].replace('""', '"')
    return text
