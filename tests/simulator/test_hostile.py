"""Files and guests that are damaged, random or hostile: the simulator says what is wrong, or runs
on, and never leaves its own memory."""
from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from products import product
from simulated import SANITIZED, built_with, execute, simulator

LITTLE = 300_000  # instructions
OPCODES = [0x03, 0x13, 0x17, 0x1B, 0x23, 0x2F, 0x33, 0x37, 0x3B, 0x63, 0x67, 0x6F, 0x73, 0x0F]
DEVICES = [0x100, 0x2000, 0xC000, 0xC002, 0xC201, 0x10000, 0x10001, 0x10002]
LOAD, STORE, ATOMIC = 0x03, 0x23, 0x2F
ACCESSES = (LOAD, STORE, ATOMIC)
MEMORY_PAGES = 512
SEEDS = range(40)


@pytest.fixture(scope="module", name="sanitized")
def build_sanitized() -> Iterator[str]:
    """Yields a simulator that notices wrong accesses and undefined behaviour."""
    simulator()
    with built_with(SANITIZED) as program:
        yield program


@pytest.mark.parametrize("words, complaint", [
    ([], "a kernel is needed"),
    (["a", "b", "c"], "a kernel is needed"),
    (["nowhere"], "nowhere: No such file or directory"),
    (["/"], "/: Is a directory"),
    (["KERNEL", "nowhere"], "nowhere: No such file or directory"),
    (["KERNEL", "--harts", "0"], "--harts 0: this must be a number from 1 to 8"),
    (["KERNEL", "--harts", "9"], "--harts 9: this must be a number from 1 to 8"),
    (["KERNEL", "--harts", "two"], "--harts two: this must be a number"),
    (["KERNEL", "--mem", "0"], "--mem 0: this must be a number from 1"),
    (["KERNEL", "--mem", "5G"], "--mem 5: this must be a number from 1 to 4"),
    (["KERNEL", "--mem", ""], "--mem : this must be a number of MiB"),
    (["KERNEL", "--mem", "1"], "does not lie in the machine's memory"),
    (["KERNEL", "--seed", "-1"], "--seed -1: this must be a number"),
    (["KERNEL", "--stop-at", "1x"], "--stop-at 1x: this must be a number"),
    (["KERNEL", "--input", "nowhere"], "nowhere: No such file or directory"),
    (["KERNEL", "--append", "x" * 20000], "the device tree does not fit"),
    (["KERNEL", "--disk-errors", "0"], "--disk-errors 0: this must be a number from 1"),
    (["KERNEL", "--power-loss-at", "5"], "losses of power need an image"),
    (["KERNEL", "--what"], "unrecognized option"),
    (["KERNEL", "--harts"], "requires an argument"),
])
def test_wrong_words_get_a_message(words: list[str], complaint: str, sanitized: str) -> None:
    """And status 2, before anything runs."""
    kernel = str(product("kernel/kernel"))
    status, said = execute(
        *[kernel if word == "KERNEL" else word for word in words], program=sanitized
    )
    assert status == 2 and complaint in said, said


def run_file(contents: bytes, folder: Path, program: str, *words: object) -> tuple[int, str]:
    """Runs a file for a little while."""
    file = folder / "kernel"
    file.write_bytes(contents)
    return execute(file, "--stop-at", LITTLE, *words, program=program)


def test_damaged_kernels_are_refused(sanitized: str, tmp_path: Path) -> None:
    """An ELF file that ends too early, or whose segments lie anywhere."""
    kernel = product("kernel/kernel").read_bytes()
    for size in (4, 20, 63, 64, 100, 4096, 20000):
        status, said = run_file(kernel[:size], tmp_path, sanitized)
        assert status == 2 and ": " in said, said
    for place in range(0, 64, 2):
        for value in (0, 0x7FFF, 0xFFFF):
            damaged = bytearray(kernel[:200000])
            struct.pack_into("<H", damaged, place, value)
            status, said = run_file(bytes(damaged), tmp_path, sanitized)
            assert status in (1, 2), said


