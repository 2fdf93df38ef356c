"""What our build decides about an xv6 kernel: how much memory it has, how fast its clock is, and
bounds for the sizes of its tables. The compiler compares a definition with its bounds
(xv6_sources.py).
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grader.constants import keeping_macro, limiting_macro
from grader.errors import SubmissionError
from grader.guest_memory import RAM_BASE
from grader.xv6_sources import CONSTANTS, SIZES

MEGABYTE = 1 << 20
# Kernels fill every page that they free, byte by byte, and many wait for the next clock tick in a
# loop: with less memory and shorter ticks they do the same, but sooner. LEAST_FREE is what they
# must have left for processes.
SMALL_MEMORY = 6 * MEGABYTE
LEAST_FREE = 4 * MEGABYTE
USUAL_MEMORY = 128 * MEGABYTE
MOST_MEMORY = 512 * MEGABYTE
# For each of these a kernel needs as much time as a small kernel does.
SLOW_MEMORY = 32 * MEGABYTE
TICK, SHORT_TICK = 1000000, 50000
RACE_HARTS = 3


@dataclass(frozen=True)
class Plan:
    """How a kernel is built."""

    memory: int = 0  # bytes; 0: as much as it asks for
    is_limited: bool = True  # whether its constants are held to their bounds


OWN = Plan(is_limited=False)


def macros(prefix: str, plan: Plan) -> list[str]:
    """Returns the compiler's options that give a meaning to the macros in the sources."""
    options = [
        limiting_macro(prefix, name, bounds) if plan.is_limited else keeping_macro(prefix, name)
        for name, bounds in SIZES.items()
    ]
    memory = f"-D{prefix}PHYSTOP(...)=({RAM_BASE:#x}L+{plan.memory}L)"
    options.append(memory if plan.memory else keeping_macro(prefix, "PHYSTOP"))
    return [*options, f"-D{prefix}TICK={SHORT_TICK if plan.memory else TICK}"]


def limit_defines(defines: list[str], prefix: str) -> list[str]:
    """Returns the Makefile's -D options with the constants among them left to the build, too."""
    limited = []
    for option in defines:
        name, _, value = option[len("-D"):].partition("=")
        limited.append(f"-D{name}={prefix}{name}({value or 1})" if name in CONSTANTS else option)
    return limited


def is_out_of_bounds(constants: Mapping[str, int]) -> bool:
    """Tells whether a limited build changes a tree's constants; 0 is a constant that is not
    defined."""
    return any(
        constants.get(name) and not least <= constants[name] <= most
        for name, (least, most, _) in SIZES.items()
    )


def check_memory(constants: Mapping[str, int]) -> int:
    """Returns how much memory a kernel asks for; SubmissionError if no machine has that."""
    end = constants["PHYSTOP"]
    if end == 0:
        return USUAL_MEMORY
    if not RAM_BASE < end <= RAM_BASE + MOST_MEMORY:
        raise SubmissionError(
            f"PHYSTOP is {end:#x}: memory begins at {RAM_BASE:#x}, and there are at most "
            f"{MOST_MEMORY // MEGABYTE} MiB"
        )
    return end - RAM_BASE


def race_harts(constants: Mapping[str, int], plan: Plan) -> int:
    """Returns how many harts the kernel may be given: as many as races need, unless it was built
    for two and cannot be built for more."""
    own = constants["NCPU"]
    return own if own == 2 and not plan.is_limited else max(own, RACE_HARTS)
