"""What is read of kernels' ELF files, whatever bytes they have, and of our own program's."""
from __future__ import annotations

import json
import re
import struct
import time
from pathlib import Path

import pytest
from grader import elf
from grader.elf import Layout, Segment, Variable
from grader.errors import SubmissionError
import grader_seeds as seeds
from submissions import find_sandbox

BASE, MEMORY = 0x80000000, 1 << 20
KMEM = {"kmem": (BASE + 0x100, 32)}
WHOLE = seeds.kernel([seeds.segment(BASE)], KMEM)
PLACES = {"e_machine": (18, "<H"), "e_phoff": (32, "<Q"), "e_shoff": (40, "<Q")}
PLACES.update({"e_phentsize": (54, "<H"), "e_phnum": (56, "<H"), "e_shentsize": (58, "<H")})
PLACES.update({"e_shnum": (60, "<H"), "e_shstrndx": (62, "<H")})
MOST_SECONDS = 15.0


def changed(data: bytes, **fields: int) -> bytes:
    """Returns a file with other numbers in its header."""
    new = bytearray(data)
    for name, value in fields.items():
        place, form = PLACES[name]
        struct.pack_into(form, new, place, value)
    return bytes(new)


class TestKernels:
    """Files of submissions."""

    @pytest.fixture(autouse=True)
    def set_up(self, tmp_path: Path) -> None:
        self.file = tmp_path / "kernel"

    def parse(self, data: bytes) -> dict[str, object]:
        """Returns what the child finds; within MOST_SECONDS, and the answer is small."""
        self.file.write_bytes(data)
        start = time.process_time()
        try:
            found = elf.parse_kernel(self.file)
        finally:
            assert time.process_time() - start < MOST_SECONDS
        assert len(json.dumps(found)) < 4 << 20
        return found

    def refused(self, data: bytes) -> str:
        """Returns why a file is refused."""
        with pytest.raises(SubmissionError) as raised:
            self.parse(data)
        return str(raised.value)

    def test_layout(self) -> None:
        """Through the limited child: segments, variables, where the image is."""
        segments = [seeds.segment(BASE), seeds.segment(BASE + 0x10000)]
        self.file.write_bytes(seeds.kernel(segments, {**KMEM, "outside": (0x100, 8)}))
        layout = elf.read_kernel(self.file, BASE, MEMORY, find_sandbox())
        assert layout.segments[0] == Segment(BASE, BASE, 4096, 8192)
        assert layout.variables == {"kmem": Variable(BASE + 0x100, 32)}
        assert layout.image == range(BASE, BASE + 0x12000)
        assert Layout().image == range(0)

    @pytest.mark.parametrize("base", [
        BASE - 4096, BASE + MEMORY - 4096, BASE + MEMORY, (1 << 64) - 4096,
    ], ids=hex)
    def test_too_little_memory(self, base: int) -> None:
        """Segments below, across the end of, and beyond memory; also with sizes that overflow."""
        self.file.write_bytes(seeds.kernel([seeds.segment(base)], {}))
        with pytest.raises(SubmissionError, match="does not fit into memory") as raised:
            elf.read_kernel(self.file, BASE, MEMORY, find_sandbox())
        assert raised.value.status == ""

    @pytest.mark.parametrize("data", [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x7fELF", id="magic number"),
        pytest.param(WHOLE[:63], id="beginning"),
        pytest.param(b"\xff" * 300, id="other file"),
        pytest.param(changed(WHOLE, e_machine=62), id="other machine"),
    ])
    def test_no_kernel(self, data: bytes) -> None:
        """Other files, other machines' files, and the beginning of one."""
        assert self.refused(data) == "what was linked is no ELF file for RISC-V"

    @pytest.mark.parametrize("fields", [
        {"e_phnum": 0}, {"e_phnum": 65}, {"e_phnum": 0xFFFF}, {"e_phentsize": 0},
        {"e_phentsize": 57}, {"e_phoff": len(WHOLE) - 8}, {"e_phoff": (1 << 64) - 1},
    ], ids=str)
    def test_segments(self, fields: dict[str, int]) -> None:
        """Numbers that cannot be loaded, and tables that are not there."""
        said = self.refused(changed(WHOLE, **fields))
        assert re.search(r"^the kernel has \d+ segments: 1 to 64 can be loaded$", said)

    @pytest.mark.parametrize("fields", [
        {"e_shnum": 0}, {"e_shnum": 0xFFFF}, {"e_shentsize": 0}, {"e_shoff": 1},
        {"e_shoff": (1 << 64) - 1}, {"e_shnum": 0xFFFF, "e_shentsize": 0},
    ], ids=str)
    def test_symbols_do_not_matter(self, fields: dict[str, int]) -> None:
        """Whatever is wrong with sections, segments are told, and no time is lost."""
        try:
            found = self.parse(changed(WHOLE, **fields))
        except SubmissionError as refused:  # pyelftools looks for the sections' names
            assert "no ELF file" in str(refused)
        else:
            assert len(list(found["segments"])) == 1  # type: ignore

    def test_many_symbols(self) -> None:
        """A table that says it is endless, and one whose names are."""
        table = struct.unpack_from("<Q", WHOLE, 40)[0]
        endless = bytearray(WHOLE)
        struct.pack_into("<Q", endless, table + 32, (1 << 64) - 1)  # its sh_size
        self.parse(bytes(endless))
        many = {f"v{i}": (BASE + i % 4096, 8) for i in range(2 * elf.VARIABLES_MAX)}
        found = self.parse(seeds.kernel([seeds.segment(BASE)], many))
        assert len(dict(found["variables"])) <= elf.VARIABLES_MAX  # type: ignore
        long = {"n" * 1000 + str(i): (BASE, 8) for i in range(1000)}
        found = self.parse(seeds.kernel([seeds.segment(BASE)], long))
        assert list(found["variables"]) == ["n" * elf.NAME_BYTES_MAX]  # type: ignore
