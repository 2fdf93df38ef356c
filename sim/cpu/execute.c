// The interpreter: a loop with a case for each row of operations.h.
#include "cpu/execute.h"
#include "cpu/access.h"
#include "cpu/arithmetic.h"
#include "cpu/atomic.h"
#include "cpu/code.h"
#include "cpu/csr.h"
#include "cpu/fast.h"
#include "cpu/fetch.h"
#include "cpu/translate.h"
#include "cpu/trap.h"

#include <string.h>

// ---- Memory ----

static inline bool load(struct hart *h, uint64_t va, unsigned bytes, void *value) {
    const struct fast_entry *e = fast_of(h, va);
    if (e->read_tag == fast_tag(va, bytes)) {
        memcpy(value, e->bytes + va % PAGE_BYTES, bytes);
        return true;
    }
    uint64_t wide;
    if (!access_read(h, va, bytes, &wide))
        return false;
    memcpy(value, &wide, bytes);
    return true;
}

static inline bool store(struct hart *h, uint64_t va, unsigned bytes, const void *value) {
    const struct fast_entry *e = fast_of(h, va);
    if (e->write_tag == fast_tag(va, bytes)) {
        memcpy(e->bytes + va % PAGE_BYTES, value, bytes);
        return true;
    }
    uint64_t wide = 0;
    memcpy(&wide, value, bytes);
    return access_write(h, va, bytes, wide);
}

// ---- Instructions that change more than registers and memory ----

static bool is_illegal(struct hart *h, const struct operation *op) {
    uint32_t bits = 0;
    if (op->code == OP_ILLEGAL)
        bits = op->immediate;
    else
        access_fetch_instruction(h, h->r.pc, &bits);
    return hart_raises(h, ILLEGAL_INSTRUCTION, bits);
}

static bool access_csr(struct hart *h, const struct operation *op) {
    bool is_immediate = op->immediate & CSR_IMMEDIATE;
    unsigned number = op->immediate & 0xfff;
    uint64_t operand = is_immediate ? op->rs1 : h->r.x[op->rs1], old;
    bool writes = op->code == OP_CSRRW || op->rs1 != 0;
    if (!csr_read(h, number, writes, &old))
        return is_illegal(h, op);
    uint64_t base = csr_base(h, number, old);
    uint64_t value = op->code == OP_CSRRW   ? operand
                     : op->code == OP_CSRRS ? base | operand
                                            : base & ~operand;
    if (writes && !csr_write(h, number, value))
        return is_illegal(h, op);
    h->r.x[op->rd] = old;
    h->r.pc += 4;
    return true;
}

static bool call(struct hart *h) {
    static const uint32_t causes[] = {
        [USER] = CALL_FROM_USER,
        [SUPERVISOR] = CALL_FROM_SUPERVISOR,
        [MACHINE] = CALL_FROM_MACHINE,
    };
    if (h->r.privilege != SUPERVISOR || h->system->firmware_call == NULL)
        return hart_raises(h, causes[h->r.privilege], 0);
    h->r.pc += 4;
    access_drain(h); // as the fences of firmware do
    h->system->firmware_call(h->system->firmware, h);
    return true;
}

static bool return_from_trap(struct hart *h, const struct operation *op) {
    bool done = op->code == OP_MRET ? trap_return_machine(h) : trap_return_supervisor(h);
    if (!done)
        return is_illegal(h, op);
    if (trap_pending(h) != 0)
        hart_end_turn(h);
    return true;
}

static bool wait_for_interrupt(struct hart *h, const struct operation *op) {
    if (h->r.privilege == USER || (h->r.privilege == SUPERVISOR && (h->r.status & STATUS_TW)))
        return is_illegal(h, op);
    h->r.pc += 4;
    access_drain(h); // a hart that waits hides nothing for ever
    bool is_early = has_profile(h, PROFILE_TIMING) && system_random(h->system) >> 62 == 0;
    if (!trap_wakes(h) && !is_early)
        h->r.mode = HART_WAITING;
    hart_end_turn(h);
    return true;
}

static bool fence_translations(struct hart *h, const struct operation *op) {
    if (h->r.privilege == USER || (h->r.privilege == SUPERVISOR && (h->r.status & STATUS_TVM)))
        return is_illegal(h, op);
    access_drain(h);
    translate_fence(h, op->rs1 != 0 ? h->r.x[op->rs1] : TLB_ALL,
                    op->rs2 != 0 ? h->r.x[op->rs2] & SPACE_MASK : TLB_ALL);
    h->r.pc += 4;
    return true;
}

