// What the instructions do, as tables: a row is X(name, result). In the results, a and b are the
// values of rs1 and rs2, `imm` is the immediate operand (signed), and `old` is the word that an
// atomic operation has read. execute.c has a case for each row; decode.c finds the row.
//
// RISC-V Unprivileged Architecture, chapters RV32I, RV64I, M, A, Zicsr and Zifencei.
#pragma once
#include <stdint.h>

// Results of 32 bits are extended with their sign.
#define WORD(value) ((uint64_t)(int64_t)(int32_t)(value))
#define SIGNED(value) ((int64_t)(value))

#define IMMEDIATE_OPERATIONS(X) \
    X(LUI, (uint64_t)imm) \
    X(AUIPC, pc + imm) \
    X(ADDI, a + imm) \
    X(SLTI, SIGNED(a) < imm) \
    X(SLTIU, a < (uint64_t)imm) \
    X(XORI, a ^ imm) \
    X(ORI, a | imm) \
    X(ANDI, a &imm) \
    X(SLLI, a << imm) \
    X(SRLI, a >> imm) \
    X(SRAI, (uint64_t)(SIGNED(a) >> imm)) \
    X(ADDIW, WORD(a + imm)) \
    X(SLLIW, WORD((uint32_t)a << imm)) \
    X(SRLIW, WORD((uint32_t)a >> imm)) \
    X(SRAIW, WORD((int32_t)a >> imm))

#define REGISTER_OPERATIONS(X) \
    X(ADD, a + b) \
    X(SUB, a - b) \
    X(SLL, a << (b & 63)) \
    X(SLT, SIGNED(a) < SIGNED(b)) \
    X(SLTU, a < b) \
    X(XOR, a ^ b) \
    X(SRL, a >> (b & 63)) \
    X(SRA, (uint64_t)(SIGNED(a) >> (b & 63))) \
    X(OR, a | b) \
    X(AND, a &b) \
    X(ADDW, WORD(a + b)) \
    X(SUBW, WORD(a - b)) \
    X(SLLW, WORD((uint32_t)a << (b & 31))) \
    X(SRLW, WORD((uint32_t)a >> (b & 31))) \
    X(SRAW, WORD((int32_t)a >> (b & 31))) \
    X(MUL, a *b) \
    X(MULH, multiply_high(a, b)) \
    X(MULHSU, multiply_high_mixed(a, b)) \
    X(MULHU, multiply_high_unsigned(a, b)) \
    X(DIV, divide(a, b)) \
    X(DIVU, b == 0 ? UINT64_MAX : a / b) \
    X(REM, remainder_of(a, b)) \
    X(REMU, b == 0 ? a : a % b) \
    X(MULW, WORD(a *b)) \
    X(DIVW, WORD(divide(WORD(a), WORD(b)))) \
    X(DIVUW, (uint32_t)b == 0 ? UINT64_MAX : WORD((uint32_t)a / (uint32_t)b)) \
    X(REMW, WORD(remainder_of(WORD(a), WORD(b)))) \
    X(REMUW, (uint32_t)b == 0 ? WORD(a) : WORD((uint32_t)a % (uint32_t)b))

// The result is whether the branch is taken.
#define BRANCHES(X) \
    X(BEQ, a == b) \
    X(BNE, a != b) \
    X(BLT, SIGNED(a) < SIGNED(b)) \
    X(BGE, SIGNED(a) >= SIGNED(b)) \
    X(BLTU, a < b) \
    X(BGEU, a >= b)

// The second column is the type of what is read, or written.
#define LOADS(X) \
    X(LB, int8_t) \
    X(LH, int16_t) \
    X(LW, int32_t) \
    X(LD, int64_t) \
    X(LBU, uint8_t) \
    X(LHU, uint16_t) \
    X(LWU, uint32_t)

#define STORES(X) \
    X(SB, uint8_t) \
    X(SH, uint16_t) \
    X(SW, uint32_t) \
    X(SD, uint64_t)

// The result is what is written. Those for 32 bits get `old` and b extended with their sign.
#define ATOMICS(X) \
    X(AMOSWAP, b) \
    X(AMOADD, old + b) \
    X(AMOXOR, old ^ b) \
    X(AMOAND, old &b) \
    X(AMOOR, old | b) \
    X(AMOMIN, SIGNED(old) < SIGNED(b) ? old : b) \
    X(AMOMAX, SIGNED(old) > SIGNED(b) ? old : b) \
    X(AMOMINU, old < b ? old : b) \
    X(AMOMAXU, old > b ? old : b)

// The others.
#define SPECIALS(X) \
    X(JAL) \
    X(JALR) \
    X(FENCE) \
    X(FENCE_I) \
    X(PAUSE) \
    X(LR) \
    X(SC) \
    X(CSRRW) \
    X(CSRRS) \
    X(CSRRC) \
    X(ECALL) \
    X(EBREAK) \
    X(MRET) \
    X(SRET) \
    X(WFI) \
    X(SFENCE_VMA) \
    X(ILLEGAL) \
    X(UNCACHED)

enum operation_code {
    NOT_DECODED,
#define NAME(name, ...) OP_##name,
    IMMEDIATE_OPERATIONS(NAME) REGISTER_OPERATIONS(NAME) BRANCHES(NAME) LOADS(NAME) STORES(NAME)
        ATOMICS(NAME) SPECIALS(NAME)
#undef NAME
};

// A decoded instruction. Instead of x0, rd names a register that is never read. What the immediate
// holds depends on the operation: for CSRs, the number, and CSR_IMMEDIATE if rs1 is the operand
// itself; for atomics and fences, their flags; for ILLEGAL, the instruction. UNCACHED stands for an
// instruction that is fetched anew each time: because it lies in two pages, or because a breakpoint
// may be there.
struct operation {
    uint8_t code;  // enum operation_code
    uint8_t bytes; // 2 or 4
    uint8_t rd, rs1, rs2;
    int32_t immediate;
};

enum { CSR_IMMEDIATE = 1 << 12 };
enum { FENCE_AFTER_WRITES = 1 << 4, FENCE_BEFORE_READS = 1 << 1 };
enum { ATOMIC_RELEASE = 1, ATOMIC_ACQUIRE = 2, ATOMIC_DOUBLE = 4 };
