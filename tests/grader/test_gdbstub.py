"""The client of QEMU's gdb stub, with a stub that has its answers ready."""
from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from gdbstub import GENERAL_COUNT, GdbStub, StubGone, checksum

FEATURES = '<xi:include href="csr.xml"/>'
REGISTERS = '<reg name="satp" regnum="40"/><reg name="priv"/>'


class Stub:
    """Answers packets in a thread, and notes how they came: those of one write together."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.writes: list[list[str]] = []
        self.refuses = ""
        threading.Thread(target=self.answer_all, daemon=True).start()

    def answer_all(self) -> None:
        """Answers until the client is gone."""
        while data := self.connection.recv(1 << 16):
            packets = [packet.decode() for packet in re.findall(rb"\$([^#]*)#..", data)]
            self.writes.append(packets)
            for packet in packets:
                for text in self.answer(packet).encode().split(b" then "):
                    self.connection.sendall(b"+$" + text + b"#" + checksum(text))

    def answer(self, packet: str) -> str:
        """Returns the answer to a packet."""
        if self.refuses and packet.startswith(self.refuses):
            return "E22"
        if packet.startswith("qXfer:features:read:target.xml"):
            return "l" + FEATURES
        if packet.startswith("qXfer"):
            return "l" + REGISTERS
        answers: dict[str, str] = {
            "g": "00" * 8 * GENERAL_COUNT, "p28": "0500000000000080", "m1000,2": "7325",
            "m0,2": "E14", "qRcmd,6869": "O6f then O6b0a then OK",
        }
        return answers.get(packet, "OK" if packet[0] in "HPZz" else "")


@pytest.fixture(name="pair")
def make_pair() -> Iterator[tuple[GdbStub, Stub]]:
    """A client and its stub."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stub = Stub(theirs)
        yield GdbStub(ours), stub


def test_requests_travel_with_the_next_packet(pair: tuple[GdbStub, Stub]) -> None:
    """One write for all of them."""
    client, stub = pair
    stub.writes.clear()
    client.watch(0x1000)
    client.write(0, 10, 1)
    assert client.registers(0, ["satp"]) == ((0,) * GENERAL_COUNT, [0x8000000000000005])
    assert stub.writes == [["Z3,1000,8", "Hg1", "Pa=0100000000000000", "g", "p28"]]


@pytest.mark.parametrize("refused, act", [
    ("P", lambda client: client.write(0, 10, 1)), ("Z", lambda client: client.insert(1)),
])
def test_refused_request(
    pair: tuple[GdbStub, Stub], refused: str, act: Callable[[GdbStub], None]
) -> None:
    """The next packet's answer does not hide it."""
    client, stub = pair
    stub.refuses = refused
    act(client)
    with pytest.raises(StubGone, match="E22"):
        client.general(0)


def test_several_harts(pair: tuple[GdbStub, Stub]) -> None:
    """A register of each, with one write."""
    client, stub = pair
    stub.writes.clear()
    assert client.read_all(range(2), "satp") == [0x8000000000000005] * 2
    assert stub.writes == [["Hg1", "p28", "Hg2", "p28"]]


def test_monitor(pair: tuple[GdbStub, Stub]) -> None:
    """What the monitor says comes in pieces; a stub without a monitor answers nothing."""
    client, _stub = pair
    assert client.monitor("hi") == "ok\n"
    with pytest.raises(StubGone, match="does not take 'ho'"):
        client.monitor("ho")


def test_memory(pair: tuple[GdbStub, Stub]) -> None:
    """Where nothing is mapped there are no bytes."""
    client, _stub = pair
    assert (client.memory(0x1000, 2), client.memory(0, 2)) == (b"\x73\x25", b"")
