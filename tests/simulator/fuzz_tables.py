"""Random programs for the fuzzer of the simulator: page tables, registers, and the records that the
guest (fuzz/guest.h) reads."""
from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field

from fuzz_code import MACHINE, SUPERVISOR, USER, Generator, Place

PAGE = 4096
RECORDS, CODE, DATA, TABLES = 0x80100000, 0x80800000, 0x80802000, 0x80A00000  # as in layout.h
MEMORY_START, MEMORY_END = 0x80000000, 0x81000000
CODE_PAGES, DATA_PAGES = 2, 8
V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))
SET_STATUS, SET_SATP = 1, 2  # instead of a change's address
STCE, SV39 = 1 << 63, 8 << 60
DELEGABLE, NEVER_DELEGATED = 0xB3FF, 1 << 9
ACCESS_FAULTS = 1 << 5 | 1 << 7
FETCH_FAULTS = 1 << 1 | 1 << 12
MPP_SHIFT = 11
STATUS = (1 << 1, 1 << 5, 1 << 7, 1 << 8, 1 << 18, 1 << 18, 1 << 19, 1 << 19)
TRAPPING = (1 << 20, 1 << 21, 1 << 22)  # of the supervisor's own instructions
MPRV = 1 << 17
CODE_VA, DATA_VA = 0x10000, 0x20000
SUPER_VA, SUPERPAGES = 0x200000, range(1, 7)
GIGA_VA = 0xC0000000  # also as physical addresses, there is nothing at these
DEVICE_PAGES = (0x02000000, 0x0C000000, 0x0C200000, 0x10000000)  # of 2 MiB
MASK = (1 << 64) - 1
EDGES = (
    0, 1, 2, 3, 7, 31, 32, 63, 64, MASK, MASK - 1, 1 << 31, (1 << 31) - 1, 1 << 63, (1 << 63) - 1,
    MASK - (1 << 31) + 1, 0xFFFFFFFF, 1 << 32, 0x5555555555555555, 0x80, 0x8000, 0xFF, 0xFFFF,
)


def page_bits(entry: int) -> int:
    """Returns the entry, with a bit that no table has if it would name one: what it names is none,
    and its entries could be anything."""
    return entry if entry & (R | W | X | A | D | U) else entry | A


@dataclass
class Program:
    """What one record says."""

    number: int
    privilege: int
    pc: int
    csrs: list[int]  # from mstatus to satp, in the order of guest.h
    code_offset: int
    words: list[int]
    registers: list[int]
    patches: list[tuple[int, int]] = field(default_factory=list)
    changes: list[tuple[int, int]] = field(default_factory=list)

    def record(self, is_shown: bool) -> bytes:
        """Returns its bytes, as the guest reads them."""
        code = struct.pack(f"<{len(self.words)}I", *self.words)
        code += bytes(-len(code) % 8)
        numbers = [
            self.number, int(is_shown), self.privilege, self.pc, *self.csrs, self.code_offset,
            4 * len(self.words), len(self.patches), len(self.changes), *self.registers,
            *(number for pair in self.patches + self.changes for number in pair),
        ]
        size = 8 * (len(numbers) + 1) + len(code)
        return struct.pack(f"<{len(numbers) + 1}Q", size, *numbers) + code


