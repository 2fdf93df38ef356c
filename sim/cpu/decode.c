// Instructions of 32 bits: RV64IMA, Zicsr, Zifencei and the privileged ones.
#include "cpu/decode.h"

// Bits 6 to 2.
enum opcode {
    LOAD = 0,
    MISC_MEM = 3,
    OP_IMM = 4,
    AUIPC = 5,
    OP_IMM_32 = 6,
    STORE = 8,
    AMO = 11,
    OP = 12,
    LUI = 13,
    OP_32 = 14,
    BRANCH = 24,
    JALR = 25,
    JAL = 27,
    SYSTEM = 28,
};

struct operation illegal(uint32_t bits) {
    if (is_compressed(bits))
        return (struct operation){.code = OP_ILLEGAL, .bytes = 2, .immediate = bits & 0xffff};
    return (struct operation){.code = OP_ILLEGAL, .bytes = 4, .immediate = (int32_t)bits};
}

static uint32_t field(uint32_t bits, unsigned low, unsigned width) {
    return bits >> low & ((1u << width) - 1);
}

// ---- Immediate operands ----

static int32_t immediate_i(uint32_t bits) {
    return (int32_t)bits >> 20;
}

static int32_t immediate_s(uint32_t bits) {
    return (immediate_i(bits) & ~31) | (int32_t)field(bits, 7, 5);
}

static int32_t immediate_b(uint32_t bits) {
    return (immediate_s(bits) & ~0x801) | (int32_t)field(bits, 7, 1) << 11;
}

static int32_t immediate_u(uint32_t bits) {
    return bits & 0xfffff000;
}

static int32_t immediate_j(uint32_t bits) {
    uint32_t low = field(bits, 12, 8) << 12 | field(bits, 20, 1) << 11 | field(bits, 21, 10) << 1;
    return (immediate_i(bits) & ~0xfffff) | (int32_t)low;
}

static int32_t immediate_of(uint32_t bits) {
    switch (field(bits, 2, 5)) {
    case STORE:
        return immediate_s(bits);
    case BRANCH:
        return immediate_b(bits);
    case AUIPC:
    case LUI:
        return immediate_u(bits);
    case JAL:
        return immediate_j(bits);
    }
    return immediate_i(bits);
}

// ---- Tables by funct3; 0 is where there is no instruction ----

static const uint8_t loads[8] = {OP_LB, OP_LH, OP_LW, OP_LD, OP_LBU, OP_LHU, OP_LWU};
static const uint8_t stores[8] = {OP_SB, OP_SH, OP_SW, OP_SD};
static const uint8_t branches[8] = {OP_BEQ, OP_BNE, 0, 0, OP_BLT, OP_BGE, OP_BLTU, OP_BGEU};
static const uint8_t with_immediate[8] = {
    OP_ADDI, OP_SLLI, OP_SLTI, OP_SLTIU, OP_XORI, OP_SRLI, OP_ORI, OP_ANDI,
};
static const uint8_t with_register[8] = {
    OP_ADD, OP_SLL, OP_SLT, OP_SLTU, OP_XOR, OP_SRL, OP_OR, OP_AND,
};
static const uint8_t products[8] = {
    OP_MUL, OP_MULH, OP_MULHSU, OP_MULHU, OP_DIV, OP_DIVU, OP_REM, OP_REMU,
};
static const uint8_t words[8] = {OP_ADDW, OP_SLLW, 0, 0, 0, OP_SRLW};
static const uint8_t word_products[8] = {OP_MULW, 0, 0, 0, OP_DIVW, OP_DIVUW, OP_REMW, OP_REMUW};

// By bits 31 to 27.
static const uint8_t atomics[32] = {
    [0] = OP_AMOADD,  [1] = OP_AMOSWAP,  [2] = OP_LR,       [3] = OP_SC,
    [4] = OP_AMOXOR,  [8] = OP_AMOOR,    [12] = OP_AMOAND,  [16] = OP_AMOMIN,
    [20] = OP_AMOMAX, [24] = OP_AMOMINU, [28] = OP_AMOMAXU,
};

// ---- Opcodes; each returns the code, 0 if there is no such instruction ----

// Operations on registers: bits 31 to 25 choose the table, and 0x20 the other kind of two rows.
static uint8_t register_code(uint32_t bits, bool is_word) {
    uint32_t kind = field(bits, 12, 3);
    switch (field(bits, 25, 7)) {
    case 0:
        return is_word ? words[kind] : with_register[kind];
    case 1:
        return is_word ? word_products[kind] : products[kind];
    case 0x20:
        if (kind == 0)
            return is_word ? OP_SUBW : OP_SUB;
        if (kind == 5)
            return is_word ? OP_SRAW : OP_SRA;
    }
    return 0;
}

