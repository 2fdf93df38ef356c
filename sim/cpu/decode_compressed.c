// Instructions of 16 bits (C extension): each stands for one of 32 bits. The tables of the chapter
// "RVC Instruction Set Listings" are in the same order.
#include "cpu/decode.h"

enum { ZERO = 0, RA = 1, SP = 2 };

// A piece of an immediate operand: `width` bits from `from` go to `to`.
struct piece {
    uint8_t from, width, to;
};

static uint32_t field(uint32_t bits, unsigned low, unsigned width) {
    return bits >> low & ((1u << width) - 1);
}

static int32_t gather(uint32_t bits, const struct piece *pieces, unsigned count) {
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value |= field(bits, pieces[i].from, pieces[i].width) << pieces[i].to;
    return value;
}

#define GATHER(bits, ...) \
    gather(bits, (const struct piece[]){__VA_ARGS__}, \
           sizeof((const struct piece[]){__VA_ARGS__}) / sizeof(struct piece))

static int32_t with_sign(uint32_t value, unsigned width) {
    return (int32_t)(value << (32 - width)) >> (32 - width);
}

// The operand of most instructions with a sign: bit 12, and bits 6 to 2.
static int32_t small_immediate(uint32_t bits) {
    return with_sign(GATHER(bits, {2, 5, 0}, {12, 1, 5}), 6);
}

static uint32_t shift(uint32_t bits) {
    return GATHER(bits, {2, 5, 0}, {12, 1, 5});
}

static int32_t jump_offset(uint32_t bits) {
    return with_sign(GATHER(bits, {3, 3, 1}, {11, 1, 4}, {2, 1, 5}, {7, 1, 6}, {6, 1, 7}, {9, 2, 8},
                            {8, 1, 10}, {12, 1, 11}),
                     12);
}

static int32_t branch_offset(uint32_t bits) {
    return with_sign(GATHER(bits, {3, 2, 1}, {10, 2, 3}, {2, 1, 5}, {5, 2, 6}, {12, 1, 8}), 9);
}

static int32_t word_offset(uint32_t bits) {
    return GATHER(bits, {6, 1, 2}, {10, 3, 3}, {5, 1, 6});
}

static int32_t double_offset(uint32_t bits) {
    return GATHER(bits, {10, 3, 3}, {5, 2, 6});
}

// Registers x8 to x15 take three bits.
static uint8_t upper_register(uint32_t bits) {
    return 8 + field(bits, 7, 3);
}

static uint8_t lower_register(uint32_t bits) {
    return 8 + field(bits, 2, 3);
}

static struct operation make(uint8_t code, uint8_t rd, uint8_t rs1, uint8_t rs2,
                             int32_t immediate) {
    return (struct operation){code, 2, rd != ZERO ? rd : NO_REGISTER, rs1, rs2, immediate};
}

// ---- Quadrant 0 ----

static struct operation quadrant0(uint32_t bits) {
    uint8_t low = lower_register(bits), high = upper_register(bits);
    int32_t stack = GATHER(bits, {6, 1, 2}, {5, 1, 3}, {11, 2, 4}, {7, 4, 6});
    switch (field(bits, 13, 3)) {
    case 0: // c.addi4spn
        return stack != 0 ? make(OP_ADDI, low, SP, 0, stack) : illegal(bits);
    case 2:
        return make(OP_LW, low, high, 0, word_offset(bits));
    case 3:
        return make(OP_LD, low, high, 0, double_offset(bits));
    case 6:
        return make(OP_SW, 0, high, low, word_offset(bits));
    case 7:
        return make(OP_SD, 0, high, low, double_offset(bits));
    }
    return illegal(bits);
}

// ---- Quadrant 1 ----

