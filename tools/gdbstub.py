"""A client of QEMU's gdb stub: as much of the remote protocol as observing a machine takes.

Round trips are what costs time. So requests that are only to be confirmed wait for the next one
that has an answer, and all are sent at once. Every packet is acknowledged (older QEMUs require it),
with the next one that is sent: the socket loses nothing. Nothing is sent while the machine runs,
since any byte stops it. Threads are harts, numbered from 0 here and from 1 in the protocol.
StubGone means that QEMU has ended, does not answer or refuses a request.
"""
from __future__ import annotations

import re
import select
import socket
import struct
import time
from collections.abc import Sequence

ANSWER_SECONDS = 60.0  # of wall time: far more than a busy host needs
STOP_REPLY = re.compile(
    r"T(?P<signal>[0-9a-f]{2}).*?thread:(?:p[0-9a-f]+\.)?(?P<thread>[0-9a-f]+);"
)
REGISTER = re.compile(r"<reg\b[^>]*>")
INCLUDE = re.compile(r'<xi:include\b[^>]*\bhref="([^"]+)"')
GENERAL_COUNT = 33  # x0 to x31 and pc
GENERAL = struct.Struct(f"<{GENERAL_COUNT}Q")
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


def register_bytes(packet: str, answer: str) -> bytes:
    """Returns the bytes in the answer to a packet that asks for registers."""
    try:
        return bytes.fromhex(answer)
    except ValueError:
        raise StubGone(f"QEMU's gdb stub answered {answer!r} to {packet}") from None


