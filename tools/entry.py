"""How every program of this tree ends."""
from __future__ import annotations

import os
import signal
import sys
from typing import Callable, NoReturn

UNREAD = 141  # as the shell has it for a program that SIGPIPE ends


def heed_signals() -> None:
    """Lets SIGTERM, and SIGHUP when a terminal is closed, end the program as Ctrl-C does. What is
    ignored, as under nohup, stays so."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def run_main(main: Callable[[], int]) -> NoReturn:
    """Runs a program's main function and exits with the status that it returns.

    If the reader of the output has ended, as in `... | head`, the program ends, too, and says
    nothing. A program handles broken pipes of its own itself.
    """
    status = UNREAD
    try:
        try:
            status = main()
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
