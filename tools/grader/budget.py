"""How much of the grading machine's time one submission may use, in all that is done for it.

Counted are the seconds in which its programs run and those in which they sleep, so that a busy
host takes nothing away. What is left over limits the next command or machine.
"""
from __future__ import annotations

import threading

BUILD_SECONDS = 120.0
TEST_SECONDS = 400.0
# What the tests of no right solution use: in all, and in trials that end because time is over.
ORDINARY_SECONDS = 200.0
WASTED_SECONDS = 25.0


class Budget:
    """Seconds that get fewer. Threads may share it."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds
        self.spent = 0.0
        self.wasted = 0.0

    @property
    def left(self) -> float:
        """What is not yet used; 0 if too much was."""
        return max(0.0, self._seconds - self.spent)

    def spend(self, seconds: float) -> None:
        """Takes seconds away."""
        with self._lock:
            self.spent += max(0.0, seconds)

    def waste(self, seconds: float) -> None:
        """Takes note that seconds, which are spent already, were in vain: nothing came of them."""
        with self._lock:
            self.wasted += seconds

    def is_to_blame(self) -> bool:
        """Says whether the submission is why the tests last so long; it then gets no more time."""
        if self.spent <= ORDINARY_SECONDS and self.wasted <= WASTED_SECONDS:
            return False
        with self._lock:
            self._seconds = 0.0
        return True
