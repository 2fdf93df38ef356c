"""Which processes may appear that are not known yet: a state of a session."""
from __future__ import annotations

from enum import Enum


class State(Enum):
    """How many processes may appear."""

    NONE = "none"
    ONE = "one"  # the child of a fork
    ANY = "any"  # the children of a command that forks by itself


class Newcomers:
    """The processes that may appear next. Only one of them can have been given a name."""

    def __init__(self) -> None:
        self.state = State.NONE
        self._name = ""

    def expect(self, name: str) -> None:
        """One process may appear: it gets this name."""
        self._name = name
        if self.state is State.NONE:
            self.state = State.ONE

    def expect_any(self) -> None:
        """Any number of processes may appear."""
        self.state = State.ANY

    def expect_no_more(self) -> None:
        """Ends what expect_any() began."""
        self.state = State.ONE if self._name else State.NONE

    def forget_expected(self) -> None:
        """The process that was expected has appeared, or will not."""
        self._name = ""
        if self.state is State.ONE:
            self.state = State.NONE

    def admit(self, number: int) -> str:
        """Returns the name of a process that has appeared, by default with its number; "" if none
        may."""
        if self.state is State.NONE:
            return ""
        name = self._name or f"child {number}"
        self.forget_expected()
        return name
