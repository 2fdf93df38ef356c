"""Random instructions for the fuzzer of the simulator: RV64IMAC, Zicsr and Zifencei.

A program is a row of slots of 4 bytes, each with an instruction or with two compressed ones, so
that after a trap it goes on at the next slot. x1 to x15 hold data. x16 to x31 hold addresses and
values for control registers, and few instructions change them.
"""
from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MACHINE, SUPERVISOR, USER = 3, 1, 0

LOAD, FENCE, OP_IMM, AUIPC, OP_IMM_32 = 0x03, 0x0F, 0x13, 0x17, 0x1B
STORE, AMO, OP, LUI, OP_32 = 0x23, 0x2F, 0x33, 0x37, 0x3B
BRANCH, JALR, JAL, SYSTEM = 0x63, 0x67, 0x6F, 0x73
EBREAK, ECALL, MRET, SRET, WFI = 0x00100073, 0x00000073, 0x30200073, 0x10200073, 0x10500073
FENCE_I, SFENCE = 0x0000100F, 0x12000073
LR, SC = 2, 3
ATOMICS = (0, 1, 4, 8, 12, 16, 20, 24, 28)
C_EBREAK = 0x9002

# Control registers by number: who may write them, and which bits a program changes there. The other
# bits are the implementation's choice, and QEMU's differs from the simulator's.
MSTATUS, MEDELEG, MIDELEG, MIE, MIP, SATP = 0x300, 0x302, 0x303, 0x304, 0x344, 0x180
SSTATUS, SIE, SIP, STVEC, SSCRATCH, SEPC = 0x100, 0x104, 0x144, 0x105, 0x140, 0x141
SCAUSE, STVAL, SCOUNTEREN, SENVCFG, MEPC = 0x142, 0x143, 0x106, 0x10A, 0x341
MCAUSE, MTVAL, MCOUNTEREN, MENVCFG, MTVEC = 0x342, 0x343, 0x306, 0x30A, 0x305
STIMECMP = 0x14D
FREE = (SSCRATCH, SCAUSE, STVAL, MCAUSE, MTVAL)
ONLY_READ = (0x301, 0xF11, 0xF13, 0xF14, 0xF15, STVEC, SEPC, SATP, MSTATUS, SSTATUS, SIE, SIP)
COUNTERS = (0xC00, 0xC01, 0xC02)
NOWHERE = (0x000, 0x001, 0x003, 0x015, 0x200, 0x280, 0x5A8, 0x680, 0x7C0, 0xE00, 0xFFF)
SMALL = {  # of values that `lui` and `addi` can make
    MSTATUS: (0x20000, 0x20800, 0x800, 0x40000, 0x80000, 0xC0000, 0x2, 0x8, 0x100,
              0x200000, 0x400000, 0x600000, 0xE0800, 0xE0000, 0xA0),
    SSTATUS: (0x40000, 0x80000, 0xC0000, 0x2, 0x20, 0x100),
    MEDELEG: (0x1, 0x4, 0x8, 0x10, 0x50, 0xA0, 0x100, 0x2000, 0x8000, 0xA0F0),
    MIDELEG: (0x2, 0x20, 0x200, 0x222),
    MIE: (0x2, 0x8, 0x20, 0x80, 0x200, 0x800, 0xAAA),
    MIP: (0x2, 0x20, 0x200, 0x222),
    SIE: (0x2, 0x20, 0x200, 0x222),
    SIP: (0x2,),
    MCOUNTEREN: (1, 2, 4, 7),
    SCOUNTEREN: (1, 2, 4, 7),
    SENVCFG: (1,),
}
DEVICES = (  # address, and values that are written there, all in 4 bytes
    (0x02000000, (0, 1, 2, 3)), (0x02004000, (0x7FFFFFFF,)), (0x02004004, (0x7FFFFFFF,)),
    (0x0C000028, (0, 1, 5, 7, 8)), (0x0C000004, (0, 3, 7)), (0x0C000000, (1,)),
    (0x0C002000, (0, 0x400, 0x402, 0x7FFFFFFE)), (0x0C002080, (0, 0x400, 0x7FE)),
    (0x0C200000, (0, 1, 6, 7)), (0x0C201000, (0, 4, 7)), (0x0C200004, (10, 0, 3)),
    (0x0C201004, (10, 0)), (0x0C001000, (0x7FF,)),
)
DEVICES_READ = (
    0x02000000, 0x0200BFF0, 0x0C000028, 0x0C001000, 0x0C002000, 0x0C002080, 0x0C200000,
    0x0C201000, 0x0C200004, 0x0C201004, 0x10001000, 0x10001004, 0x10001008, 0x1000100C,
    0x10001010, 0x10008000, 0x10008008, 0x00100000,
)
UART_BYTES = (  # without interrupts: when they come depends on what has been printed
    (0x10000007, (0, 0x55, 0xFF)), (0x10000003, (3, 0x83, 0x1B)), (0x10000001, (0, 1, 4, 5)),
)
DATA_REGISTERS, ADDRESS_REGISTERS, FIRST_KEPT = range(1, 16), range(16, 32), 28
CONSTANT = 28  # for what control registers and devices get, and for the addresses of those
LINKS = (0, 1, 3, 4)  # for addresses of code: registers that compressed accesses do not use


