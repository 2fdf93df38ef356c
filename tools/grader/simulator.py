"""The simulator (sim/) as the grader runs it: the same run each time, on an unkind machine."""
from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from command import CommandFailure, make
from gdbstub import GdbStub
from grader.emulator import END_SECONDS, Emulator, Over
from grader.errors import InfraError
from grader.guest_memory import Memory
from products import can_be_made, product, target

INSTRUCTIONS = 100_000_000  # for a second of the limit of CPU time
WRITTEN_AT_ONCE = 1024  # bytes in a packet
INTERRUPTED = "T02"
NO_MEMORY = "there is not enough memory"
LEGACY = "virtio-mmio.force-legacy=true"
# What the simulator says when the machine cannot go on (sim/command/run.c), by kinds of Stop.
ENDS = {
    "the guest has ended": "exit",
    "the guest wants to start again": "exit",
    "all harts wait for what nobody will type": "hang",
    "all harts wait or go round in loops": "hang",
}


@functools.lru_cache(maxsize=None)
def simulator() -> Path:
    """Returns the simulator, which is built if it must be: in a folder of its own for as long as
    the grader runs, where nothing can be written in this tree."""
    words, program = [target("sim/sim")], product("sim/sim")
    if not can_be_made(product("build")):
        folder = Path(tempfile.mkdtemp(prefix="simulator-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)  # commands in the sandbox may be another user's
        program = folder / "sim/sim"
        words = [f"BUILD={folder}", str(program)]
    try:
        make(*words)
    except CommandFailure as failure:
        raise InfraError(f"the simulator cannot be built: {failure}") from None
    return program


class SimulatorStub(GdbStub):
    """The connection to the simulator, which may say something before it stops."""

    said = ""

    def poll(self) -> str | None:
        was_running = self.running
        packet = super().poll()
        while was_running and packet is not None and packet.startswith("O"):
            self.said += bytes.fromhex(packet[1:]).decode(errors="replace")
            self.running = True  # the stop is yet to come
            packet = super().poll()
        return packet


class SharedMemory(Memory):
    """Guest RAM from outside: the simulator is told what is written."""

    stub: GdbStub | None = None

    def write(self, pa: int, data: bytes) -> None:
        super().write(pa, data)
        assert self.stub is not None
        for start in range(0, len(data), WRITTEN_AT_ONCE):
            part = data[start : start + WRITTEN_AT_ONCE]
            self.stub.request(f"M{pa + start:x},{len(part):x}:{part.hex()}")


class SimulatorSchedules:
    """Schedules by the simulator's own commands."""

    def __init__(self, stub: GdbStub) -> None:
        self.stub = stub

    def learn(self, seed: int) -> None:
        self.stub.monitor(f"learn {seed}")

    def begin(self, strategy: str, seed: int) -> None:
        self.stub.monitor(f"schedule {strategy} {seed}")

    def end(self) -> None:
        self.stub.monitor("schedule end")


class Simulator(Emulator):
    """A machine that is simulated."""

    name = "the simulator"
    stub: SimulatorStub

    def command(self, ram_path: str, stub: int) -> list[str]:
        built, options = self.built, self.options
        words = [str(simulator()), str(built.kernel), str(options.image)]
        words += ["--harts", str(options.cpus), "--mem", str(built.memory >> 20)]
        words += ["--profile", options.kind.profile, "--seed", str(options.kind.seed)]
        words += ["--observe", str(stub), "--memory-file", ram_path]
        words += ["--legacy-disk"] if LEGACY in built.qemu_args else []
        return words + (["--append", options.append] if options.append else [])

    def make_memory(self, file: int) -> SharedMemory:
        return SharedMemory(file, self.built.memory)

    def connect(self, cpu_limit: float) -> SimulatorStub:
        stub = SimulatorStub(self.connection)
        stub.request("Qqemu.PhyMemMode:1")
        stub.monitor(f"stop-at {int(cpu_limit * INSTRUCTIONS)}")
        assert isinstance(self.memory, SharedMemory)
        self.memory.stub = stub
        self.schedules = SimulatorSchedules(stub)
        return stub

    def refuses_kernel(self, text: str) -> bool:
        return text.startswith(f"sim: {self.built.kernel}: ") and NO_MEMORY not in text

    def run_together(self) -> bool:
        return int(self.stub.monitor("together")) > 1

    def over(self, packet: str) -> Over | None:
        said, self.stub.said = self.stub.said, ""
        if ENDS.get(said) == "exit":
            self.stub.go()  # now it ends
            gone = self.stub.wait(END_SECONDS)
            return Over("exit", "", int(gone[1:], 16) if gone.startswith("W") else None)
        if said in ENDS:
            return Over(ENDS[said], said)
        if said:
            raise InfraError(f"{self.name} stopped: {said}")
        if packet.startswith(INTERRUPTED):
            return Over("limit", "all instructions are used up that this test may take")
        return None
