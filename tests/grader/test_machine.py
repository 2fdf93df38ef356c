"""The observed machine, with a guest of a few instructions: every way to stop, and no hit too many
or too few."""
from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import pytest
from command import run
from grader import guest_console, machine, qemu, simulator, sv39
from grader.built import Built
from grader.emulator import QEMU_KIND, Kind
from grader.errors import InfraError, SubmissionError
from grader.machine import Machine, Stop
from grader.places import Place
from grader.sandbox import NONE, REDUCED, Sandbox
from submissions import find_sandbox
from toolchain import find_prefix
from usage import process_tree

TESTS = Path(__file__).resolve().parent
PREFIX = find_prefix("gcc")
COUNT, WAIT, LOOP, PRINT, PANIC, OFF, RESET, ANSWER, TRIGGERS, WATCHED = range(10)
CHECKPOINT = Place(0x1000, 0x1002)
WATCHED_PLACE = Place(0x1810, 0x181A, 0x1800)
DATA = 0x80014000
HITS = 40


@pytest.mark.parametrize("status, words", [(0, qemu.OWN_SANDBOX), (1, ())])
def test_qemu_without_a_sandbox_of_its_own(
    tmp_path: Path, status: int, words: Sequence[str]
) -> None:
    """It is used without that option."""
    program = tmp_path / "qemu"
    program.write_text(f"#!/bin/sh\nread line; test $line = quit && exit {status}\n")
    program.chmod(0o755)
    assert qemu.own_sandbox(str(program)) == words
    assert qemu.own_sandbox(str(tmp_path / "none")) == ()


