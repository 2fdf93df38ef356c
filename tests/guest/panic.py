"""A panic on purpose: the gdb stub makes the idle hart jump to address 0."""
from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from guest.runs import Run, judge, kernel_and_image
from gdbstub import PC, GdbStub, StubGone
from outcome import Outcome
from qemu import Guest, GuestFailure

CONNECT_SECONDS = 60.0  # at most: QEMU takes the connection at once unless the host is very busy
# The shell is process 1 and asleep; the message, the registers and the backtrace are to be printed.
PANIC = Run(
    "panic",
    "/sh",
    cpus=1,
    status=None,
    patterns=(
        r"^panic: hart 0: .*\b0x0\b", r"^pc +0x0{16}\b", r"\bra +0x[0-9a-f]{16}\b",
        r"^ +0x[0-9a-f]+ \w+\+0x[0-9a-f]+$",
    ),
)


def jump_to_zero(path: Path) -> None:
    """Stops the machine, sets the program counter of its hart, and lets it run."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(CONNECT_SECONDS)
        connection.connect(str(path))
        try:
            stub = GdbStub(connection)
            stub.write(0, PC, 0)
            stub.detach()
        except StubGone as gone:
            raise GuestFailure(f"the gdb stub does not set the program counter: {gone}") from None


def check_panic() -> Outcome:
    """Boots to the prompt, waits until the hart is idle, breaks it."""
    kernel, image = kernel_and_image(PANIC)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gdb"
        with Guest(
            PANIC.name, words="init=/sh", kernel=kernel, image=image, stub=path
        ) as guest:
            try:
                guest.expect(r"^\$ \Z")
                guest.expect_rest()
                jump_to_zero(path)
                problems = judge(PANIC, guest.wait(), guest)
            except (GuestFailure, OSError) as failure:
                problems = [str(failure)]
    if not problems:
        guest.image.unlink()
        return Outcome(passed=1)
    return Outcome(failed=1, problems="\n".join([*problems, *guest.evidence()]))
