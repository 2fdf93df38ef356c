"""Reads the steps of a test: the commands that were given to its processes."""
from __future__ import annotations

import re
from collections.abc import Sequence

from labs.cow.grading.process import PAGE, WORD

PAGES_MAX = 512
STORES = re.compile(r"store|add|fill|touch|fork_store|read_load|call (?:read|wait|pipe|fstat)")
STEP = re.compile(r"(?P<who>[^:\n]+): (?P<deed>call \w+|\w+)\((?P<words>[^)\n]*)\)")
# Which word of a deed is the address that it is about.
ADDRESS_AT = {"call read": 1, "call fstat": 1, "call wait": 0, "call pipe": 0, "read_load": 1}
APPEARS = re.compile(" appears: | is stopped before its first system call")
WAITING = ("wait", "pause")
ADDRESS_FIRST = ("store", "load", "add", "jump", "fill", "touch", "check")


def deed_of(text: str) -> tuple[str, str, list[int]]:
    """Returns who did what in a step, and the addresses of the pages that it was about."""
    match = STEP.match(text)
    if match is None:
        return "", "", []
    who, deed, words = match.group("who"), match.group("deed"), numbers(match.group("words"))
    if deed == "fork_reap" and len(words) > 2:  # the child looks at them
        pages = min(words[2] * 8 // PAGE, PAGES_MAX)
        return who, deed, [words[1] + i * PAGE for i in range(pages)]
    at = 0 if deed in ADDRESS_FIRST else ADDRESS_AT.get(deed, len(words))
    return who, deed, words[at:at + 1]


def last_step(lines: Sequence[str]) -> str:
    """Returns the last command that is more than waiting."""
    found = ((line, STEP.match(line)) for line in reversed(lines))
    return next((line for line, match in found if match and match["deed"] not in WAITING), "")


def numbers(words: str) -> list[int]:
    """Returns the numbers of a step."""
    found = re.findall(r"-?(?:0x[0-9a-f]+|\d+)", words)
    return [int(word, 0) % WORD for word in found]


def wrote_since_fork(lines: Sequence[str]) -> bool:
    """Tells whether a process was told to store something since the last one appeared."""
    if any("fork_store(" in line for line in lines):  # at once
        return True
    for line in reversed(lines):
        match = STEP.match(line)
        if match is None and APPEARS.search(line):
            return False
        if match is not None and STORES.fullmatch(match.group("deed")):
            return True
    return False


def last_hoard(lines: Sequence[str]) -> tuple[int, bool]:
    """Returns how many pages were taken when last all were, and whether they still are."""
    pages, held, holder = 0, False, ""
    for line in lines:
        match = STEP.match(line)
        if match is None:
            continue
        words = numbers(match.group("words"))
        if match.group("deed") in ("hoard", "touch") and " -> " in line:
            answer = line.rpartition(" -> ")[2].partition(",")[0]
            pages = int(answer) if match.group("deed") == "hoard" else words[1]
            held, holder = pages > 0, match.group("who")
        elif match.group("who") == holder and match.group("deed") == "call exit":
            held = False
        elif match.group("deed") == "call sbrk" and words and words[0] >> 63:
            held = held and (WORD - words[0]) // PAGE * 2 < pages
    return pages, held


def most_children(lines: Sequence[str]) -> int:
    """Returns how many children shared pages at once, as far as that was counted."""
    found = [re.search(r"fork_many\([^)]*\) -> (\d+)", line) for line in lines]
    return max((int(match.group(1)) for match in found if match), default=0)


def fork_has_failed(lines: Sequence[str]) -> bool:
    """Tells whether a fork has failed because memory ran out."""
    return any("fork_reap(" in line and line.endswith(" -> -1, 0") for line in lines)