class Machines:
    """Machines that run tests/grader/machine_guest.S."""

    kind = QEMU_KIND

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        self.sandbox = find_sandbox().with_budget(600.0)
        (self.folder / "image").write_bytes(bytes(1 << 20))
        self.made: list[Machine] = []
        yield
        for machine in self.made:
            machine.close()

    def built(self, mode: int) -> Built:
        """Builds the guest."""
        kernel = self.folder / f"guest{mode}"
        done = run([
            f"{PREFIX}gcc", "-march=rv64imac_zicsr_zifencei", "-mabi=lp64", "-nostdlib", "-g",
            "-Wl,-N,-Ttext=0x80000000,--no-relax", "-Wl,--build-id=none",
            f"-Wa,--defsym,MODE={mode}", "-o", kernel, TESTS / "machine_guest.S",
        ])
        assert done.succeeded, done.output
        return Built(
            "test", kernel, self.folder / "image", ["-bios", "none"], symbols=kernel, memory=4 << 20
        )

    def machine(
        self, mode: int, *, cpus: int = 1, icount: bool = False, cpu_seconds: float = 60.0,
        idle_seconds: float = 60.0,
        built: Built | None = None, sandbox: Sandbox | None = None,
    ) -> Machine:
        """Makes a machine, which the test ends."""
        made = Machine(
            built or self.built(mode), image=self.folder / "image", cpus=cpus, icount=icount,
            folder=self.folder,
            sandbox=sandbox or self.sandbox,
            breakpoints=[WATCHED_PLACE if mode == WATCHED else CHECKPOINT],
            cpu_seconds=cpu_seconds, idle_seconds=idle_seconds, kind=self.kind,
        )
        self.made.append(made)
        return made

    def run_to_end(self, made: Machine) -> Stop:
        """Resumes after the one checkpoint."""
        first = made.resume()
        assert (first.kind, first.registers and first.registers.argument(0)) == (
            "breakpoint", 2
        ), first
        end = made.resume()
        assert made.resume() == end
        return end

    def count(
        self, cpus: int, icount: bool, sandbox: Sandbox | None = None, mode: int = COUNT,
        place: Place = CHECKPOINT, watches: bool = True,
    ) -> None:
        """Every hart passes the checkpoint HITS times exactly, and in order."""
        with self.machine(mode, cpus=cpus, icount=icount, sandbox=sandbox) as made:
            made.memory.write(DATA + 8, struct.pack("<Q", cpus))
            seen: dict[int, list[int]] = {}
            stop = made.resume()
            if not watches:
                made.places.watch_no_longer()
            while stop.kind == "breakpoint":
                registers = stop.registers
                assert registers is not None
                assert (registers.pc, registers.priv, registers.argument(0)) == (place.pc, 0, 1)
                assert registers.argument(1) == registers.hart
                seen.setdefault(registers.hart, []).append(registers.argument(2))
                stop = made.resume()
            assert (stop.kind, stop.status) == ("exit", 7), stop
            assert seen == {hart: list(range(HITS)) for hart in range(cpus)}
            assert made.memory.read(DATA, 8) == struct.pack("<Q", cpus)

    def test_page_tables(self) -> None:
        made = self.machine(WAIT)
        registers = made.resume().registers
        assert registers is not None
        entry = sv39.lookup(made.memory, registers.satp, CHECKPOINT.pc)
        assert entry is not None
        assert (entry.pa, entry.x, entry.w, entry.u) == (0x80013000, True, False, True)
        assert [leaf.va for leaf in sv39.leaves(made.memory, registers.satp)] == [
            0x1000, 0x2000, 0x3000
        ]
        assert made.memory.read(entry.pa, 2) == struct.pack("<H", 0x0001), "nop"
        for pa, n in ((0, 8), (0x80400000, 1), (0x803FFFFF, 2), (0x80000000, -1)):
            with pytest.raises(ValueError):
                made.memory.read(pa, n)

    def test_answer(self) -> None:
        made = self.machine(ANSWER)
        registers = made.resume().registers
        assert registers is not None
        made.set_register(registers.hart, 10, 33)
        assert made.registers(0).argument(0) == 33
        assert made.resume().status == 33

    def test_exit(self) -> None:
        end = self.run_to_end(self.machine(OFF))
        assert (end.kind, end.status) == ("exit", 5)

    def test_reset_ends_it(self) -> None:
        end = self.run_to_end(self.machine(RESET))
        assert (end.kind, end.status) == ("exit", 0)

    def test_hang(self) -> None:
        end = self.run_to_end(self.machine(WAIT, idle_seconds=0.5))
        assert end.kind == "hang", end
        assert re.search(
            r"hart 0: machine mode at .*machine_guest.S:\d+.*last trap|hart 0: machine mode at",
            end.detail,
        )

    def test_limit(self) -> None:
        made = self.machine(LOOP, cpu_seconds=3.0)
        end = self.run_to_end(made)
        assert end.kind == "limit", end
        assert "user mode" in end.detail
        assert self.kind.is_simulated or made.cpu_seconds() >= 3.0

    def test_panic(self) -> None:
        made = self.machine(PANIC)
        end = self.run_to_end(made)
        assert end.kind == "panic", end
        assert end.detail.startswith("panic: test\n"), end
        assert "hello\npanic: test\nmore\n" in made.console()

    def test_output(self) -> None:
        with mock.patch.object(guest_console, "MOST", 300000):
            made = self.machine(PRINT)
            end = self.run_to_end(made)
        assert end.kind == "output", end
        assert re.search(r"^x+\n\[\d+ bytes left out\]\nx+$", made.console())
        assert len(made.console()) < 2 * guest_console.KEPT + 100

    def test_nothing_is_left(self) -> None:
        files = set(self.folder.iterdir())
        made = self.machine(LOOP)
        made.resume()
        tree = process_tree(made.emulator.process.pid)
        made.close()
        assert not [pid for pid in tree if os.path.exists(f"/proc/{pid}/fd/0")]
        assert set(self.folder.iterdir()) - files - {self.folder / "guest2"} == set()

    def test_kernel_that_cannot_be_loaded(self) -> None:
        empty = self.folder / "empty"
        empty.write_bytes(b"")
        with pytest.raises(SubmissionError, match="cannot load the kernel"):
            self.machine(
                LOOP,
                built=Built("test", empty, self.folder / "image", ["-bios", "none"], memory=4 << 20)
            )


