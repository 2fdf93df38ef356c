// Atomic instructions. Harts take turns, so an instruction is atomic by itself. A reservation ends
// when another hart has its turn or a device writes to memory, which the specification allows, so
// nobody else can have written in between.
#include "cpu/atomic.h"
#include "cpu/access.h"

static unsigned width(const struct operation *op) {
    return op->immediate & ATOMIC_DOUBLE ? 8 : 4;
}

// A word in a register has its sign extended.
static uint64_t extended(const struct operation *op, uint64_t value) {
    return op->immediate & ATOMIC_DOUBLE ? value : WORD(value);
}

static uint64_t combine(uint8_t code, uint64_t old, uint64_t b) {
    switch (code) {
#define CASE(name, result) \
    case OP_##name: \
        return result;
        ATOMICS(CASE)
#undef CASE
    }
    return old;
}

bool atomic_update(struct hart *h, const struct operation *op, uint64_t va, uint64_t b,
                   uint64_t *old) {
    uint64_t pa;
    if (!access_atomic(h, va, width(op), true, &pa))
        return false;
    *old = extended(op, memory_read(h->system, pa, width(op)));
    uint64_t value = combine(op->code, *old, extended(op, b));
    return memory_write(h->system, pa, width(op), value) || access_fails(h, STORE_FAULT, va);
}

bool atomic_load_reserved(struct hart *h, const struct operation *op, uint64_t va,
                          uint64_t *value) {
    uint64_t pa;
    if (!access_atomic(h, va, width(op), false, &pa))
        return false;
    *value = extended(op, memory_read(h->system, pa, width(op)));
    h->r.reserved_address = pa;
    return true;
}

bool atomic_store_conditional(struct hart *h, const struct operation *op, uint64_t va, uint64_t b,
                              uint64_t *failed) {
    uint64_t pa;
    if (!access_atomic(h, va, width(op), true, &pa))
        return false;
    *failed = h->r.reserved_address != pa;
    h->r.reserved_address = RESERVED_NONE;
    return *failed || memory_write(h->system, pa, width(op), b) || access_fails(h, STORE_FAULT, va);
}
