"""A client of QEMU's gdb stub: as much of the remote protocol as observing a machine takes.

Every packet is acknowledged (older QEMUs require it), and nothing is sent while the machine runs,
since any byte stops it. Threads are harts, numbered from 0 here and from 1 in the protocol.
StubGone means that QEMU has ended or does not answer.
"""
from __future__ import annotations

import re
import select
import socket
import time

ANSWER_SECONDS = 60.0  # of wall time: far more than a busy host needs
STOP_REPLY = re.compile(
    r"T(?P<signal>[0-9a-f]{2}).*?thread:(?:p[0-9a-f]+\.)?(?P<thread>[0-9a-f]+);"
)
REGISTER = re.compile(r"<reg\b[^>]*>")
INCLUDE = re.compile(r'<xi:include\b[^>]*\bhref="([^"]+)"')
GENERAL_COUNT = 33  # x0 to x31 and pc
PC = 32  # its place among them


class StubGone(Exception):
    """The connection is closed, or the stub does not answer."""


def checksum(data: bytes) -> bytes:
    """Returns the two digits that follow a packet."""
    return b"%02x" % (sum(data) & 0xFF)


def attribute(tag: str, name: str) -> str | None:
    """Returns an attribute of an XML tag."""
    match = re.search(rf'\b{name}="([^"]*)"', tag)
    return match.group(1) if match else None


