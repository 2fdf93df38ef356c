"""Whether a kernel could know that a process comes to a place."""
from __future__ import annotations

from typing import cast
from unittest.mock import Mock

import pytest
from grader.decode import INTERRUPT, Registers
from grader.run import Failure
from labs.cow.grading.surprises import CHANCE_MOST, CHANCE_MOST_IN_REAL_TIME, Surprises

PLACE, BEHIND_A_CALL, ELSEWHERE = 0x8AC, 0x200, 0x8A4
TICK, LOAD_FAULT = INTERRUPT | 5, 13


def surprises(cpus: int = 1) -> Surprises:
    """Returns those of a machine that watches words."""
    return Surprises(Mock(cpus=cpus, places=Mock(are_watched=True)), Mock(entries={BEHIND_A_CALL}))


def at_the_place(sepc: int, scause: int = TICK) -> Registers:
    """Returns a hart's registers at the place, after a trap elsewhere."""
    return Registers(0, PLACE, [0] * 32, 0, 0, scause=scause, sepc=sepc)


@pytest.mark.parametrize("scause", [8, TICK])
def test_kernel_that_ran_in_a_call_only(scause: int) -> None:
    """Another process may have been interrupted meanwhile."""
    assert surprises().is_one(at_the_place(BEHIND_A_CALL, scause))


@pytest.mark.parametrize("cpus, most", [(1, CHANCE_MOST), (3, CHANCE_MOST_IN_REAL_TIME)])
def test_some_ticks_are_chance(cpus: int, most: int) -> None:
    """Again and again they are not."""
    stops = surprises(cpus)
    for _ in range(2):
        for _ in range(most):
            assert not stops.is_one(at_the_place(ELSEWHERE))
        assert stops.is_one(at_the_place(BEHIND_A_CALL))
    for _ in range(most):
        assert not stops.is_one(at_the_place(ELSEWHERE))
    with pytest.raises(Failure, match="no trap"):
        stops.is_one(at_the_place(ELSEWHERE))


def test_fault_at_the_watched_word() -> None:
    """A kernel may map its page late, so breakpoints take over, which no fault announces."""
    stops = surprises()
    assert not stops.is_one(at_the_place(PLACE, LOAD_FAULT))
    places = cast(Mock, stops.machine.places)
    places.watch_no_longer.assert_called_once_with()
    places.are_watched = False
    for _ in range(CHANCE_MOST):
        assert not stops.is_one(at_the_place(PLACE, LOAD_FAULT))
    with pytest.raises(Failure, match="the last one at 0x8ac"):
        stops.is_one(at_the_place(PLACE, LOAD_FAULT))