// c.addi16sp and c.lui.
static struct operation load_upper(uint32_t bits) {
    uint8_t rd = field(bits, 7, 5);
    int32_t upper = small_immediate(bits) * 4096;
    int32_t stack =
        with_sign(GATHER(bits, {6, 1, 4}, {2, 1, 5}, {5, 1, 6}, {3, 2, 7}, {12, 1, 9}), 10);
    if (upper == 0)
        return illegal(bits);
    return rd == SP ? make(OP_ADDI, SP, SP, 0, stack) : make(OP_LUI, rd, 0, 0, upper);
}

static struct operation arithmetic(uint32_t bits) {
    static const uint8_t codes[8] = {OP_SUB, OP_XOR, OP_OR, OP_AND, OP_SUBW, OP_ADDW};
    uint8_t rd = upper_register(bits);
    switch (field(bits, 10, 2)) {
    case 0:
        return make(OP_SRLI, rd, rd, 0, shift(bits));
    case 1:
        return make(OP_SRAI, rd, rd, 0, shift(bits));
    case 2:
        return make(OP_ANDI, rd, rd, 0, small_immediate(bits));
    }
    uint8_t code = codes[field(bits, 12, 1) << 2 | field(bits, 5, 2)];
    return code != 0 ? make(code, rd, rd, lower_register(bits), 0) : illegal(bits);
}

static struct operation quadrant1(uint32_t bits) {
    uint8_t rd = field(bits, 7, 5), high = upper_register(bits);
    switch (field(bits, 13, 3)) {
    case 0:
        return make(OP_ADDI, rd, rd, 0, small_immediate(bits));
    case 1:
        return rd != ZERO ? make(OP_ADDIW, rd, rd, 0, small_immediate(bits)) : illegal(bits);
    case 2: // c.li
        return make(OP_ADDI, rd, ZERO, 0, small_immediate(bits));
    case 3:
        return load_upper(bits);
    case 4:
        return arithmetic(bits);
    case 5:
        return make(OP_JAL, ZERO, 0, 0, jump_offset(bits));
    case 6:
        return make(OP_BEQ, 0, high, ZERO, branch_offset(bits));
    }
    return make(OP_BNE, 0, high, ZERO, branch_offset(bits));
}

// ---- Quadrant 2 ----

// c.jr, c.mv, c.ebreak, c.jalr and c.add.
static struct operation move_or_jump(uint32_t bits) {
    uint8_t rd = field(bits, 7, 5), rs2 = field(bits, 2, 5);
    bool second = field(bits, 12, 1) != 0;
    if (rs2 != ZERO)
        return make(OP_ADD, rd, second ? rd : ZERO, rs2, 0);
    if (rd != ZERO)
        return make(OP_JALR, second ? RA : ZERO, rd, 0, 0);
    return second ? make(OP_EBREAK, 0, 0, 0, 0) : illegal(bits);
}

static struct operation quadrant2(uint32_t bits) {
    uint8_t rd = field(bits, 7, 5), rs2 = field(bits, 2, 5);
    switch (field(bits, 13, 3)) {
    case 0:
        return make(OP_SLLI, rd, rd, 0, shift(bits));
    case 2:
        return rd == ZERO ? illegal(bits)
                          : make(OP_LW, rd, SP, 0, GATHER(bits, {4, 3, 2}, {12, 1, 5}, {2, 2, 6}));
    case 3:
        return rd == ZERO ? illegal(bits)
                          : make(OP_LD, rd, SP, 0, GATHER(bits, {5, 2, 3}, {12, 1, 5}, {2, 3, 6}));
    case 4:
        return move_or_jump(bits);
    case 6:
        return make(OP_SW, 0, SP, rs2, GATHER(bits, {9, 4, 2}, {7, 2, 6}));
    case 7:
        return make(OP_SD, 0, SP, rs2, GATHER(bits, {10, 3, 3}, {7, 3, 6}));
    }
    return illegal(bits);
}

struct operation decode_compressed(uint32_t bits) {
    switch (bits & 3) {
    case 0:
        return quadrant0(bits);
    case 1:
        return quadrant1(bits);
    }
    return quadrant2(bits);
}
