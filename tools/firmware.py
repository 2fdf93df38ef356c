"""Where the firmware's messages on a console end and the kernel's begin."""
from __future__ import annotations

LAST_LINE = "Boot HART MEDELEG"  # how OpenSBI's last line begins


def after_firmware(text: str) -> str:
    """Returns what the kernel printed after the machine's last start; all if there is no firmware
    on it."""
    _, found, after = text.rpartition(LAST_LINE)
    return after.partition("\n")[2] if found else after
