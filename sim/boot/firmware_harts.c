// Supervisor calls that are about other harts.
#include "boot/firmware_harts.h"
#include "cpu/access.h"
#include "cpu/code.h"
#include "cpu/fast.h"
#include "cpu/translate.h"

enum { DELEGATED = 0xb1ff };
enum { FENCE_PAGES_MAX = 64 }; // more are fenced as if they were all

// Calls `act` for the harts in the mask, which begins with hart `base`, or for all. Returns false
// if one does not exist.
static bool for_harts(const struct call *c, uint64_t mask, uint64_t base,
                      void (*act)(const struct call *c, struct hart *h)) {
    unsigned count = c->system->hart_count;
    if (base != UINT64_MAX && (base >= count || (count - base < 64 && mask >> (count - base) != 0)))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (base == UINT64_MAX || (i >= base && (mask >> (i - base) & 1)))
            act(c, &c->system->harts[i]);
    }
    return true;
}

static void interrupt(const struct call *c, struct hart *h) {
    h->r.interrupt_pending |= BIT(SOFTWARE_S);
}

static void fence_instructions(const struct call *c, struct hart *h) {
    access_drain(h);
    code_fence(h);
}

// The range of addresses is in a[2] and a[3], the address space in a[4].
static void fence_translations(const struct call *c, struct hart *h) {
    uint64_t asid = c->function == 2 ? c->a[4] & SPACE_MASK : TLB_ALL, start = c->a[2];
    bool is_all = (start == 0 && c->a[3] == 0) || c->a[3] > FENCE_PAGES_MAX * PAGE_BYTES;
    uint64_t pages = is_all ? 0 : (start % PAGE_BYTES + c->a[3] + PAGE_BYTES - 1) / PAGE_BYTES;
    access_drain(h);
    if (is_all)
        translate_fence(h, TLB_ALL, asid);
    for (uint64_t i = 0; i < pages; i++)
        translate_fence(h, start + i * PAGE_BYTES, asid);
}

struct result firmware_fence(const struct call *c) {
    if (c->function > 2)
        return error(NOT_SUPPORTED);
    bool done =
        for_harts(c, c->a[0], c->a[1], c->function == 0 ? fence_instructions : fence_translations);
    return error(done ? SUCCESS : INVALID);
}

// ---- Hart state management ----

enum { STARTED = 0, STOPPED = 1 };

void firmware_start_hart(struct hart *h, uint64_t entry, uint64_t argument) {
    uint64_t id = h->r.id, retired = h->r.retired, lines = h->r.interrupt_lines;
    uint64_t satp = h->r.satp;
    h->r = (struct registers){
        .id = id,
        .retired = retired,
        .pc = entry & ~UINT64_C(1), // as every jump
        .privilege = SUPERVISOR,
        .mode = HART_RUNNING,
        .exception_delegation = DELEGATED,
        .interrupt_delegation = SUPERVISOR_INTERRUPTS,
        .mcounteren = 7,
        .menvcfg = ENVIRONMENT_STCE,
        .interrupt_lines = lines,
        .stimecmp = UINT64_MAX,
        .reserved_address = RESERVED_NONE,
    };
    h->r.x[A0] = id;
    h->r.x[A1] = argument;
    code_fence(h);
    translate_fence(h, TLB_ALL, TLB_ALL);
    fast_select(h);
    struct listener *l = h->system->listener;
    if (satp != 0 && l != NULL && l->switched != NULL)
        l->switched(l, h, satp);
}

struct result firmware_hart(const struct call *c) {
    uint64_t id = c->a[0];
    if (c->function == 1) { // stop
        c->hart->r.mode = HART_STOPPED;
        hart_end_turn(c->hart);
        return error(SUCCESS);
    }
    if (c->function == 3 && (uint32_t)c->a[0] != 0) // a kind of suspend that loses registers
        return error(NOT_SUPPORTED);
    if (c->function == 3) { // suspend, which keeps everything
        c->hart->r.mode = HART_WAITING;
        hart_end_turn(c->hart);
        return error(SUCCESS);
    }
    if (id >= c->system->hart_count)
        return error(INVALID);
    struct hart *h = &c->system->harts[id];
    if (c->function == 2)
        return value(h->r.mode == HART_STOPPED ? STOPPED : STARTED);
    if (c->function != 0)
        return error(NOT_SUPPORTED);
    if (h->r.mode != HART_STOPPED)
        return error(ALREADY_AVAILABLE);
    firmware_start_hart(h, c->a[1], c->a[2]);
    return error(SUCCESS);
}

struct result firmware_interrupt(const struct call *c) {
    if (c->function != 0)
        return error(NOT_SUPPORTED);
    hart_end_turn(c->hart); // one of the harts may be this one
    return error(for_harts(c, c->a[0], c->a[1], interrupt) ? SUCCESS : INVALID);
}
