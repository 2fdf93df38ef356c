// The translation lookaside buffer: rows by page number, in which entries are replaced in turn.
#include "cpu/tlb.h"

#include <stddef.h>

enum { LEVEL_BITS = 9 };

static bool is_valid(const struct tlb *t, const struct translation *e) {
    return e->read_at > t->fenced_at;
}

static bool is_in_space(const struct translation *e, uint32_t asid) {
    return e->is_global || e->asid == asid;
}

// True if the tables of both pages are the same down to that level.
static bool is_same_entry(uint64_t a, uint64_t b, unsigned level) {
    return a >> LEVEL_BITS * level == b >> LEVEL_BITS * level;
}

static struct translation *row_of(struct tlb *t, uint64_t page) {
    return t->entries[page % TLB_ROWS];
}

unsigned tlb_find(struct tlb *t, uint64_t page, uint32_t asid,
                  struct translation *found[TLB_WAYS]) {
    struct translation *row = row_of(t, page);
    unsigned count = 0;
    for (unsigned i = 0; i < TLB_WAYS; i++) {
        struct translation *e = &row[i];
        if (!is_valid(t, e) || e->page != page || !is_in_space(e, asid))
            continue;
        unsigned place = count++;
        for (; place > 0 && found[place - 1]->read_at > e->read_at; place--)
            found[place] = found[place - 1];
        found[place] = e;
    }
    return count;
}

const struct translation *tlb_find_pointer(const struct tlb *t, uint64_t page, uint32_t asid,
                                           unsigned level) {
    for (unsigned i = 0; i < TLB_POINTERS; i++) {
        const struct translation *e = &t->pointers[i];
        if (is_valid(t, e) && e->level == level && is_same_entry(e->page, page, level) &&
            is_in_space(e, asid))
            return e;
    }
    return NULL;
}

// Returns the one that was read first; those that are gone come before.
static struct translation *oldest(struct tlb *t, struct translation *entries, unsigned count) {
    struct translation *first = entries;
    for (unsigned i = 0; i < count; i++) {
        if (!is_valid(t, &entries[i]))
            return &entries[i];
        if (entries[i].read_at < first->read_at)
            first = &entries[i];
    }
    return first;
}

uint64_t tlb_add(struct tlb *t, struct translation read) {
    struct translation *e = oldest(t, row_of(t, read.page), TLB_WAYS);
    uint64_t gone = is_valid(t, e) ? e->page : TLB_NO_PAGE;
    read.read_at = ++t->clock;
    *e = read;
    return gone;
}

void tlb_add_pointer(struct tlb *t, struct translation read) {
    read.read_at = ++t->clock;
    *oldest(t, t->pointers, TLB_POINTERS) = read;
}

void tlb_drop(struct translation *entry) {
    entry->read_at = 0;
}

void tlb_evict(struct tlb *t, uint64_t random) {
    for (unsigned i = 0; i < TLB_WAYS; i++)
        tlb_drop(&row_of(t, random >> 8 * i)[i]);
    tlb_drop(&t->pointers[(random >> 40) % TLB_POINTERS]);
}

// ---- Fences ----

// A fence for one page covers leaves only.
static bool is_covered(const struct translation *e, uint64_t page, uint64_t asid, bool is_leaf) {
    if (asid != TLB_ALL && (e->is_global || e->asid != asid))
        return false;
    return page == TLB_ALL || (is_leaf && is_same_entry(e->page, page, e->level));
}

void tlb_fence(struct tlb *t, uint64_t page, uint64_t asid) {
    t->clock++;
    t->fences[t->fence_count++ % TLB_FENCES] = (struct fence){t->clock, page, asid};
    if (page == TLB_ALL && asid == TLB_ALL) {
        t->fenced_at = t->clock;
        return;
    }
    for (unsigned i = 0; i < TLB_ROWS * TLB_WAYS; i++) {
        struct translation *e = &t->entries[i / TLB_WAYS][i % TLB_WAYS];
        if (is_covered(e, page, asid, true))
            tlb_drop(e);
    }
    for (unsigned i = 0; i < TLB_POINTERS; i++) {
        if (is_covered(&t->pointers[i], page, asid, false))
            tlb_drop(&t->pointers[i]);
    }
}

bool tlb_may_use(const struct tlb *t, const struct translation *entry) {
    bool is_pointer = entry->level > 0 && (entry->pte & 0xf) == 1; // valid, and gives no right
    for (unsigned i = 1; i <= TLB_FENCES; i++) {
        const struct fence *f = &t->fences[(t->fence_count - i) % TLB_FENCES];
        if (f->at <= entry->read_at)
            break; // so are those before
        bool is_for_page = !is_pointer && f->page >> LEVEL_BITS * entry->level ==
                                              entry->page >> LEVEL_BITS * entry->level;
        bool is_for_space = !entry->is_global && f->asid == entry->asid;
        if ((f->page == TLB_ALL || is_for_page) && (f->asid == TLB_ALL || is_for_space))
            return false;
    }
    return true;
}
