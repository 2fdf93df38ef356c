"""How often the cards of known-wrong solutions name the planted bug (`cause` in about.ini)."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

AIM = 95  # percent


@dataclass
class Named:
    """What the cards said. Cards without a cause are counted apart: a wrong cause is worse."""

    right: Counter[str] = field(default_factory=Counter)  # cards, by solution
    silent: list[tuple[str, str]] = field(default_factory=list)  # solution and test
    wrong: list[tuple[str, str, str]] = field(default_factory=list)  # and what was said

    def add(self, solution: str, planted: Sequence[str], test: str, said: str) -> None:
        """Takes in what a card said; a solution that does not declare its fault does not count."""
        if not planted:
            return
        if said in planted:
            self.right[solution] += 1
        elif said:
            self.wrong.append((solution, test, said))
        else:
            self.silent.append((solution, test))

    def report(self) -> str:
        """Returns the share of right cards, and which cards are wrong or silent."""
        lines = [f"{solution}: {test} says {said}" for solution, test, said in sorted(self.wrong)]
        lines += [f"{solution}: {test} says nothing" for solution, test in sorted(self.silent)]
        right = sum(self.right.values())
        cards = right + len(self.wrong) + len(self.silent)
        faults = {*self.right, *(row[0] for row in self.wrong), *(row[0] for row in self.silent)}
        missed = {row[0] for row in self.wrong} | {row[0] for row in self.silent}
        if not cards:
            return "causes: no card was looked at"
        lines.append(
            f"causes: {right} of {cards} cards name the planted bug ({100 * right // cards} %, "
            f"the aim is {AIM}), {len(self.wrong)} another, {len(self.silent)} none; all cards of "
            f"{len(faults - missed)} of {len(faults)} faults do"
        )
        return "\n".join(lines)
