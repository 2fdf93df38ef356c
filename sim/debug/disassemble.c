// Instructions as text, by the kind of their operands.
#include "debug/disassemble.h"
#include "debug/csr_names.h"
#include "debug/registers.h"

enum kind { OTHER, IMMEDIATE, REGISTERS, BRANCH, LOAD, STORE, ATOMIC };

struct row {
    const char *name;
    enum kind kind;
    unsigned bytes; // of memory
};

static const struct row rows[] = {
#define IMMEDIATE_ROW(name, result) [OP_##name] = {#name, IMMEDIATE, 0},
#define REGISTER_ROW(name, result) [OP_##name] = {#name, REGISTERS, 0},
#define BRANCH_ROW(name, is_taken) [OP_##name] = {#name, BRANCH, 0},
#define LOAD_ROW(name, type) [OP_##name] = {#name, LOAD, sizeof(type)},
#define STORE_ROW(name, type) [OP_##name] = {#name, STORE, sizeof(type)},
#define ATOMIC_ROW(name, result) [OP_##name] = {#name, ATOMIC, 4},
#define OTHER_ROW(name) [OP_##name] = {#name, OTHER, 0},
    IMMEDIATE_OPERATIONS(IMMEDIATE_ROW) REGISTER_OPERATIONS(REGISTER_ROW) BRANCHES(BRANCH_ROW)
        LOADS(LOAD_ROW) STORES(STORE_ROW) ATOMICS(ATOMIC_ROW) SPECIALS(OTHER_ROW)};

static enum kind kind_of(const struct operation *op) {
    return op->code == OP_LR || op->code == OP_SC ? ATOMIC : rows[op->code].kind;
}

enum memory_use disassemble_memory_use(const struct operation *op) {
    switch (kind_of(op)) {
    case LOAD:
        return USES_LOAD;
    case STORE:
        return USES_STORE;
    case ATOMIC:
        return op->code == OP_LR ? USES_LOAD : USES_ATOMIC;
    default:
        return USES_NOTHING;
    }
}

unsigned disassemble_memory_bytes(const struct operation *op) {
    if (kind_of(op) == ATOMIC)
        return op->immediate & ATOMIC_DOUBLE ? 8 : 4;
    return rows[op->code].bytes;
}

// ---- Operands ----

static void add_name(struct text *t, const char *name) {
    for (; *name != '\0'; name++)
        text_add_byte(t, *name == '_'                   ? '.'
                         : *name >= 'A' && *name <= 'Z' ? *name + 'a' - 'A'
                                                        : *name);
}