class GdbStub:
    """The connection to a machine that is stopped."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.setblocking(False)
        self._received = bytearray()
        self._waiting: list[str] = []  # requests that are to be sent with the next one
        self._unconfirmed: list[str] = []  # those that were sent, the oldest first
        self._thread = -1  # the hart that register packets are about
        self.running = False
        answer = self.ask("qSupported:xmlRegisters=riscv")
        if self.stopped(answer) is not None:  # a machine that ran stops now, and says so first
            self.wait(ANSWER_SECONDS)
        self.numbers = self._register_numbers()

    def ask(self, packet: str) -> str:
        """Sends a packet and returns the answer."""
        return self.ask_all([packet])[0]

    def ask_all(self, packets: Sequence[str]) -> list[str]:
        """Sends packets at once and returns their answers."""
        self.send(*packets)
        return [self.wait(ANSWER_SECONDS) for _ in packets]

    def send(self, *packets: str) -> None:
        """Sends packets, and before them the requests that wait."""
        frames = (packet.encode() for packet in (*self._waiting, *packets))
        self._write(b"".join(b"+$" + data + b"#" + checksum(data) for data in frames))
        self._unconfirmed += self._waiting
        self._waiting.clear()

    def request(self, packet: str) -> None:
        """Has a packet sent with the next one; it must be answered with OK."""
        self._waiting.append(packet)

    def confirm(self) -> None:
        """Sends the requests that wait; StubGone unless all are confirmed."""
        self.ask("qAttached")

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
        """Returns a packet if one is there that does not just confirm a request."""
        packet = self._take_packet() or self._receive_packet()
        while packet is not None and self._unconfirmed:
            request = self._unconfirmed.pop(0)
            if packet != "OK":
                raise StubGone(f"QEMU's gdb stub answered {packet!r} to {request}")
            packet = self._take_packet()
        if packet is not None:
            self.running = False
        return packet

    def _receive_packet(self) -> str | None:
        """Receives what is there, and takes a packet out of it."""
        try:
            data = self.connection.recv(1 << 16)
            if not data:
                raise StubGone("QEMU closed the connection to its gdb stub")
            self._received += data
        except BlockingIOError:
            return None
        except OSError as error:
            raise StubGone(str(error)) from None
        return self._take_packet()

    def _take_packet(self) -> str | None:
        """Takes the first whole packet out of what was received."""
        start = self._received.find(b"$")
        end = self._received.find(b"#", start)
        if start < 0 or end < 0 or len(self._received) < end + 3:
            return None
        data, check = bytes(self._received[start + 1 : end]), self._received[end + 1 : end + 3]
        if check != checksum(data):
            raise StubGone(f"QEMU's gdb stub sent {data!r} with a wrong checksum")
        del self._received[: end + 3]
        return data.decode(errors="replace")

    def _write(self, data: bytes) -> None:
        """Sends bytes."""
        try:
            while data:
                data = data[self.connection.send(data) :]
                if data:
                    select.select([], [self.connection], [], ANSWER_SECONDS)
        except OSError as error:
            raise StubGone(str(error)) from None

    def monitor(self, command: str) -> str:
        """Gives QEMU's monitor a command and returns what it says."""
        said, answer = b"", self.ask(f"qRcmd,{command.encode().hex()}")
        while answer.startswith("O") and answer != "OK":
            said += bytes.fromhex(answer[1:])
            answer = self.wait(ANSWER_SECONDS)
        if answer != "OK":
            raise StubGone(f"QEMU's monitor does not take {command!r}: {answer!r}")
        return said.decode(errors="replace")

    # ---- Memory, harts and registers ----

    def memory(self, address: int, size: int) -> bytes:
        """Returns bytes at a virtual address of the selected hart; none if nothing is there."""
        answer = self.ask(f"m{address:x},{size:x}")
        return b"" if answer.startswith("E") else register_bytes("m", answer)

    def harts(self) -> int:
        """Returns how many harts there are."""
        count, answer = 0, self.ask("qfThreadInfo")
        while answer.startswith("m"):
            count += len(answer[1:].split(","))
            answer = self.ask("qsThreadInfo")
        return count

    def general(self, hart: int) -> tuple[int, ...]:
        """Returns a hart's x0 to x31 and pc."""
        return self.registers(hart, ())[0]

    def registers(self, hart: int, names: Sequence[str]) -> tuple[tuple[int, ...], list[int]]:
        """Returns a hart's x0 to x31 and pc, and registers by their names in the stub's
        description: satp, priv, mhartid, ..."""
        self._select(hart)
        packets = ["g", *(f"p{self.numbers[name]:x}" for name in names)]
        general, *others = map(register_bytes, packets, self.ask_all(packets))
        if len(general) < 8 * GENERAL_COUNT:
            raise StubGone(f"QEMU's gdb stub gave {len(general)} bytes of registers")
        return GENERAL.unpack_from(general), [int.from_bytes(data, "little") for data in others]

    def read_all(self, harts: Sequence[int], name: str) -> list[int]:
        """Returns the harts' registers of that name."""
        packet = f"p{self.numbers[name]:x}"
        self._thread = -1
        answers = self.ask_all([word for hart in harts for word in (f"Hg{hart + 1:x}", packet)])
        return [
            int.from_bytes(register_bytes(packet, answer), "little") for answer in answers[1::2]
        ]

    def write(self, hart: int, number: int, value: int) -> None:
        """Requests that a register be set, by its number: x0 to x31, then pc."""
        self._select(hart)
        self.request(f"P{number:x}={value.to_bytes(8, 'little').hex()}")

    def _select(self, hart: int) -> None:
        """Makes the following register packets be about this hart."""
        if hart != self._thread:
            self.request(f"Hg{hart + 1:x}")
            self._thread = hart

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
        """Requests a hardware breakpoint at a virtual address: any hart, any address space."""
        self.request(f"Z1,{address:x},2")

    def remove(self, address: int) -> None:
        """Requests that a breakpoint be removed."""
        self.request(f"z1,{address:x},2")

    def watch(self, address: int) -> None:
        """Requests that harts stop after a load of the word at a virtual address."""
        self.request(f"Z3,{address:x},8")

    def unwatch(self, address: int) -> None:
        """Requests that loads of a word be watched no longer."""
        self.request(f"z3,{address:x},8")

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
        answer = self.ask("D")
        if answer != "OK":
            raise StubGone(f"QEMU's gdb stub answered {answer!r} to D")

    def interrupt(self) -> None:
        """Asks the running machine to stop; a stop reply follows."""
        self._write(b"\x03")

    @staticmethod
    def stopped(packet: str) -> int | None:
        """Returns the hart that a stop reply names; None for other packets."""
        match = STOP_REPLY.match(packet)
        return int(match.group("thread"), 16) - 1 if match else None