def test_damaged_symbols_are_survived(sanitized: str, tmp_path: Path) -> None:
    """A kernel that runs, with sections and names that make no sense."""
    kernel = product("kernel/kernel").read_bytes()
    sections = struct.unpack_from("<Q", kernel, 40)[0]
    chance = random.Random(1)
    for _ in range(25):
        damaged = bytearray(kernel)
        for _ in range(30):
            place = chance.choice([chance.randrange(sections, len(kernel)), sections])
            place = min(place + chance.randrange(64 * 20), len(kernel) - 8)
            struct.pack_into("<Q", damaged, place, chance.choice([0, 1, 1 << 40, len(kernel)]))
        words: list[object] = ["--stop-at", 3000, "--stop-at", "cow_break", "--trace", "-"]
        status, said = run_file(bytes(damaged), tmp_path, sanitized, *words)
        assert status in (1, 2), said


# Sets a handler for what traps, which goes on after the instruction; if the trap was not there,
# anywhere in the program, with the counter of instructions as chance. Jumps over the handler.
BEGINNING = [
    0x00000F97, 0x010F8F93, 0x305F9073,  # auipc t6, 0; addi t6, t6, 16; csrw mtvec, t6
    0x0380006F,                          # j .+56
    0x34102FF3, 0x004F8F93,              # csrr t6, mepc; addi t6, t6, 4
    0x00000F17, 0x01FF4F33, 0x00EF5F13,  # auipc t5, 0; xor t5, t5, t6; srli t5, t5, 14
    0x000F0C63,                          # beqz t5, .+24
    0xB0202F73, 0x034F1F13, 0x032F5F13,  # csrr t5, minstret; slli t5, t5, 52; srli t5, t5, 50
    0x00000F97, 0x01EF8FB3,              # auipc t6, 0; add t6, t6, t5
    0x341F9073, 0x30200073,              # csrw mepc, t6; mret
]


def beginning(chance: random.Random) -> list[int]:
    """Returns the beginning of a program, which lets registers point to where pages or the memory
    end, and to devices."""
    words = list(BEGINNING)
    for register in range(16, 30):
        if chance.random() < 0.3:
            words.append(chance.choice(DEVICES) << 12 | register << 7 | 0x37)  # lui
        else:
            page = chance.choice([1, 2, 3, 4, MEMORY_PAGES - 1, MEMORY_PAGES])
            words.append(page << 12 | register << 7 | 0x17)  # auipc
            back = 4 * (len(words) - 1) + chance.choice([0, 0, 1, 2, 4, 8])
            words.append((-back & 0xFFF) << 20 | register << 15 | register << 7 | 0x13)
    return words


def random_instruction(chance: random.Random) -> int:
    """Returns an instruction, mostly of a kind that exists, which does not change those registers;
    accesses are mostly to where one of them points, or a little before."""
    word = chance.getrandbits(32)
    if chance.random() < 0.2:
        return word
    opcode = chance.choice(OPCODES)
    word = word & ~0x7F & ~(1 << 11) | opcode
    if opcode in ACCESSES and chance.random() < 0.8:
        word |= 1 << 19
        sign = chance.choice([0, 0x7F])
        word = word & 0x01FFFFFF | sign << 25
        if opcode == LOAD:
            word = word & ~(31 << 20) | chance.choice([0, 4, 8, 24, 28, 31]) << 20
    return word


def random_instructions(seed: int) -> bytes:
    """Returns a random program."""
    chance = random.Random(seed)
    words = beginning(chance)
    words += [random_instruction(chance) for _ in range(4000)]
    return struct.pack(f"<{len(words)}I", *words)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs_stay_inside(seed: int, sanitized: str, tmp_path: Path) -> None:
    """In machine mode on several harts, where nothing hinders them."""
    image = tmp_path / "disk"
    image.write_bytes(bytes(4096))
    status, said = run_file(
        random_instructions(seed), tmp_path, sanitized, image, "--harts", 1 + seed % 8, "--mem", 2
    )
    assert status in (0, 1) or "the guest has ended" in said, said