@dataclass(frozen=True)
class Place:
    """What the generator may assume about the program."""

    privilege: int
    pointers: tuple[int, ...]  # registers that point to memory, perhaps to forbidden places
    tables: tuple[int, ...]  # registers with values for satp
    has_mprv: bool  # QEMU does not translate accesses to a page from which machine mode executes
    sure: int  # a register that points to memory that can always be read and written; or 0


def i_type(opcode: int, kind: int, rd: int, rs1: int, immediate: int) -> int:
    """Returns an instruction with an immediate operand."""
    return (immediate & 0xFFF) << 20 | rs1 << 15 | kind << 12 | rd << 7 | opcode


def s_type(kind: int, rs1: int, rs2: int, immediate: int) -> int:
    """Returns a store."""
    high, low = immediate >> 5 & 0x7F, immediate & 31
    return high << 25 | rs2 << 20 | rs1 << 15 | kind << 12 | low << 7 | STORE


def r_type(opcode: int, kind: int, flags: int, registers: tuple[int, int, int]) -> int:
    """Returns an instruction with three registers: rd, rs1, rs2."""
    rd, rs1, rs2 = registers
    return flags << 25 | rs2 << 20 | rs1 << 15 | kind << 12 | rd << 7 | opcode


def amo(kind: int, is_double: bool, registers: tuple[int, int, int], order: int = 0) -> int:
    """Returns an atomic instruction."""
    return r_type(AMO, 3 if is_double else 2, kind << 2 | order, registers)


def branch(kind: int, rs1: int, rs2: int, distance: int) -> int:
    """Returns a branch over less than 2 KiB."""
    sign = 1 if distance < 0 else 0
    return s_type(kind, rs1, rs2, distance & 0x7FE | sign << 11 | sign) & ~0x7F | BRANCH


def load_constant(rd: int, value: int) -> list[int]:
    """Returns two instructions that load 32 bits, with their sign."""
    low = (value & 0xFFF) - ((value & 0x800) << 1)
    return [(value - low) & 0xFFFFF000 | rd << 7 | LUI, i_type(OP_IMM_32, 0, rd, rd, low)]


