// Timers and interrupts between harts.
#include "devices/clint.h"

enum { MSIP = 0, COMPARE = 0x4000, TIME = 0xbff8 };
enum { LATE_MAX = 2000, FALL_MAX = 100 }; // ticks: 0.2 ms, 10 us

static void set_line(struct registers *r, unsigned line, bool level) {
    r->interrupt_lines = (r->interrupt_lines & ~BIT(line)) | (uint64_t)level << line;
}

// Returns when a timer rings that is set to that time: later, by chance, but always the same.
static uint64_t rings_at(const struct clint *c, uint64_t at) {
    if (!(c->system->profile & PROFILE_TIMING) || at > UINT64_MAX - LATE_MAX)
        return at;
    uint64_t mixed = at * UINT64_C(0x9e3779b97f4a7c15);
    return at + (mixed >> 32) % LATE_MAX;
}

// A timer that is set anew while it rings may ring a little longer, which is a spurious interrupt.
// Returns whether it does.
static bool still_rings(const struct clint *c, bool is_set, uint64_t now, uint64_t *falls) {
    if (!is_set || !(c->system->profile & PROFILE_TIMING))
        return false;
    if (*falls == 0)
        *falls = now + system_random(c->system) % FALL_MAX;
    return now < *falls;
}

// Sets a line if the timer has rung; otherwise the timer may be the next one.
static void ring(const struct clint *c, struct registers *r, unsigned line, uint64_t at,
                 uint64_t *falls, uint64_t *next) {
    uint64_t now = system_ticks(c->system);
    bool is_set = (r->interrupt_lines & BIT(line)) != 0, is_due = now >= at;
    bool stays = !is_due && still_rings(c, is_set, now, falls);
    if (!stays)
        *falls = 0;
    set_line(r, line, is_due || stays);
    if (!is_due && at < *next)
        *next = at;
    if (stays && *falls < *next)
        *next = *falls;
}

uint64_t clint_update(struct clint *c) {
    uint64_t next = UINT64_MAX / TICK_INSTRUCTIONS;
    for (unsigned i = 0; i < c->system->hart_count; i++) {
        struct registers *r = &c->system->harts[i].r;
        ring(c, r, TIMER_M, rings_at(c, c->r.compare[i]), &c->r.falls_m[i], &next);
        if (r->menvcfg & ENVIRONMENT_STCE)
            ring(c, r, TIMER_S, rings_at(c, r->stimecmp), &c->r.falls_s[i], &next);
        else
            set_line(r, TIMER_S, false);
    }
    return next == UINT64_MAX / TICK_INSTRUCTIONS ? UINT64_MAX : next * TICK_INSTRUCTIONS;
}

// Registers of 64 bits can be accessed by halves.
static uint64_t merge(uint64_t old, uint64_t offset, unsigned bytes, uint64_t value) {
    if (bytes == 8)
        return value;
    unsigned shift = offset % 8 * 8;
    return (old & ~(UINT64_C(0xffffffff) << shift)) | (value & 0xffffffff) << shift;
}

static bool read(void *device, uint64_t offset, unsigned bytes, uint64_t *value) {
    struct clint *c = device;
    unsigned harts = c->system->hart_count;
    uint64_t word = 0;
    if (offset / 4 < harts)
        word = c->system->harts[offset / 4].r.interrupt_lines >> SOFTWARE_M & 1;
    else if ((offset - COMPARE) / 8 < harts)
        word = c->r.compare[(offset - COMPARE) / 8] >> offset % 8 * 8;
    else if (offset / 8 == TIME / 8)
        word = system_ticks(c->system) >> offset % 8 * 8;
    *value = word;
    return bytes >= 4;
}

static bool write(void *device, uint64_t offset, unsigned bytes, uint64_t value) {
    struct clint *c = device;
    unsigned harts = c->system->hart_count;
    if (bytes < 4)
        return false;
    if (offset / 4 < harts) {
        set_line(&c->system->harts[offset / 4].r, SOFTWARE_M, value & 1);
    } else if ((offset - COMPARE) / 8 < harts) {
        uint64_t *compare = &c->r.compare[(offset - COMPARE) / 8];
        *compare = merge(*compare, offset, bytes, value);
    }
    return true;
}

void clint_init(struct clint *c, struct system *system) {
    *c = (struct clint){.system = system};
    for (unsigned i = 0; i < HARTS_MAX; i++)
        c->r.compare[i] = UINT64_MAX;
    bus_add(&system->bus, (struct bus_device){CLINT_START, CLINT_BYTES, read, write, c});
}
