// From virtual to physical addresses.
//
// A kind machine's TLB is as QEMU's: it is emptied by every fence, every change of satp and of what
// mstatus says about accesses, holds one entry for a page, and reads the page table again before it
// raises a page fault. With PROFILE_TLB it holds on to what it may: see docs/simulator.md.
#include "cpu/translate.h"
#include "cpu/fast.h"
#include "cpu/physical.h"
#include "cpu/walk.h"

#include <assert.h>

enum { SPECULATIVE_WALKS = 2 };

static bool page_fault(struct hart *h, uint64_t va, enum access access) {
    static const uint32_t causes[] = {FETCH_PAGE_FAULT, LOAD_PAGE_FAULT, STORE_PAGE_FAULT};
    return hart_raises(h, causes[access], va);
}

static bool access_fault(struct hart *h, uint64_t va, enum access access) {
    static const uint32_t causes[] = {FETCH_FAULT, LOAD_FAULT, STORE_FAULT};
    return hart_raises(h, causes[access], va);
}

static uint32_t space_of(const struct hart *h) {
    return (h->r.satp & SATP_ASID) >> SATP_ASID_SHIFT;
}

// Returns a number that depends on the page, and stays the same until the next tick: what happens
// by chance must not depend on how often the TLB is asked.
static uint64_t mood_for(const struct hart *h, uint64_t page) {
    uint64_t mixed = (h->tlb.mood ^ page) * UINT64_C(0x9e3779b97f4a7c15);
    return mixed ^ mixed >> 29;
}

// ---- Reading the page table ----

// Where a walk begins.
struct place {
    uint64_t table;
    unsigned level;
    bool is_global;
};

static struct place after(const struct translation *pointer) {
    return (struct place){walk_target(pointer->pte), pointer->level - 1, pointer->is_global};
}

// Returns the root of the page table, or a table that a pointer in the TLB leads to.
static struct place first_place(const struct hart *h, uint64_t page) {
    uint64_t mood = mood_for(h, page);
    for (unsigned level = 1; has_profile(h, PROFILE_TLB) && level < LEVELS; level++) {
        const struct translation *e = tlb_find_pointer(&h->tlb, page, space_of(h), level);
        if (e == NULL || (mood >> (8 * level) & 3) == 0)
            continue;
        assert(tlb_may_use(&h->tlb, e));
        return after(e);
    }
    return (struct place){(h->r.satp & SATP_PPN) << PAGE_SHIFT, LEVELS - 1, false};
}

// Walks to the leaf for that page, or to an entry that gives no translation, and stores it.
static enum step walk(struct hart *h, uint64_t page, struct translation *t) {
    struct place p = first_place(h, page);
    for (;;) {
        *t = (struct translation){.page = page, .asid = space_of(h), .level = p.level};
        enum step step = walk_step(h->system, p.table, p.level, page, &t->address, &t->pte);
        if (step == STEP_INVALID)
            t->pte = 0; // it gives no right, whatever its bits are
        t->is_global = p.is_global || (t->pte & PTE_G);
        if (step != STEP_TABLE)
            return step;
        if (has_profile(h, PROFILE_TLB))
            tlb_add_pointer(&h->tlb, *t);
        p = after(t);
    }
}

// ---- Using an entry ----

// Steps 5 to 7: the rights that a leaf gives.
static bool is_allowed(const struct hart *h, uint64_t pte, enum access access, enum privilege p) {
    if (p == USER && !(pte & PTE_U))
        return false;
    if (p == SUPERVISOR && (pte & PTE_U) && (access == ACCESS_FETCH || !(h->r.status & STATUS_SUM)))
        return false;
    switch (access) {
    case ACCESS_FETCH:
        return (pte & PTE_X) != 0;
    case ACCESS_READ:
        return (pte & PTE_R) || ((h->r.status & STATUS_MXR) && (pte & PTE_X));
    default:
        return (pte & PTE_W) != 0;
    }
}