static void add_signed(struct text *t, int64_t number) {
    if (number < 0)
        text_add_byte(t, '-');
    text_add_number(t, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

static void add_target(struct text *t, uint64_t address, const struct symbols *symbols) {
    text_add_address(t, address);
    text_add(t, " <");
    if (symbols_add_name(symbols, address, t))
        text_add_byte(t, '>');
    else
        t->bytes[t->used -= 2] = '\0';
}

// Adds registers and other words, with commas between them.
static void add_words(struct text *t, const char *first, const char *second, const char *third) {
    const char *const words[] = {first, second, third};
    for (unsigned i = 0; i < 3 && words[i] != NULL; i++) {
        text_add(t, i == 0 ? " " : ", ");
        text_add(t, words[i]);
    }
}

static void add_csr(struct text *t, const struct operation *op, const char *rd) {
    unsigned number = op->immediate & (CSR_IMMEDIATE - 1);
    const char *name = csr_name_find(number);
    if (op->immediate & CSR_IMMEDIATE)
        text_add_byte(t, 'i');
    add_words(t, rd, name, NULL);
    if (name == NULL) {
        text_add(t, ", ");
        text_add_address(t, number);
    }
    text_add(t, ", ");
    if (op->immediate & CSR_IMMEDIATE)
        text_add_number(t, op->rs1);
    else
        text_add(t, registers_name(op->rs1));
}

// Adds `OFFSET(REGISTER)`.
static void add_place(struct text *t, int32_t offset, const char *base) {
    text_add(t, ", ");
    add_signed(t, offset);
    text_add_byte(t, '(');
    text_add(t, base);
    text_add_byte(t, ')');
}

static void add_immediate(struct text *t, const struct operation *op, const char *rd) {
    bool is_upper = op->code == OP_LUI || op->code == OP_AUIPC;
    add_words(t, rd, is_upper ? NULL : registers_name(op->rs1), NULL);
    text_add(t, ", ");
    if (is_upper)
        text_add_address(t, (uint32_t)op->immediate >> 12);
    else
        add_signed(t, op->immediate);
}

static void add_atomic(struct text *t, const struct operation *op, const char *rd) {
    text_add(t, op->immediate & ATOMIC_DOUBLE ? ".d" : ".w");
    text_add(t, op->immediate & ATOMIC_ACQUIRE ? ".aq" : "");
    text_add(t,
             op->immediate & ATOMIC_RELEASE ? (op->immediate & ATOMIC_ACQUIRE ? "rl" : ".rl") : "");
    add_words(t, rd, op->code == OP_LR ? NULL : registers_name(op->rs2), NULL);
    text_add(t, ", (");
    text_add(t, registers_name(op->rs1));
    text_add_byte(t, ')');
}

static void add_other(struct text *t, const struct operation *op, uint64_t pc, const char *rd,
                      const struct symbols *symbols) {
    switch (op->code) {
    case OP_JAL:
        add_words(t, rd, "", NULL);
        add_target(t, pc + op->immediate, symbols);
        break;
    case OP_JALR:
        add_words(t, rd, NULL, NULL);
        add_place(t, op->immediate, registers_name(op->rs1));
        break;
    case OP_CSRRW:
    case OP_CSRRS:
    case OP_CSRRC:
        add_csr(t, op, rd);
        break;
    case OP_SFENCE_VMA:
        add_words(t, registers_name(op->rs1), registers_name(op->rs2), NULL);
        break;
    case OP_ILLEGAL:
        text_add_byte(t, ' ');
        text_add_address(t, (uint32_t)op->immediate);
        break;
    }
}

// ---- Short names ----

// Adds the instruction as it is usually written, if that is shorter.
static bool add_short(struct text *t, const struct operation *op, uint64_t pc, const char *rd,
                      const struct symbols *symbols) {
    bool is_jump = (op->code == OP_JAL || op->code == OP_JALR) && rd == registers_name(0);
    if (op->code == OP_ADDI && rd == registers_name(0) && op->rs1 == 0) {
        text_add(t, "nop");
    } else if (op->code == OP_ADDI && op->rs1 == 0) {
        text_add(t, "li");
        add_words(t, rd, "", NULL);
        add_signed(t, op->immediate);
    } else if (op->code == OP_ADDI && op->immediate == 0) {
        text_add(t, "mv");
        add_words(t, rd, registers_name(op->rs1), NULL);
    } else if (op->code == OP_ADD && op->rs1 == 0) {
        text_add(t, "mv");
        add_words(t, rd, registers_name(op->rs2), NULL);
    } else if (is_jump && op->code == OP_JALR && op->immediate == 0) {
        text_add(t, op->rs1 == 1 ? "ret" : "jr ");
        text_add(t, op->rs1 == 1 ? "" : registers_name(op->rs1));
    } else if (is_jump && op->code == OP_JAL) {
        text_add(t, "j ");
        add_target(t, pc + op->immediate, symbols);
    } else {
        return false;
    }
    return true;
}

void disassemble(struct text *t, const struct operation *op, uint64_t pc,
                 const struct symbols *symbols) {
    const char *rd = registers_name(op->rd);
    if (add_short(t, op, pc, rd, symbols))
        return;
    add_name(t, rows[op->code].name);
    switch (kind_of(op)) {
    case IMMEDIATE:
        add_immediate(t, op, rd);
        break;
    case REGISTERS:
        add_words(t, rd, registers_name(op->rs1), registers_name(op->rs2));
        break;
    case BRANCH:
        add_words(t, registers_name(op->rs1), registers_name(op->rs2), "");
        add_target(t, pc + op->immediate, symbols);
        break;
    case LOAD:
        add_words(t, rd, NULL, NULL);
        add_place(t, op->immediate, registers_name(op->rs1));
        break;
    case STORE:
        add_words(t, registers_name(op->rs2), NULL, NULL);
        add_place(t, op->immediate, registers_name(op->rs1));
        break;
    case ATOMIC:
        add_atomic(t, op, rd);
        break;
    case OTHER:
        add_other(t, op, pc, rd, symbols);
    }
}
