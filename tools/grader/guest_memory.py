"""The guest's RAM, from outside."""
from __future__ import annotations

import mmap

RAM_BASE = 0x80000000


class Memory:
    """Guest RAM from outside."""

    def __init__(self, file: int, size: int, base: int = RAM_BASE) -> None:
        self.base, self.size = base, size
        self._bytes = mmap.mmap(file, size)

    def read(self, pa: int, n: int) -> bytes:
        """Returns n bytes; ValueError if they are not all in RAM."""
        start = self._offset(pa, n)
        return self._bytes[start : start + n]

    def write(self, pa: int, data: bytes) -> None:
        """Replaces bytes; ValueError if they are not all in RAM."""
        start = self._offset(pa, len(data))
        self._bytes[start : start + len(data)] = data

    def close(self) -> None:
        """Unmaps the memory."""
        self._bytes.close()

    def _offset(self, pa: int, n: int) -> int:
        """Returns where the bytes are in the file."""
        if pa < self.base or n < 0 or pa + n > self.base + self.size:
            raise ValueError(f"{n} bytes at {pa:#x} are not in RAM")
        return pa - self.base