enum answer {
    ALLOWED,
    REFUSED,  // a page fault
    OUTDATED, // the page table must be read again
};

// Step 9: sets A and, if the page is written, D, if the entry is still as it was read.
static enum answer mark_used(struct hart *h, struct translation *t, enum access access) {
    uint64_t wanted = t->pte | PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);
    if (wanted == t->pte)
        return ALLOWED;
    if (has_profile(h, PROFILE_SVADE))
        return REFUSED;
    if (physical_read(h->system, t->address, 8) != t->pte ||
        !physical_write(h->system, t->address, 8, wanted))
        return OUTDATED;
    t->pte = wanted;
    struct listener *l = h->system->listener;
    if (l != NULL && l->marked != NULL)
        l->marked(l, h, t->address);
    return ALLOWED;
}

static enum answer use(struct hart *h, struct translation *t, enum access access,
                       enum privilege privilege) {
    if (!(t->pte & PTE_V) || !is_allowed(h, t->pte, access, privilege))
        return REFUSED;
    return mark_used(h, t, access);
}

// Chooses the entry that serves the page, NULL if the page table is to be read. With PROFILE_TLB it
// is, until the next tick, an old one or one that was read since the last tick.
static struct translation *choose(struct hart *h, uint64_t page) {
    struct translation *found[TLB_WAYS];
    unsigned count = tlb_find(&h->tlb, page, space_of(h), found), old = 0;
    if (count == 0)
        return NULL;
    while (old < count && found[old]->read_at <= h->tlb.mood_at)
        old++;
    uint64_t mood = mood_for(h, page);
    if (has_profile(h, PROFILE_TLB) && old > 0 && (mood & 3) != 0)
        return found[(mood >> 2) % old];
    return old < count || !has_profile(h, PROFILE_TLB) ? found[count - 1] : NULL;
}

// ---- Addresses ----

static uint64_t physical_address(const struct translation *t, uint64_t va) {
    uint64_t inside = (UINT64_C(1) << (PAGE_SHIFT + LEVEL_BITS * t->level)) - 1;
    return (walk_target(t->pte) & ~inside) | (va & inside);
}

static bool keeps(const struct hart *h, const struct translation *t, enum step step) {
    return step == STEP_LEAF || (has_profile(h, PROFILE_TLB) && (mood_for(h, t->page) >> 32 & 1));
}

// Reads the page table, and keeps and uses what is there.
static bool translate_anew(struct hart *h, uint64_t va, enum access access, enum privilege p,
                           uint64_t *pa) {
    struct translation t;
    enum step step = walk(h, va >> PAGE_SHIFT, &t);
    enum answer answer = step == STEP_FAULT ? OUTDATED : use(h, &t, access, p);
    if (answer == OUTDATED)
        return access_fault(h, va, access);
    if (keeps(h, &t, step))
        fast_forget_page(h, tlb_add(&h->tlb, t));
    if (answer == REFUSED)
        return page_fault(h, va, access);
    *pa = physical_address(&t, va);
    return true;
}

static bool is_canonical(uint64_t va) {
    return (uint64_t)(SIGNED(va << 25) >> 25) == va; // bits 63 to 39 are copies of bit 38
}

bool translate(struct hart *h, uint64_t va, enum access access, uint64_t *pa) {
    enum privilege p = access == ACCESS_FETCH ? h->r.privilege : fast_privilege(h);
    *pa = va;
    if (!fast_is_translated(h, p))
        return true;
    if (!is_canonical(va))
        return page_fault(h, va, access);
    struct translation *known = choose(h, va >> PAGE_SHIFT);
    if (known == NULL)
        return translate_anew(h, va, access, p, pa);
    assert(tlb_may_use(&h->tlb, known));
    enum answer answer = use(h, known, access, p);
    *pa = physical_address(known, va);
    if (answer == ALLOWED)
        return true;
    if (answer == REFUSED && has_profile(h, PROFILE_TLB))
        return page_fault(h, va, access);
    tlb_drop(known);
    fast_forget_page(h, va >> PAGE_SHIFT);
    return translate_anew(h, va, access, p, pa);
}

