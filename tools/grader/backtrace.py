"""The calls that led to where a hart is, by the frame pointers on its stack, read from outside.

Frames are as compilers lay them out with -fno-omit-frame-pointer: the return address at fp - 8, the
caller's frame pointer at fp - 16; a function that calls none may have only the latter, at fp - 8.
Whatever the stack holds, the chain ends.
"""
from __future__ import annotations

import struct

from grader import sv39
from grader.decode import Registers

FRAME_POINTER = 8  # the number of s0
CALLS_MAX, FRAMES_MAX = 10, 40
STACK_BYTES = 1 << 16  # between two frames at most


def callers(memory: sv39.Readable, state: Registers) -> list[int]:
    """Returns an address inside each call, the innermost first; none in user mode."""
    found: list[int] = []
    frame = state.x[FRAME_POINTER]
    for _ in range(FRAMES_MAX if state.priv else 0):
        words = read_frame(memory, state.satp, frame)
        if words is None:
            break
        saved, back = words
        if frame < back < frame + STACK_BYTES:
            frame = back
            continue
        found.append(back - 1)  # the call may be its function's last instruction
        if len(found) == CALLS_MAX or not frame < saved < frame + STACK_BYTES:
            break
        frame = saved
    return found


def read_frame(memory: sv39.Readable, satp: int, frame: int) -> tuple[int, int] | None:
    """Returns the two words below a frame pointer; None if they cannot be there."""
    place = frame - 16
    if frame % 8 or place < 0:
        return None
    if satp >> 60:
        entry = sv39.lookup(memory, satp, place)
        if entry is None or place + 16 > entry.va + entry.size:
            return None
        place += entry.pa - entry.va
    try:
        saved, back = struct.unpack("<2Q", memory.read(place, 16))
    except (ValueError, struct.error):
        return None
    return saved, back
