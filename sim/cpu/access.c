// Accesses that are not served by what is already known.
#include "cpu/access.h"
#include "cpu/breakpoints.h"
#include "cpu/code.h"
#include "cpu/fast.h"
#include "cpu/physical.h"
#include "cpu/translate.h"

// ---- Observers ----

// Returns a mask for so many bytes.
static uint64_t mask_of(unsigned bytes) {
    return UINT64_MAX >> (64 - 8 * bytes);
}

static bool may_access(struct hart *h, uint64_t pa, unsigned bytes, unsigned kind) {
    struct observer *o = h->system->observer;
    return o == NULL || o->before(o, h, pa, bytes, kind) || hart_raises(h, PAUSED, 0);
}

// Writes memory, and tells the observer if that changes it.
static bool write_observed(struct hart *h, uint64_t pa, unsigned bytes, uint64_t value) {
    struct observer *o = h->system->observer;
    bool changes =
        o != NULL && ((physical_read(h->system, pa, bytes) ^ value) & mask_of(bytes)) != 0;
    if (!physical_write(h->system, pa, bytes, value))
        return false;
    if (changes)
        o->changed(o, h, pa, bytes);
    return true;
}

// From now on, accesses to the page are quick, if nobody wants to know about them.
static void remember(struct hart *h, uint64_t va, uint64_t pa, bool is_write) {
    struct observer *o = h->system->observer;
    if (o == NULL || o->is_quiet(o, pa, is_write))
        fast_remember(h, va, physical_page(h->system, pa), is_write);
}

// ---- The store buffer ----

// Stores that wait are seen by their own hart only if each access looks for them. They may be
// written during another hart's turn, between its lr and its sc.
void access_drain_one(struct hart *h) {
    struct system *s = h->system;
    struct store oldest = stores_take(&h->stores);
    for (unsigned i = 0; i < s->hart_count; i++) {
        if (&s->harts[i] != h)
            s->harts[i].r.reserved_address = RESERVED_NONE;
    }
    write_observed(h, oldest.address, oldest.bytes, oldest.value);
    fast_select(h);
}

void access_drain(struct hart *h) {
    while (h->stores.count > 0)
        access_drain_one(h);
}

// Puts a store into the buffer. By chance, everything that waits there is written then (one time in
// eight), or the oldest (two times), so that the buffer is now long, now short.
static void buffer(struct hart *h, uint64_t pa, unsigned bytes, uint64_t value) {
    uint64_t random = system_random(h->system) >> 32;
    if (h->stores.count == STORES_MAX)
        access_drain_one(h);
    stores_add(&h->stores, (struct store){pa, value, bytes});
    fast_select(h);
    if (random % 8 == 0)
        access_drain(h);
    else if (random % 8 <= 2)
        access_drain_one(h);
}

// ---- Loads and stores ----

// True if a device can be accessed like that: in one piece, of 1, 2, 4 or 8 bytes.
static bool is_whole(uint64_t va, unsigned bytes) {
    return (bytes & (bytes - 1)) == 0 && va % bytes == 0;
}

static bool read_inside_page(struct hart *h, uint64_t va, unsigned bytes, uint64_t *value) {
    uint64_t pa;
    if (!translate(h, va, ACCESS_READ, &pa))
        return false;
    if (bus_is_memory(&h->system->bus, pa, bytes)) {
        if (!may_access(h, pa, bytes, OBSERVED_READ))
            return false;
        breakpoints_accessed(h, va, bytes, WATCH_READS);
        *value = physical_read(h->system, pa, bytes);
        *value = stores_forward(&h->stores, pa, bytes, *value);
        remember(h, va, pa, false);
        return true;
    }
    breakpoints_accessed(h, va, bytes, WATCH_READS);
    access_drain(h);
    if (!is_whole(va, bytes) || !bus_read(&h->system->bus, pa, bytes, value))
        return hart_raises(h, LOAD_FAULT, va);
    hart_end_turn(h); // what the device does may be due now
    return true;
}

// A range that crosses a page is read in two parts.
bool access_read(struct hart *h, uint64_t va, unsigned bytes, uint64_t *value) {
    unsigned first = PAGE_BYTES - va % PAGE_BYTES;
    if (first >= bytes)
        return read_inside_page(h, va, bytes, value);
    uint64_t low, high;
    if (!read_inside_page(h, va, first, &low) ||
        !read_inside_page(h, va + first, bytes - first, &high))
        return false;
    *value = low | high << 8 * first;
    return true;
}

