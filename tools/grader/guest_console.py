"""What the guest prints while it runs: kept within limits, and searched for a panic."""
from __future__ import annotations

import os
import re
from typing import IO

KEPT = 64 << 10  # bytes at the beginning, and as many at the end
MOST = 4 << 20  # a guest that prints more is stopped
LINE_MAX = 512
PANIC = re.compile(  # in capitals in MIT's base of 2019
    rb"^(?:[^\r\n]* )?(?:panic|PANIC):[^\r\n]*|^(?:panic|PANIC)\b[^\r\n]*", re.MULTILINE
)


class Screen:
    """What the guest prints: beginning and end are kept."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.length = 0
        self.panic = ""
        self._panic_is_whole = False
        self._head, self._tail = bytearray(), bytearray()
        self._line = b""  # the beginning of a line that is not yet complete
        os.set_blocking(stream.fileno(), False)

    def read(self) -> bool:
        """Reads what there is; returns False once the console is closed."""
        while True:
            try:
                data = os.read(self.stream.fileno(), 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._take(data)
            if self.length > MOST:
                return True

    def _take(self, data: bytes) -> None:
        """Keeps what is worth keeping, and looks for a panic message."""
        self.length += len(data)
        room = max(0, KEPT - len(self._head))
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * KEPT:
            del self._tail[:-KEPT]
        text = self._line + data
        match = None if self._panic_is_whole else PANIC.search(text)
        if match:
            self.panic = match.group().decode(errors="replace")
            self._panic_is_whole = match.end() < len(text)
        self._line = text[text.rfind(b"\n") + 1 :][-LINE_MAX:]

    def text(self) -> str:
        """Returns what was printed; if that is too much, without its middle."""
        tail = bytes(self._tail[-KEPT:])
        gap = self.length - len(self._head) - len(tail)
        middle = b"\n[%d bytes left out]\n" % gap if gap > 0 else b""
        return (bytes(self._head) + middle + tail).decode(errors="replace").replace("\r", "")