class Generator:
    """Makes slots, one group after the other."""

    def __init__(self, chance: random.Random, place: Place) -> None:
        self.chance, self.place = chance, place
        self.is_machine = place.privilege == MACHINE  # until it goes down
        self.kinds: Sequence[tuple[int, Callable[[], list[int]]]] = (
            (20, self.arithmetic), (14, self.immediate), (18, self.access), (6, self.atomic),
            (8, self.control), (9, self.compressed), (4, self.jump), (4, self.any_word),
            (3, self.upper), (3, self.reserve), (2, self.device), (3, self.go_down),
            (3, self.call), (2, self.fence), (2, self.point), (1, self.counter),
            (1, self.write_code), (1, self.wait), (2, self.other_table),
        )

    def code(self, slots: int) -> list[int]:
        """Returns a program, which ends with a breakpoint."""
        weights = [weight for weight, _ in self.kinds]
        words: list[int] = []
        while len(words) < slots:
            _, make = self.chance.choices(self.kinds, weights)[0]
            words += make()
        return words + [EBREAK] * 4

    def data(self) -> int:
        """Returns a register for data, sometimes x0."""
        return self.chance.choice((0, *DATA_REGISTERS, *DATA_REGISTERS))

    def source(self) -> int:
        """Returns any register, mostly one for data."""
        return self.chance.choice((*DATA_REGISTERS, *DATA_REGISTERS, *range(32)))

    def pointer(self) -> int:
        """Returns a register for an access."""
        if self.chance.random() < 0.04 and not self.place.has_mprv:
            return self.chance.choice(DATA_REGISTERS)
        return self.chance.choice(self.place.pointers)

    def offset(self) -> int:
        """Returns a 12-bit offset: often small, aligned or at an end."""
        choice = self.chance.random()
        if choice < 0.4:
            return self.chance.choice((0, 0, 0, 8, 16, -8, 4, -4))
        if choice < 0.7:
            return self.chance.randint(-9, 9)
        return self.chance.choice((2047, -2048, self.chance.randint(-2048, 2047)))

    def arithmetic(self) -> list[int]:
        """Operations on registers."""
        opcode = self.chance.choice((OP, OP, OP_32))
        kind, flags = self.chance.randrange(8), self.chance.choice((0, 1, 1, 0x20))
        if flags == 0x20:
            kind = self.chance.choice((0, 5))
        return [r_type(opcode, kind, flags, (self.data(), self.source(), self.source()))]

    def immediate(self) -> list[int]:
        """Operations with an immediate operand."""
        opcode, kind = self.chance.choice((OP_IMM, OP_IMM, OP_IMM_32)), self.chance.randrange(8)
        if opcode == OP_IMM_32:
            kind = self.chance.choice((0, 1, 5))
        value = self.chance.choice((self.offset(), self.chance.randrange(4096)))
        if kind in (1, 5):
            value = self.chance.randrange(64 if opcode == OP_IMM else 32)
            value |= 0x400 if kind == 5 and self.chance.random() < 0.5 else 0
        return [i_type(opcode, kind, self.data(), self.source(), value)]

    def upper(self) -> list[int]:
        """lui and auipc."""
        opcode = self.chance.choice((LUI, AUIPC))
        return [self.chance.getrandbits(20) << 12 | self.chance.choice(LINKS) << 7 | opcode]

    def access(self) -> list[int]:
        """Loads and stores."""
        if self.chance.random() < 0.55:
            kind = self.chance.randrange(7)
            return [i_type(LOAD, kind, self.data(), self.pointer(), self.offset())]
        return [s_type(self.chance.randrange(4), self.pointer(), self.source(), self.offset())]

    def atomic(self) -> list[int]:
        """Atomic operations; often at an aligned place."""
        kind, is_double = self.chance.choice(ATOMICS), self.chance.random() < 0.5
        address = self.chance.choice(self.place.pointers)
        words = []
        if self.chance.random() < 0.7:  # otherwise the address is often not aligned
            address = self.chance.choice((5, 6, 7))
            words = [i_type(OP_IMM, 7, address, self.chance.choice(self.place.pointers), -8)]
        registers = (self.data(), address, self.source())
        return [*words, amo(kind, is_double, registers, self.chance.randrange(4))]

    def reserve(self) -> list[int]:
        """A load-reserved and a store-conditional, again until that has succeeded: the simulator
        lets it fail where the hart's turn ends."""
        is_double, sure = self.chance.random() < 0.5, self.place.sure
        if not sure:
            return []
        words = [i_type(OP_IMM, 7, sure, sure, -8)]
        words += [amo(LR, is_double, (self.data(), sure, 0), self.chance.randrange(4))]
        if self.chance.random() < 0.5:
            words += [i_type(OP_IMM, 0, 3, 3, 1)]
        words += [amo(SC, is_double, (6, sure, self.chance.randrange(7, 16)))]
        return words + [branch(1, 6, 0, -4 * (len(words) - 1))]

    def control(self) -> list[int]:
        """Control registers."""
        if self.chance.random() < 0.35:
            number = self.chance.choice((*ONLY_READ, *NOWHERE, *FREE, *SMALL))
            mask = {MIP: 0, SIP: 0, MEDELEG: 0, MIDELEG: 0, MIE: 0, SIE: 0, MCOUNTEREN: 0,
                    SCOUNTEREN: 0}.get(number, 1)  # read, but only to see if that is allowed
            return [i_type(SYSTEM, 2, self.data() * mask, 0, number)]
        if self.chance.random() < 0.3:
            kind, number = self.chance.choice((1, 2, 3, 5, 6, 7)), self.chance.choice(FREE)
            return [i_type(SYSTEM, kind, self.data(), self.source(), number)]
        number, values = self.chance.choice(list(SMALL.items()))
        kind = self.chance.choice((1, 2, 3) if number not in (MSTATUS, SSTATUS) else (2, 3))
        words = load_constant(CONSTANT, self.chance.choice(values))
        return [*words, i_type(SYSTEM, kind, 0, CONSTANT, number)]

    def counter(self) -> list[int]:
        """A counter, whose value is not kept, as it is another one in QEMU."""
        return [i_type(SYSTEM, 2, 0, 0, self.chance.choice(COUNTERS))]

    def compressed(self) -> list[int]:
        """Two compressed instructions."""
        return [self.half() | self.half() << 16]

    def half(self) -> int:
        """Returns a compressed instruction, of any kind, but not back in the program."""
        while True:
            bits = self.chance.getrandbits(16)
            kind = bits >> 13
            distance = bits & (0x1FFC if kind == 5 else 0x1C7C)
            is_back = bits & 3 == 1 and kind in (5, 6, 7) and (bits >> 12 & 1 or not distance)
            has_result = kind < 4 if bits & 3 == 1 else kind < 5 and bits & 3 == 2
            is_kept = has_result and bits >> 7 & 31 >= FIRST_KEPT
            if bits & 3 != 3 and not is_back and not is_kept and bits != C_EBREAK:
                return bits

    def jump(self) -> list[int]:
        """A branch or a jump, not back, and what it jumps over: to the first instruction of what
        comes next, or to the second half of a slot."""
        over = [self.immediate()[0] for _ in range(self.chance.choice((0, 1, 1, 2, 9)))]
        distance, choice = 4 + 4 * len(over), self.chance.random()
        if self.chance.random() < 0.3:
            over += self.compressed()
            distance += 2
        link = self.chance.choice(LINKS)
        if choice < 0.7:
            kind = self.chance.choice((0, 1, 4, 5, 6, 7))
            return [branch(kind, self.source(), self.source(), distance), *over]
        if choice < 0.85:
            return [distance << 20 | link << 7 | JAL, *over]
        if choice < 0.87:
            return [i_type(JALR, 0, link, self.source(), self.offset())]
        odd = self.chance.randrange(2)
        return [6 << 7 | AUIPC, i_type(JALR, 0, link, 6, distance + 4 | odd), *over]

    def any_word(self) -> list[int]:
        """Any instruction that does not go back, wait, or use a control register."""
        while True:
            word = self.chance.getrandbits(32) | 3
            opcode = word & 0x7F
            if opcode in (BRANCH, JAL) and word >> 31 or opcode in (AMO, LOAD, STORE):
                continue
            if opcode == SYSTEM and (word >> 12 & 3 or word in (EBREAK, WFI, MRET, SRET)):
                continue
            if word >> 7 & 31 not in ADDRESS_REGISTERS:
                return [word]

    def point(self) -> list[int]:
        """Lets registers that compressed instructions use point somewhere, or moves a pointer."""
        target = self.chance.choice((2, 8, 9, 10, 11))
        return [i_type(OP_IMM, 0, target, self.chance.choice(self.place.pointers), self.offset())]

    def device(self) -> list[int]:
        """A register of a device, by its physical address."""
        into, uart = self.chance.randrange(7, 16), self.chance.random() < 0.3
        address, values = self.chance.choice(UART_BYTES if uart else DEVICES)
        if not uart and self.chance.random() < 0.5:
            address, values = self.chance.choice(DEVICES_READ), ()
        offset = (address & 0xFFF) - ((address & 0x800) << 1)
        words = [address - offset | CONSTANT << 7 | LUI]
        if values:
            words = load_constant(7, self.chance.choice(values)) + words
            words += [s_type(0 if uart else 2, CONSTANT, 7, offset)]
        else:
            words += [i_type(LOAD, 2, into, CONSTANT, offset)]
        if uart:
            words += [i_type(LOAD, 4, into, CONSTANT, self.chance.choice((7, 3)))]
        return [*words, CONSTANT << 7 | LUI]

    def go_down(self) -> list[int]:
        """mret or sret to the instruction behind it, in another mode perhaps."""
        self.is_machine = False
        number, back = self.chance.choice(((MEPC, MRET), (SEPC, SRET)))
        words = [6 << 7 | AUIPC, i_type(OP_IMM, 0, 6, 6, 16)]
        return [*words, i_type(SYSTEM, 1, 0, 6, number), back]

    def call(self) -> list[int]:
        """A call, for which a page table or something else changes."""
        return [ECALL]

    def fence(self) -> list[int]:
        """Fences of all kinds."""
        registers = (0, self.chance.choice((0, *self.place.pointers)), self.chance.randrange(16))
        translation = r_type(SYSTEM, 0, 9, registers)
        any_fence = self.chance.getrandbits(12) << 20 | FENCE
        return [self.chance.choice((FENCE_I, translation, any_fence))]

    def write_code(self) -> list[int]:
        """Replaces an instruction that comes next."""
        if self.place.has_mprv:
            return []
        new = i_type(OP_IMM, 0, self.data(), self.source(), self.offset())
        words = [6 << 7 | AUIPC, *load_constant(7, new)]
        return [*words, s_type(2, 6, 7, 20), FENCE_I, *self.immediate()]

    def wait(self) -> list[int]:
        """wfi, which only a machine with an interrupt leaves, unless it is forbidden."""
        if self.place.privilege == USER:
            return [WFI]
        if not self.is_machine:
            return []
        off, on = i_type(SYSTEM, 7, 0, 8, MSTATUS), (MIE, MIP)
        return [off, *(i_type(SYSTEM, 6, 0, 2, number) for number in on), WFI]

    def other_table(self) -> list[int]:
        """Another page table, or another address space in it."""
        if not self.place.tables:
            return []
        return [i_type(SYSTEM, 1, 0, self.chance.choice(self.place.tables), SATP), SFENCE]
