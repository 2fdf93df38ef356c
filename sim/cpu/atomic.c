// Atomic instructions. Harts take turns, so an instruction is atomic by itself. A reservation ends
// when another hart has its turn or a device writes to memory, which the specification allows, so
// nobody else can have written in between.
#include "cpu/atomic.h"
#include "cpu/access.h"
#include "cpu/physical.h"

enum { SPURIOUS_MAX = 3 }; // so that loops with lr and sc end

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

// Translates the address, and writes the stores that must come first. Other stores may go on
// waiting in the buffer: an atomic instruction overtakes them.
static bool locate(struct hart *h, const struct operation *op, uint64_t va, uint64_t *pa) {
    unsigned kind = (op->code != OP_SC ? OBSERVED_READ : 0) | OBSERVED_WRITE |
                    (op->immediate & ATOMIC_ACQUIRE ? OBSERVED_ACQUIRE : 0) |
                    (op->immediate & ATOMIC_RELEASE ? OBSERVED_RELEASE : 0);
    if (!access_atomic(h, va, width(op), op->code != OP_LR, kind, pa))
        return false;
    if (h->stores.is_fenced || (op->immediate & ATOMIC_RELEASE) ||
        stores_overlap(&h->stores, *pa, width(op)))
        access_drain(h);
    return true;
}

bool atomic_update(struct hart *h, const struct operation *op, uint64_t va, uint64_t b,
                   uint64_t *old) {
    uint64_t pa;
    if (!locate(h, op, va, &pa))
        return false;
    *old = extended(op, physical_read(h->system, pa, width(op)));
    uint64_t value = combine(op->code, *old, extended(op, b));
    return access_atomic_write(h, va, pa, width(op), value);
}

bool atomic_load_reserved(struct hart *h, const struct operation *op, uint64_t va,
                          uint64_t *value) {
    uint64_t pa;
    if (!locate(h, op, va, &pa))
        return false;
    *value = extended(op, physical_read(h->system, pa, width(op)));
    h->r.reserved_address = pa;
    return true;
}

// True if sc fails although it need not, a few times at most.
static bool fails_by_chance(struct hart *h) {
    bool fails = has_profile(h, PROFILE_STORES) && h->r.spurious < SPURIOUS_MAX &&
                 system_random(h->system) >> 61 == 0;
    h->r.spurious = fails ? h->r.spurious + 1 : 0;
    return fails;
}

bool atomic_store_conditional(struct hart *h, const struct operation *op, uint64_t va, uint64_t b,
                              uint64_t *failed) {
    uint64_t pa;
    if (!locate(h, op, va, &pa))
        return false;
    *failed = h->r.reserved_address != pa || fails_by_chance(h);
    h->r.reserved_address = RESERVED_NONE;
    h->r.changes += *failed; // what tries again does not just wait
    return *failed || access_atomic_write(h, va, pa, width(op), b);
}