// Operations with an immediate operand. A shift has a shorter one, and a flag beside it.
static uint8_t immediate_code(uint32_t bits, int32_t *immediate) {
    uint32_t kind = field(bits, 12, 3), flags = field(bits, 26, 6);
    if (kind != 1 && kind != 5)
        return with_immediate[kind];
    *immediate = field(bits, 20, 6);
    if (kind == 5 && flags == 0x10)
        return OP_SRAI;
    return flags == 0 ? with_immediate[kind] : 0;
}

static uint8_t word_immediate_code(uint32_t bits, int32_t *immediate) {
    uint32_t kind = field(bits, 12, 3), flags = field(bits, 25, 7);
    if (kind == 0)
        return OP_ADDIW;
    *immediate = field(bits, 20, 5);
    if (kind == 5 && flags == 0x20)
        return OP_SRAIW;
    if (flags != 0)
        return 0;
    return kind == 1 ? OP_SLLIW : kind == 5 ? OP_SRLIW : 0;
}

static uint8_t atomic_code(uint32_t bits, int32_t *immediate) {
    uint32_t width = field(bits, 12, 3);
    uint8_t code = atomics[field(bits, 27, 5)];
    *immediate = field(bits, 25, 2) | (width == 3 ? ATOMIC_DOUBLE : 0);
    if ((width != 2 && width != 3) || (code == OP_LR && field(bits, 20, 5) != 0))
        return 0;
    return code;
}

// Instructions without operands, and sfence.vma.
static uint8_t privileged_code(uint32_t bits) {
    if (field(bits, 25, 7) == 9 && field(bits, 7, 5) == 0)
        return OP_SFENCE_VMA;
    switch (bits) {
    case 0x00000073:
        return OP_ECALL;
    case 0x00100073:
        return OP_EBREAK;
    case 0x10200073:
        return OP_SRET;
    case 0x10500073:
        return OP_WFI;
    case 0x30200073:
        return OP_MRET;
    }
    return 0;
}

static uint8_t system_code(uint32_t bits, int32_t *immediate) {
    static const uint8_t csr[4] = {0, OP_CSRRW, OP_CSRRS, OP_CSRRC};
    uint32_t kind = field(bits, 12, 3);
    if (kind == 0)
        return privileged_code(bits);
    *immediate = field(bits, 20, 12) | (kind & 4 ? CSR_IMMEDIATE : 0);
    return csr[kind & 3];
}

static uint8_t fence_code(uint32_t bits) {
    switch (field(bits, 12, 3)) {
    case 0:
        return bits == 0x0100000f ? OP_PAUSE : OP_FENCE;
    case 1:
        return OP_FENCE_I;
    }
    return 0;
}

static uint8_t code_of(uint32_t bits, int32_t *immediate) {
    uint32_t kind = field(bits, 12, 3);
    switch (field(bits, 2, 5)) {
    case LOAD:
        return loads[kind];
    case MISC_MEM:
        return fence_code(bits);
    case OP_IMM:
        return immediate_code(bits, immediate);
    case AUIPC:
        return OP_AUIPC;
    case OP_IMM_32:
        return word_immediate_code(bits, immediate);
    case STORE:
        return stores[kind];
    case AMO:
        return atomic_code(bits, immediate);
    case OP:
        return register_code(bits, false);
    case LUI:
        return OP_LUI;
    case OP_32:
        return register_code(bits, true);
    case BRANCH:
        return branches[kind];
    case JALR:
        return kind == 0 ? OP_JALR : 0;
    case JAL:
        return OP_JAL;
    case SYSTEM:
        return system_code(bits, immediate);
    }
    return 0;
}

struct operation decode(uint32_t bits) {
    if (is_compressed(bits))
        return decode_compressed(bits & 0xffff);
    struct operation op = {.bytes = 4, .immediate = immediate_of(bits)};
    op.code = code_of(bits, &op.immediate);
    op.rd = field(bits, 7, 5) != 0 ? field(bits, 7, 5) : NO_REGISTER;
    op.rs1 = field(bits, 15, 5);
    op.rs2 = field(bits, 20, 5);
    return op.code != 0 ? op : illegal(bits);
}