class Tables:
    """Two page tables that differ in part."""

    def __init__(self, chance: random.Random, privilege: int) -> None:
        self.chance = chance
        self.user = U if privilege == USER else 0
        self.entries: dict[int, int] = {}
        for number in range(2):
            self.make(number)

    @staticmethod
    def place(number: int, level: int, index: int) -> int:
        """Returns where an entry of a table is."""
        page = number if level == 2 else 4 * (number + 1) - 2 + (1 - level)
        return TABLES + PAGE * page + 8 * index

    def make(self, number: int) -> None:
        """Fills a table: code, data, superpages of both sizes, devices."""
        self.put(number, 2, 511, MEMORY_START, V | R | X | G | A)  # the handler of guest.h
        self.put(number, 2, 0, self.place(number, 1, 0), V)
        self.put(number, 1, 0, self.place(number, 0, 0), V)
        for index in range(CODE_PAGES):
            bits = V | R | X | self.user | self.some(W, A, D, G)
            if index == 1:
                bits = self.spoilt(bits)
            self.put(number, 0, CODE_VA // PAGE + index, CODE + PAGE * index, bits)
        for index in range(16):
            page = DATA + PAGE * self.chance.randrange(DATA_PAGES)
            self.put(number, 0, DATA_VA // PAGE + index, page, self.leaf())
        for index in SUPERPAGES:
            self.put(number, 1, index, CODE, self.leaf())
        self.put(number, 2, GIGA_VA >> 30, MEMORY_START, self.leaf())
        identity = V | R | W | X | self.some(A, D, G, U)
        self.put(number, 2, MEMORY_START >> 30, MEMORY_START, identity)
        for address in DEVICE_PAGES:
            bits = V | R | W | self.user | self.some(A, D)
            self.put(number, 1, address >> 21, address, bits)
        self.spoil(number)

    def put(self, number: int, level: int, index: int, target: int, bits: int) -> None:
        """Writes an entry."""
        self.entries[self.place(number, level, index)] = target >> 2 | bits

    def spoil(self, number: int) -> None:
        """Makes some entries odd: misaligned superpages, tables with the bits of pages, addresses
        behind the end of memory, reserved bits."""
        for _ in range(self.chance.randrange(4)):
            level = self.chance.randrange(2)
            index = self.chance.choice(SUPERPAGES if level else range(32, 48))
            place = self.place(number, level, index)
            odd = (
                self.entries[place] | 1 << 10, page_bits(CODE >> 2 | V | self.some(A, D, U)),
                MEMORY_END >> 2 | V | R | W | X | A | D | self.user,
                self.entries[place] | 1 << self.chance.randrange(54, 64),
                self.entries[place] | 1 << self.chance.randrange(40, 53),
                self.place(number, 0, 0) >> 2 | V,
            )
            self.entries[place] = self.chance.choice(odd)

    def some(self, *bits: int) -> int:
        """Returns some of the bits."""
        return sum(bit for bit in bits if self.chance.random() < 0.5)

    def spoilt(self, bits: int) -> int:
        """Returns the bits, in one of five cases without one. With U instead, QEMU would execute
        what the supervisor has just written, against the specification."""
        return bits ^ self.chance.choice((V, X)) if self.chance.random() < 0.2 else bits

    def leaf(self) -> int:
        """Returns the bits of a page: mostly valid, and for the mode in which the program runs."""
        if self.chance.random() < 0.1:
            return page_bits(self.chance.getrandbits(8))
        rights = self.chance.choice((R, R | W, R | W, R | W, R | X, X, R | W | X, W, W | X))
        owner = self.user if self.chance.random() < 0.75 else self.user ^ U
        return V | rights | owner | self.some(A, D, G) | self.chance.getrandbits(2) << 8

    def satp(self, number: int) -> int:
        """Returns the register's value for a table."""
        return SV39 | self.chance.getrandbits(3) << 44 | self.place(number, 2, 0) // PAGE

    def change(self) -> tuple[int, int]:
        """Returns a change of an entry, or of something else."""
        choice = self.chance.random()
        if choice < 0.2:
            return SET_STATUS, self.some(*STATUS[4:], *TRAPPING)
        if choice < 0.35:
            return SET_SATP, self.satp(self.chance.randrange(2))
        places = [place for place in self.entries if self.is_changed(place)]
        place = self.chance.choice(places)
        old = self.entries[place]
        new = self.chance.choice((old ^ self.chance.getrandbits(8), old & ~0xFF | self.leaf()))
        return place, page_bits(new)

    def is_changed(self, place: int) -> bool:
        """Tells whether a program's calls may change an entry: one of data."""
        index = place % PAGE // 8
        level0 = self.place(0, 0, 0) <= place < self.place(0, 0, 512)
        is_root = place < TABLES + 2 * PAGE
        return index in range(32, 48) if level0 else index in SUPERPAGES and not is_root


def near(chance: random.Random, start: int, pages: int) -> int:
    """Returns an address in these pages, often where one begins or ends."""
    page = start + PAGE * chance.randrange(pages)
    offsets = (0, 8, PAGE - 8, PAGE - 4, PAGE - 1, 0x800, chance.randrange(PAGE))
    return page + chance.choice(offsets)


def pointer(chance: random.Random, is_translated: bool) -> int:
    """Returns an address for a register."""
    odd = (MEMORY_END - 8, MEMORY_END, MEMORY_END - 3, 0x20000000000, 1 << 39, 1 << 38, MASK - 4095,
           1 << 63, 0x81234567, 0)
    if chance.random() < 0.06:
        return chance.choice(odd)
    if not is_translated or chance.random() < 0.05:
        return near(chance, DATA + PAGE, DATA_PAGES - 1)
    choice = chance.random()
    inside = near(chance, DATA + PAGE, DATA_PAGES - 1) - CODE
    if choice < 0.7:
        return near(chance, DATA_VA, 16)
    if choice < 0.85:
        return SUPER_VA * chance.choice(SUPERPAGES) + inside
    return GIGA_VA + CODE - MEMORY_START + inside


def make_program(number: int, slots: int = 120) -> Program:
    """Returns the program with that number: the same each time."""
    chance = random.Random(number)
    privilege = chance.choice((MACHINE, MACHINE, SUPERVISOR, SUPERVISOR, USER))
    lower = chance.choice((SUPERVISOR, USER)) if privilege == MACHINE else privilege
    tables = Tables(chance, lower)
    is_bare = chance.random() < (0.5 if privilege == MACHINE else 0.1)
    sees_tables = not is_bare and (privilege != MACHINE or chance.random() < 0.5)
    satp = 0 if is_bare else tables.satp(0)
    offset = chance.choice((0, 2, PAGE - 38, PAGE - 40, PAGE - 60, PAGE - 98))
    registers = [chance.choice((*EDGES, chance.getrandbits(64))) for _ in range(31)]
    for register in range(16, 28):
        registers[register - 1] = pointer(chance, sees_tables)
    registers[28] = DATA + 64
    registers[29:31] = [tables.satp(0), tables.satp(1)]
    pointers = (2, *range(16, 28), *range(16, 28))
    has_mprv = not is_bare and privilege == MACHINE
    place = Place(
        privilege, pointers, () if is_bare else (30, 31), has_mprv, 29 if is_bare else 0
    )
    is_physical = is_bare or privilege == MACHINE
    return Program(
        number, privilege, (CODE if is_physical else CODE_VA) + offset,
        start_csrs(chance, tables, privilege, satp), offset,
        Generator(chance, place).code(slots), registers, list(tables.entries.items()),
        [tables.change() for _ in range(8)] if satp else [],
    )


def start_csrs(chance: random.Random, tables: Tables, privilege: int, satp: int) -> list[int]:
    """Returns the values of the control registers, from mstatus to satp."""
    status = privilege << MPP_SHIFT | tables.some(*STATUS)
    if chance.random() < 0.15:
        status |= tables.some(*TRAPPING)
    if privilege == MACHINE and satp and chance.random() < 0.5:
        status |= MPRV
    never = NEVER_DELEGATED | (FETCH_FAULTS if privilege == MACHINE or not satp else 0)
    medeleg = chance.getrandbits(16) & DELEGABLE & ~never if chance.random() < 0.6 else 0
    medeleg |= ACCESS_FAULTS if medeleg & ACCESS_FAULTS else 0  # QEMU takes one for the other
    mideleg = chance.getrandbits(12) & 0x222
    return [
        status, medeleg, mideleg, chance.getrandbits(12) & 0xAAA, chance.getrandbits(12) & 0x222,
        chance.getrandbits(3), chance.getrandbits(3), tables.some(STCE, 1), satp,
    ]
