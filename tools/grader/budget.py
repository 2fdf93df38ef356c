"""How much of the grading machine's time may be spent on one submission.

The seconds in which its programs run or sleep count, but not those in which they wait for a busy
host. What is left limits the next command or machine.
"""
from __future__ import annotations

import threading

BUILD_SECONDS = 120.0
TEST_SECONDS = 400.0
# More than the tests of any right solution use: in all, and in trials that end by a time limit.
ORDINARY_SECONDS = 200.0
WASTED_SECONDS = 25.0


class Budget:
    """Seconds that are spent. Threads may share a budget."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds
        self.spent = 0.0
        self.wasted = 0.0

    @property
    def left(self) -> float:
        """The seconds that are left, never below 0."""
        return max(0.0, self._seconds - self.spent)

    def spend(self, seconds: float) -> None:
        """Takes seconds away."""
        with self._lock:
            self.spent += max(0.0, seconds)

    def waste(self, seconds: float) -> None:
        """Notes that seconds, which are already spent, were wasted on an endless run."""
        with self._lock:
            self.wasted += seconds

    def end_if_wasted(self) -> bool:
        """Takes all time away if the submission is the reason that tests take so long.

        Tells whether it was.
        """
        if self.spent <= ORDINARY_SECONDS and self.wasted <= WASTED_SECONDS:
            return False
        with self._lock:
            self._seconds = 0.0
        return True