// Orders memory accesses. Only the store buffer lets a hart's accesses be seen in another order: a
// load before a store that waits there.
static bool fence(struct hart *h, const struct operation *op) {
    struct observer *o = h->system->observer;
    if (o != NULL)
        o->fenced(o, h);
    bool is_after_writes = (op->immediate & FENCE_AFTER_WRITES) != 0;
    if (is_after_writes && (op->immediate & FENCE_BEFORE_READS))
        access_drain(h);
    h->stores.is_fenced |= is_after_writes && h->stores.count > 0;
    h->r.pc += 4;
    return true;
}

static bool fence_instructions(struct hart *h) {
    access_drain(h);
    code_fence(h);
    h->r.pc += 4;
    return true;
}

// Executes an instruction that changes more than registers; advances pc itself.
static bool execute_special(struct hart *h, const struct operation *op) {
    switch (op->code) {
    case OP_CSRRW:
    case OP_CSRRS:
    case OP_CSRRC:
        return access_csr(h, op);
    case OP_ECALL:
        return call(h);
    case OP_EBREAK:
        return hart_raises(h, BREAKPOINT, h->r.pc);
    case OP_MRET:
    case OP_SRET:
        return return_from_trap(h, op);
    case OP_WFI:
        return wait_for_interrupt(h, op);
    case OP_FENCE:
        return fence(h, op);
    case OP_FENCE_I:
        return fence_instructions(h);
    case OP_SFENCE_VMA:
        return fence_translations(h, op);
    }
    return is_illegal(h, op);
}

// ---- The loop ----

// Returns the operation at pc, NULL with the exception in h.
static inline const struct operation *fetch(struct hart *h, uint64_t pc) {
    if ((pc & ~(uint64_t)(PAGE_BYTES - 1)) != h->code_start && !access_fetch(h, pc))
        return NULL;
    struct operation *op = &h->code->operations[pc % PAGE_BYTES / 2];
    if (op->code == NOT_DECODED)
        fetch_first(h, pc, op);
    return op->code != OP_UNCACHED ? op : fetch_uncached(h, pc);
}

#define JUMP(target) \
    { \
        pc = (target); \
        continue; \
    }

#define CASE_VALUE(name, result) \
    case OP_##name: \
        x[op->rd] = (result); \
        break;

#define CASE_BRANCH(name, is_taken) \
    case OP_##name: \
        if (is_taken) \
            JUMP(pc + imm) \
        break;

#define CASE_LOAD(name, type) \
    case OP_##name: { \
        type value; \
        if (!load(h, a + imm, sizeof value, &value)) \
            goto trap; \
        x[op->rd] = (uint64_t)(int64_t)value; \
        break; \
    }

#define CASE_STORE(name, type) \
    case OP_##name: { \
        type value = (type)b; \
        if (!store(h, a + imm, sizeof value, &value)) \
            goto trap; \
        break; \
    }

#define CASE_JUMP(name, target) \
    case OP_##name: { \
        uint64_t next = (target); \
        x[op->rd] = pc + op->bytes; \
        JUMP(next) \
    }

#define LABEL(name, result) case OP_##name:

#define RESULT(function) \
    { \
        uint64_t value; \
        if (!function) \
            goto trap; \
        x[op->rd] = value; \
        break; \
    }

#define CASE_RESULT(name, function) \
    case OP_##name: \
        RESULT(function)

// The instruction has raised an exception, or is to be executed another time.
static void fail(struct hart *h) {
    if (h->exception != PAUSED) {
        trap_enter(h, h->exception, h->exception_value);
        return;
    }
    h->left++;
    hart_end_turn(h);
}

void execute(struct hart *h) {
    uint64_t *x = h->r.x, pc = h->r.pc;
    while (h->left > 0) {
        h->left--;
        h->r.pc = pc;
        const struct operation *op = fetch(h, pc);
        if (op == NULL)
            goto trap;
        const uint64_t a = x[op->rs1], b = x[op->rs2];
        const int64_t imm = op->immediate;
        switch (op->code) {
            IMMEDIATE_OPERATIONS(CASE_VALUE)
            REGISTER_OPERATIONS(CASE_VALUE)
            BRANCHES(CASE_BRANCH)
            CASE_JUMP(JAL, pc + imm)
            CASE_JUMP(JALR, (a + imm) & ~UINT64_C(1))
            LOADS(CASE_LOAD)
            STORES(CASE_STORE)
            ATOMICS(LABEL)
            RESULT(atomic_update(h, op, a, b, &value))
            CASE_RESULT(LR, atomic_load_reserved(h, op, a, &value))
            CASE_RESULT(SC, atomic_store_conditional(h, op, a, b, &value))
        case OP_PAUSE:
            break;
        default:
            if (!execute_special(h, op))
                goto trap;
            JUMP(h->r.pc)
        }
        pc += op->bytes;
        continue;
    trap:
        fail(h);
        pc = h->r.pc;
    }
    h->r.pc = pc;
}