bool translate_peek(const struct hart *h, uint64_t va, uint64_t *pa) {
    uint64_t page = va >> PAGE_SHIFT;
    *pa = va;
    if (!fast_is_translated(h, h->r.privilege))
        return true;
    if (!is_canonical(va))
        return false;
    const struct translation *known = choose((struct hart *)h, page);
    struct translation t = {.page = page};
    struct place p = first_place(h, page);
    enum step step = STEP_TABLE;
    if (known != NULL && (known->pte & PTE_V)) {
        *pa = physical_address(known, va);
        return true;
    }
    while (step == STEP_TABLE) {
        t.level = p.level;
        step = walk_step(h->system, p.table, p.level, page, &t.address, &t.pte);
        if (step == STEP_TABLE)
            p = after(&t);
    }
    *pa = physical_address(&t, va);
    return step == STEP_LEAF;
}

void translate_fence(struct hart *h, uint64_t va, uint64_t asid) {
    if (!has_profile(h, PROFILE_TLB))
        tlb_fence(&h->tlb, TLB_ALL, TLB_ALL);
    else if (va == TLB_ALL || is_canonical(va))
        tlb_fence(&h->tlb, va == TLB_ALL ? TLB_ALL : va >> PAGE_SHIFT, asid);
    fast_forget(h);
    struct listener *l = h->system->listener;
    if (l != NULL && l->fenced != NULL)
        l->fenced(l, h, va, asid);
}

void translate_switch(struct hart *h) {
    if (!has_profile(h, PROFILE_TLB))
        tlb_fence(&h->tlb, TLB_ALL, TLB_ALL);
    fast_forget(h);
    fast_select(h);
}

// ---- What happens by chance ----

// Returns the number of an entry in a table: mostly one that is used.
static unsigned any_entry(const struct system *s, uint64_t table, uint64_t random) {
    unsigned first = random % TABLE_ENTRIES;
    for (unsigned i = 0; (random >> 16 & 3) != 0 && i < TABLE_ENTRIES; i++) {
        unsigned entry = (first + i) % TABLE_ENTRIES;
        if (physical_read(s, table + entry * 8, 8) != 0)
            return entry;
    }
    return first;
}

// Walks to a page that nobody has asked for.
static void walk_ahead(struct hart *h) {
    uint64_t table = (h->r.satp & SATP_PPN) << PAGE_SHIFT, page = 0, address, pte;
    enum step step = STEP_TABLE;
    for (unsigned level = LEVELS; level-- > 0;) {
        uint64_t random = system_random(h->system);
        bool is_table = step == STEP_TABLE && bus_is_memory(&h->system->bus, table, PAGE_BYTES);
        page = page << LEVEL_BITS | (is_table ? any_entry(h->system, table, random) : 0);
        if (!is_table)
            continue;
        step = walk_step(h->system, table, level, page << LEVEL_BITS * level, &address, &pte);
        table = walk_target(pte);
    }
    uint64_t va = SIGNED(page << 37) >> 25;
    struct translation t;
    step = walk(h, va >> PAGE_SHIFT, &t);
    if (step != STEP_FAULT && keeps(h, &t, step))
        fast_forget_page(h, tlb_add(&h->tlb, t));
}

void translate_tick(struct hart *h) {
    if (!has_profile(h, PROFILE_TLB))
        return;
    h->tlb.mood = system_random(h->system);
    h->tlb.mood_at = h->tlb.clock;
    if (h->tlb.mood >> 60 & 1)
        tlb_evict(&h->tlb, system_random(h->system));
    for (unsigned i = 0; i < SPECULATIVE_WALKS && fast_is_translated(h, h->r.privilege); i++)
        walk_ahead(h);
    fast_forget(h);
}
