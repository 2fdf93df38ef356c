"""Tests of tools/gdb/cow6.py: gdb attached to a machine that waits at the shell's prompt."""
from __future__ import annotations

import re
import tempfile
from pathlib import Path
from socket import socket as new_socket

import pytest
from command import CommandFailure, make
from limits import run_limited
from products import ROOT, make_environment, target
from qemu import Guest, find_gdb, run_gdb

CPU_SECONDS = 300
try:
    GDB, MISSING = find_gdb(), ""
except CommandFailure as failure:
    GDB, MISSING = "", str(failure)
KERNEL, IMAGE = target("kernel/kernel"), target("fs.img")


@pytest.mark.skipif(not GDB, reason=MISSING)
class TestGdbCommands:
    """What the commands print about a running machine, and without one."""

    guest: Guest
    socket: Path
    processes: str
    folder: tempfile.TemporaryDirectory[str]

    @classmethod
    def setup_class(cls) -> None:
        make(KERNEL, IMAGE)
        cls.folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        cls.socket = Path(cls.folder.name, "gdb")
        cls.guest = Guest("gdb", cpus=3, words="", stub=cls.socket)
        cls.guest.__enter__()
        cls.guest.expect(r"^\$ ")
        cls.guest.expect_rest()  # all processes sleep
        cls.processes = run_gdb([f"target remote {cls.socket}", "cow6 ps", "detach"], KERNEL)

    @classmethod
    def teardown_class(cls) -> None:
        cls.guest.__exit__(None, None, None)
        cls.guest.image.unlink()
        cls.folder.cleanup()

    def ask(self, *commands: str) -> str:
        """Attaches, runs the commands, detaches."""
        return run_gdb([f"target remote {self.socket}", *commands, "detach"], KERNEL)

    def find(self, pattern: str, text: str) -> re.Match[str]:
        """Returns the first match, which there must be."""
        match = re.search(pattern, text, re.MULTILINE)
        if match is None:
            pytest.fail(f"expected {pattern!r}, saw\n{text}")
        return match

    def shell(self) -> str:
        """The pid of the shell."""
        return self.find(r"^ *(\d+) +1 .* sh$", self.processes).group(1)

    def page_of(self, region: str) -> int:
        """A present page of one of the shell's regions."""
        shell = self.shell()
        row = self.find(
            rf"^ *(0x\w+) +(0x\w+) +[rwx-]{{3}} .* {region},", self.ask(f"cow6 regions {shell}")
        )
        pages = range(int(row.group(1), 16), int(row.group(2), 16), 4096)
        text = self.ask(*[f"cow6 walk {shell} {page:#x}" for page in pages])
        return int(self.find(r"^(0x\w+) is physical address", text).group(1), 16)

    def test_ps(self) -> None:
        self.find(r"^ +pid parent state +hart +pages  name$", self.processes)
        self.find(r"^ +1 +- sleeping +\d+  init$", self.processes)
        self.find(r"^ +\d+ +1 sleeping +\d+  sh$", self.processes)

    def test_regions(self) -> None:
        text = self.ask(f"cow6 regions {self.shell()}")
        self.find(r"^ *0x10000 +0x\w+  r-x +\d+ +[1-9]\d* +0  text, file$", text)
        self.find(r"  rw- .*  stack, zero", text)
        self.find(r"^heap ends at 0x\w+; 1 user", text)

    def test_walk(self) -> None:
        text = self.ask(f"cow6 walk {self.shell()} {self.page_of('text'):#x}")
        self.find(
            r"^level 2: entry +0 of table 0x\w+ = 0x\w{16}  V - - - - - - -  next table 0x\w+$",
            text,
        )
        self.find(r"^level 1: .*  next table 0x\w+$", text)
        self.find(r"^level 0: .*  V R - X U - A -  frame 0x\w+$", text)
        self.find(r"^region 0x10000 to 0x\w+ r-x text$", text)

    def test_walk_to_unmapped_address(self) -> None:
        text = self.ask(f"cow6 walk {self.shell()} 0", f"cow6 walk {self.shell()} 0x4000000000")
        self.find(r"not present$", text)
        self.find(r"^no region covers it$", text)
        self.find(r"0x4000000000 is no Sv39 address", text)

    def test_kernel_half(self) -> None:
        text = self.ask(f"cow6 walk {self.shell()} &kernel_start")
        self.find(r"^0xffffff\w+ is physical address 0x80200000$", text)
        self.find(r"^the kernel's half$", text)

    def test_frame_and_users(self) -> None:
        shell, stack = self.shell(), self.page_of("stack")
        frame = self.find(r"frame (0x\w+)$", self.ask(f"cow6 walk {shell} {stack:#x}")).group(1)
        text = self.ask(f"cow6 users {frame}")
        self.find(
            rf"^frame {frame} \(physical address {frame}000\): count 1, process memory$", text
        )
        self.find(rf"^  process {shell} \(sh\) at {stack:#x}  V R W - U - A D$", text)
        self.find(r"^1 entries of processes name it$", text)
        self.find(rf"^frame {frame} ", self.ask(f"cow6 frame {frame}123"))

    def test_frames(self) -> None:
        text = self.ask("cow6 frames")
        self.find(r"^RAM: \d+ frames, 0x80\w+ to 0x87fff$", text)
        self.find(r"^for processes: \d+, free \d+, reserved \d+$", text)
        self.find(r"^  page table: [1-9]\d*$", text)

    def test_messages(self) -> None:
        text = self.ask("cow6 regions 9999", "cow6 frame 1", "cow6 walk 1", "cow6 nonsense")
        self.find(r"there is no process 9999; `cow6 ps` lists them", text)
        self.find(r"there is no frame 0x1; RAM has frames", text)
        self.find(r"^usage: cow6 walk PID ADDRESS$", text)
        self.find(r"unknown command nonsense", text)

    def test_not_attached(self) -> None:
        """A message says so when the commands are loaded, and for each command."""
        said = "no kernel is attached: start `make qemu-gdb`"
        assert run_gdb(["cow6 ps", "cow6 ps"], KERNEL).count(said) == 3
        assert self.ask("source tools/gdb/cow6.py").count(said) == 1

    def test_make_gdb_without_qemu(self) -> None:
        """The message says what to do first."""
        impatient = Path(self.folder.name, "gdb-now")
        impatient.write_text(
            f'#!/bin/sh\nexec {GDB} -nx -batch -ex "set tcp auto-retry off" "$@"\n'
        )
        impatient.chmod(0o755)
        with new_socket() as unused:
            unused.bind(("127.0.0.1", 0))  # and does not listen
            port = unused.getsockname()[1]
            command = ["make", "-s", "gdb", f"GDB={impatient}", f"GDBPORT={port}"]
            text = run_limited(command, ROOT, CPU_SECONDS, make_environment()).output
        self.find(
            r"(?s):\d+: Connection refused\.$.*^cow6: .* start `make qemu-gdb` in another window",
            text,
        )

    def test_not_started(self) -> None:
        """The machine is stopped before its first instruction, as by `make qemu-gdb`."""
        socket = Path(self.folder.name, "early")
        with Guest("gdb-early", words="", stub=socket, stopped=True) as early:
            self.find(
                r"not set up its memory yet",
                run_gdb([f"target remote {socket}", "cow6 ps"], KERNEL),
            )
        early.image.unlink()
