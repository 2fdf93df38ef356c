// Breakpoints, watchpoints and steps.
#include "cpu/breakpoints.h"
#include "cpu/code.h"
#include "cpu/fast.h"

// ---- Lists ----

static int find(const struct breakpoints *b, uint64_t pc) {
    for (unsigned i = 0; i < b->count; i++) {
        if (b->addresses[i] == pc)
            return i;
    }
    return -1;
}

bool breakpoints_add(struct system *s, uint64_t pc) {
    struct breakpoints *b = &s->breakpoints;
    if (find(b, pc) >= 0)
        return true;
    if (b->count == BREAKPOINTS_MAX || pc % 2 != 0)
        return false;
    b->addresses[b->count++] = pc;
    code_decode_again(s, pc);
    return true;
}

bool breakpoints_remove(struct system *s, uint64_t pc) {
    struct breakpoints *b = &s->breakpoints;
    int i = find(b, pc);
    if (i < 0)
        return false;
    b->addresses[i] = b->addresses[--b->count];
    code_decode_again(s, pc);
    return true;
}

bool breakpoints_watch(struct system *s, struct watchpoint w) {
    struct breakpoints *b = &s->breakpoints;
    if (b->watch_count == WATCHPOINTS_MAX || w.bytes == 0 || w.bytes > PAGE_BYTES)
        return false;
    b->watched[b->watch_count++] = w;
    fast_forget_all(s); // from now on, accesses to the page are looked at
    return true;
}

static bool is_same(const struct watchpoint *a, const struct watchpoint *b) {
    return a->start == b->start && a->bytes == b->bytes && a->kinds == b->kinds;
}

bool breakpoints_unwatch(struct system *s, struct watchpoint w) {
    struct breakpoints *b = &s->breakpoints;
    for (unsigned i = 0; i < b->watch_count; i++) {
        if (is_same(&b->watched[i], &w)) {
            b->watched[i] = b->watched[--b->watch_count];
            return true;
        }
    }
    return false;
}

void breakpoints_remove_all(struct system *s) {
    struct breakpoints *b = &s->breakpoints;
    while (b->count > 0)
        breakpoints_remove(s, b->addresses[0]);
    b->watch_count = 0;
    b->stepped = NULL;
}

// ---- Instructions ----

void breakpoints_pass(const struct hart *h) {
    h->system->breakpoints.passed_time = system_now(h->system);
    h->system->breakpoints.passed_pc = h->r.pc;
}

bool breakpoints_may_be_at(const struct breakpoints *b, uint64_t pc) {
    for (unsigned i = 0; i < b->count; i++) {
        if ((b->addresses[i] ^ pc) % PAGE_BYTES == 0)
            return true;
    }
    return false;
}

// True if the instruction at pc, which the hart's turn counts already, is to be executed.
static bool is_passed(const struct hart *h, uint64_t pc) {
    const struct breakpoints *b = &h->system->breakpoints;
    return b->passed_pc == pc && b->passed_time == system_now(h->system) - 1;
}

bool breakpoints_stop(struct hart *h, uint64_t pc) {
    struct breakpoints *b = &h->system->breakpoints;
    if (b->count == 0 || b->are_off || find(b, pc) < 0 || is_passed(h, pc))
        return false;
    b->pause = (struct pause){.reason = PAUSE_BREAKPOINT, .hart = h->r.id, .address = pc};
    return true;
}

// ---- Data ----

static bool overlaps(const struct watchpoint *w, uint64_t va, unsigned bytes) {
    return va - w->start < w->bytes || w->start - va < bytes;
}

void breakpoints_accessed(struct hart *h, uint64_t va, unsigned bytes, unsigned kind) {
    struct breakpoints *b = &h->system->breakpoints;
    for (unsigned i = 0; i < b->watch_count && !b->are_off; i++) {
        const struct watchpoint *w = &b->watched[i];
        if (!(w->kinds & kind) || !overlaps(w, va, bytes) || is_passed(h, h->r.pc))
            continue;
        b->pause = (struct pause){PAUSE_WATCHPOINT, h->r.id, w->start, *w};
        hart_end_turn(h);
        return;
    }
}

// ---- Steps ----

uint64_t breakpoints_limit(const struct hart *h, uint64_t instructions) {
    const struct breakpoints *b = &h->system->breakpoints;
    if (b->pause.reason != NO_PAUSE) // an interrupt is an event
        return 0;
    return b->stepped == h ? 1 : instructions;
}

void breakpoints_turn_ended(const struct hart *h) {
    struct breakpoints *b = &h->system->breakpoints;
    if (b->stepped == h && b->pause.reason == NO_PAUSE)
        b->pause = (struct pause){.reason = PAUSE_STEP, .hart = h->r.id, .address = h->r.pc};
}