class GdbStub:
    """The connection to a machine that is stopped."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.setblocking(False)
        self._received = bytearray()
        self._last = b""
        self._thread = -1  # the hart that register packets are about
        self.running = False
        answer = self.ask("qSupported:xmlRegisters=riscv")
        if self.stopped(answer) is not None:  # a machine that ran stops now, and says so first
            self.wait(ANSWER_SECONDS)
        self.numbers = self._register_numbers()

    def ask(self, packet: str) -> str:
        """Sends a packet and returns the answer."""
        self.send(packet)
        return self.wait(ANSWER_SECONDS)

    def send(self, packet: str) -> None:
        """Sends a packet."""
        data = packet.encode()
        self._last = b"$" + data + b"#" + checksum(data)
        self._write(self._last)

    def wait(self, seconds: float) -> str:
        """Returns the next packet from the stub."""
        deadline = time.monotonic() + seconds
        while True:
            packet = self.poll()
            if packet is not None:
                return packet
            if not select.select(
                [self.connection], [], [], max(0.0, deadline - time.monotonic())
            )[0]:
                raise StubGone(f"QEMU's gdb stub did not answer for {seconds:g} s")

    def poll(self) -> str | None:
        """Returns a packet if one is there."""
        try:
            data = self.connection.recv(1 << 16)
            if not data:
                raise StubGone("QEMU closed the connection to its gdb stub")
            self._received += data
        except BlockingIOError:
            pass
        except OSError as error:
            raise StubGone(str(error)) from None
        return self._take_packet()

    def _take_packet(self) -> str | None:
        """Takes the first whole packet out of what was received, and acknowledges it."""
        while self._received:
            if self._received[0] == ord("-"):
                del self._received[0]
                self._write(self._last)
            elif self._received[0] != ord("$"):
                del self._received[0]
            else:
                end = self._received.find(b"#")
                if end < 0 or len(self._received) < end + 3:
                    return None
                data, check = bytes(self._received[1:end]), bytes(self._received[end + 1 : end + 3])
                del self._received[: end + 3]
                if check != checksum(data):
                    self._write(b"-")
                    continue
                self._write(b"+")
                self.running = False
                return data.decode(errors="replace")
        return None

    def _write(self, data: bytes) -> None:
        """Sends bytes."""
        try:
            while data:
                select.select([], [self.connection], [], ANSWER_SECONDS)
                data = data[self.connection.send(data) :]
        except OSError as error:
            raise StubGone(str(error)) from None

    # ---- Harts and registers ----

    def harts(self) -> int:
        """Returns how many harts there are."""
        count, answer = 0, self.ask("qfThreadInfo")
        while answer.startswith("m"):
            count += len(answer[1:].split(","))
            answer = self.ask("qsThreadInfo")
        return count

    def general(self, hart: int) -> tuple[int, ...]:
        """Returns a hart's x0 to x31 and pc."""
        self._select(hart)
        data = self._bytes("g")
        if len(data) < 8 * GENERAL_COUNT:
            raise StubGone(f"QEMU's gdb stub gave {len(data)} bytes of registers")
        return tuple(
            int.from_bytes(data[i : i + 8], "little") for i in range(0, 8 * GENERAL_COUNT, 8)
        )

    def read(self, hart: int, name: str) -> int:
        """Returns a register by its name in the stub's description: satp, priv, mhartid, ..."""
        self._select(hart)
        return int.from_bytes(self._bytes(f"p{self.numbers[name]:x}"), "little")

    def write(self, hart: int, number: int, value: int) -> None:
        """Sets a register by its number: x0 to x31, then pc."""
        self._select(hart)
        self._check(f"P{number:x}={value.to_bytes(8, 'little').hex()}")

    def _select(self, hart: int) -> None:
        """Makes the following register packets be about this hart."""
        if hart != self._thread:
            self._check(f"Hg{hart + 1:x}")
            self._thread = hart

    def _bytes(self, packet: str) -> bytes:
        """Returns the answer's bytes."""
        answer = self.ask(packet)
        try:
            return bytes.fromhex(answer)
        except ValueError:
            raise StubGone(f"QEMU's gdb stub answered {answer!r} to {packet}") from None

    def _check(self, packet: str) -> None:
        """Sends a packet that must be answered with OK."""
        answer = self.ask(packet)
        if answer != "OK":
            raise StubGone(f"QEMU's gdb stub answered {answer!r} to {packet}")

    def _register_numbers(self) -> dict[str, int]:
        """Reads the description of the registers, which gives numbers to names by their order."""
        numbers: dict[str, int] = {}
        number = 0
        for file in INCLUDE.findall(self._description("target.xml")):
            for tag in REGISTER.findall(self._description(file)):
                number = int(attribute(tag, "regnum") or number)
                numbers[attribute(tag, "name") or ""] = number
                number += 1
        return numbers

    def _description(self, file: str) -> str:
        """Returns one file of the description of registers."""
        text = ""
        while True:
            answer = self.ask(f"qXfer:features:read:{file}:{len(text):x},7fb")
            if answer[:1] not in ("l", "m"):
                raise StubGone(f"QEMU's gdb stub does not describe its registers: {answer!r}")
            text += answer[1:]
            if answer[0] == "l":
                return text

    # ---- Breakpoints and running ----

    def insert(self, address: int) -> None:
        """Sets a hardware breakpoint at a virtual address: any hart, any address space."""
        self._check(f"Z1,{address:x},2")

    def remove(self, address: int) -> None:
        """Removes a breakpoint."""
        self._check(f"z1,{address:x},2")

    def go(self) -> None:
        """Lets all harts run; a stop reply will follow."""
        self._thread = -1
        self.send("vCont;c")
        self.running = True

    def step(self, hart: int) -> int | None:
        """Executes one instruction of a hart, with interrupts held off; the others do not run.

        Returns what stopped() does.
        """
        self._thread = -1
        return self.stopped(self.ask(f"vCont;s:{hart + 1:x}"))

    def detach(self) -> None:
        """Lets all harts run, and detaches."""
        self._check("D")

    def interrupt(self) -> None:
        """Asks the running machine to stop; a stop reply follows."""
        self._write(b"\x03")

    @staticmethod
    def stopped(packet: str) -> int | None:
        """Returns the hart that a stop reply names; None for other packets."""
        match = STOP_REPLY.match(packet)
        return int(match.group("thread"), 16) - 1 if match else None