@pytest.mark.skipif(
    PREFIX is None or not shutil.which(qemu.QEMU),
    reason="no compiler or QEMU for RISC-V was found: run `make setup`",
)
class TestMachines(Machines):
    """In QEMU."""

    def test_counts_hits(self) -> None:
        self.count(1, icount=True)

    def test_counts_hits_of_all_harts(self) -> None:
        self.count(4, icount=False)

    @pytest.mark.parametrize("cpus", [1, 4])
    def test_counts_hits_of_a_watched_word(self, cpus: int) -> None:
        """None is lost when several harts load the word at the same time, and none seen twice."""
        self.count(cpus, icount=cpus == 1, mode=WATCHED, place=WATCHED_PLACE)

    @pytest.mark.parametrize("cpus", [1, 4])
    def test_counts_hits_at_breakpoints_from_then_on(self, cpus: int) -> None:
        """The word is no longer watched after the first hit."""
        self.count(cpus, icount=cpus == 1, mode=WATCHED, place=WATCHED_PLACE, watches=False)

    def test_counts_hits_without_walls(self) -> None:
        self.count(2, icount=False, sandbox=Sandbox(NONE))

    def test_counts_hits_without_bubblewrap(self, no_bwrap: None) -> None:
        sandbox = Sandbox(REDUCED)
        sandbox.share(self.folder)
        self.count(1, icount=True, sandbox=sandbox)
        self.count(2, icount=False, sandbox=sandbox)



    def test_no_triggers(self) -> None:
        """A guest that sets a hardware trigger only traps: there are none."""
        assert self.machine(TRIGGERS, cpu_seconds=0.5).resume().kind == "limit"





    def test_limit_of_all(self) -> None:
        """A machine gets what is left, and takes it."""
        sandbox = self.sandbox.with_budget(1.0)
        with self.machine(LOOP, sandbox=sandbox) as guest:
            assert self.run_to_end(guest).kind == "limit"
        assert sandbox.budget.left == 0

    def test_sleeping_much(self) -> None:
        """Sleep is limited in all, however short its pieces."""
        with mock.patch.object(machine, "SLEEP_SECONDS", 1.0):
            with self.machine(WAIT) as guest:
                stop = self.run_to_end(guest)
        assert stop.kind == "hang"
        assert "slept for 1 s in all" in stop.detail




    def test_qemu_is_killed(self) -> None:
        made = self.machine(LOOP)
        made.resume()
        made.emulator.process.kill()
        with pytest.raises(InfraError, match="killed from outside"):
            made.resume()

    def test_no_qemu(self) -> None:
        with mock.patch.object(qemu, "QEMU", "qemu-that-is-not-here"), \
                pytest.raises(InfraError, match="was not found"):
            self.machine(LOOP)

    def test_qemu_does_not_start(self) -> None:
        good = self.built(LOOP)
        with pytest.raises(InfraError, match="QEMU does not start: .*nonsense"):
            self.machine(
                LOOP,
                built=Built("test", good.kernel, good.image, ["-nonsense"], memory=good.memory)
            )


@pytest.mark.skipif(
    PREFIX is None, reason="no compiler for RISC-V was found: run `make setup`"
)
class TestSimulatedMachines(Machines):
    """In the simulator."""

    kind = Kind(True, "tlb,stores", 1)

    @pytest.mark.parametrize("cpus", [1, 3, 8])
    def test_counts_hits(self, cpus: int) -> None:
        self.count(cpus, icount=False)

    def test_a_run_is_the_same_each_time(self) -> None:
        """It stops at the same times."""

        def times() -> list[str]:
            with self.machine(COUNT, cpus=3) as made:
                made.memory.write(DATA + 8, struct.pack("<Q", 3))
                seen = []
                while made.resume().kind == "breakpoint":
                    seen.append(made.stub.monitor("time"))
                return seen

        first = times()
        assert len(first) == 3 * HITS
        assert times() == first

    @pytest.mark.parametrize("strategy", ["quanta", "pos", "surw", "pct"])
    def test_schedules(self, strategy: str) -> None:
        """A schedule goes on over stops."""
        made = self.machine(COUNT, cpus=3)
        made.memory.write(DATA + 8, struct.pack("<Q", 3))
        assert made.schedules is not None
        made.schedules.learn(1)
        hits = 0
        while made.resume().kind == "breakpoint":
            hits += 1
            if hits == HITS:
                made.schedules.end()
                made.schedules.begin(strategy, 2)
        assert hits == 3 * HITS

    def test_it_says_who_ran_together(self) -> None:
        made = self.machine(COUNT, cpus=3)
        together = set()
        while made.resume().kind == "breakpoint":
            together.add(made.run_together())
        assert True in together
        alone = self.machine(LOOP)
        alone.resume()
        assert not alone.run_together()

    def test_simulator_is_killed(self) -> None:
        made = self.machine(LOOP)
        made.resume()
        made.emulator.process.kill()
        with pytest.raises(InfraError, match="killed from outside"):
            made.resume()

    def test_tree_in_which_nothing_can_be_written(self) -> None:
        """The simulator is built elsewhere."""
        with mock.patch.object(simulator, "can_be_made", return_value=False):
            simulator.simulator.cache_clear()
            try:
                self.run_to_end(self.machine(OFF))
                assert not simulator.simulator().is_relative_to(simulator.product("."))
            finally:
                simulator.simulator.cache_clear()