// Writes of a page with decoded instructions are not remembered: each must be seen.
static bool write_memory(struct hart *h, uint64_t va, uint64_t pa, unsigned bytes, uint64_t value) {
    if (has_profile(h, PROFILE_STORES)) {
        buffer(h, pa, bytes, value);
        return true;
    }
    if (!write_observed(h, pa, bytes, value))
        return hart_raises(h, STORE_FAULT, va);
    if (!code_is_in(h->system, pa))
        remember(h, va, pa, true);
    return true;
}

static bool write_physical(struct hart *h, uint64_t va, uint64_t pa, unsigned bytes,
                           uint64_t value) {
    breakpoints_accessed(h, va, bytes, WATCH_WRITES);
    if (bus_is_memory(&h->system->bus, pa, bytes))
        return write_memory(h, va, pa, bytes, value);
    access_drain(h);
    if (!is_whole(va, bytes) || !bus_write(&h->system->bus, pa, bytes, value))
        return hart_raises(h, STORE_FAULT, va);
    hart_end_turn(h);
    return true;
}

static bool may_write(struct hart *h, uint64_t pa, unsigned bytes) {
    return !bus_is_memory(&h->system->bus, pa, bytes) || may_access(h, pa, bytes, OBSERVED_WRITE);
}

bool access_write(struct hart *h, uint64_t va, unsigned bytes, uint64_t value) {
    unsigned first = PAGE_BYTES - va % PAGE_BYTES;
    uint64_t low, high;
    if (!translate(h, va, ACCESS_WRITE, &low))
        return false;
    if (first >= bytes)
        return may_write(h, low, bytes) && write_physical(h, va, low, bytes, value);
    if (!translate(h, va + first, ACCESS_WRITE, &high))
        return false;
    return may_write(h, low, first) && may_write(h, high, bytes - first) &&
           write_physical(h, va, low, first, value) &&
           write_physical(h, va + first, high, bytes - first, value >> 8 * first);
}

bool access_atomic(struct hart *h, uint64_t va, unsigned bytes, bool writes, unsigned kind,
                   uint64_t *pa) {
    if (va % bytes != 0)
        return hart_raises(h, writes ? STORE_MISALIGNED : LOAD_MISALIGNED, va);
    if (!translate(h, va, writes ? ACCESS_WRITE : ACCESS_READ, pa))
        return false;
    if (!bus_is_memory(&h->system->bus, *pa, bytes))
        return hart_raises(h, writes ? STORE_FAULT : LOAD_FAULT, va);
    if (!may_access(h, *pa, bytes, kind))
        return false;
    breakpoints_accessed(h, va, bytes, writes ? WATCH_READS | WATCH_WRITES : WATCH_READS);
    return true;
}

bool access_atomic_write(struct hart *h, uint64_t va, uint64_t pa, unsigned bytes, uint64_t value) {
    return write_observed(h, pa, bytes, value) || hart_raises(h, STORE_FAULT, va);
}

// ---- Instructions ----

// Finds the page of decoded instructions for pc.
static bool find_code(struct hart *h, uint64_t pc, struct code_page **code) {
    uint64_t pa;
    if (!translate(h, pc, ACCESS_FETCH, &pa))
        return false;
    if (!bus_is_memory(&h->system->bus, pa, 2))
        return hart_raises(h, FETCH_FAULT, pc);
    *code = code_find(h, pa);
    return *code != NULL || hart_raises(h, FETCH_FAULT, pc);
}

// A breakpoint comes first: nothing has happened when the machine stops there.
bool access_fetch(struct hart *h, uint64_t pc) {
    if (breakpoints_stop(h, pc))
        return hart_raises(h, PAUSED, pc);
    if (!find_code(h, pc, &h->code))
        return false;
    h->code_start = pc & ~(uint64_t)(PAGE_BYTES - 1);
    return true;
}

bool access_fetch_instruction(struct hart *h, uint64_t pc, uint32_t *bits) {
    struct code_page *code;
    if (!find_code(h, pc, &code))
        return false;
    *bits = code_read(h->system, code, pc % PAGE_BYTES, 2);
    if ((*bits & 3) != 3)
        return true;
    if (!find_code(h, pc + 2, &code))
        return false;
    *bits |= code_read(h->system, code, (pc + 2) % PAGE_BYTES, 2) << 16;
    return true;
}
