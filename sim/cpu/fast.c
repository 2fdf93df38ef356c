// Pages that a hart knows.
#include "cpu/fast.h"

enum privilege fast_privilege(const struct hart *h) {
    if (h->r.status & STATUS_MPRV)
        return (h->r.status & STATUS_MPP) >> STATUS_MPP_SHIFT;
    return h->r.privilege;
}

bool fast_is_translated(const struct hart *h, enum privilege privilege) {
    return privilege != MACHINE && (h->r.satp & SATP_MODE) == SATP_SV39;
}

void fast_select(struct hart *h) {
    enum privilege privilege = fast_privilege(h);
    unsigned set = h->stores.count > 0                 ? FAST_NOTHING
                   : !fast_is_translated(h, privilege) ? FAST_PHYSICAL
                   : privilege == USER                 ? FAST_USER
                                                       : FAST_SUPERVISOR;
    h->data = &h->sets[set];
}

void fast_remember(struct hart *h, uint64_t va, const uint8_t *bytes, bool is_write) {
    struct fast_entry *e = fast_of(h, va);
    uint64_t tag = va & ~(uint64_t)(PAGE_BYTES - 1);
    if (h->data == &h->sets[FAST_NOTHING] || breakpoints_watch_page(&h->system->breakpoints, va))
        return;
    if (e->bytes != bytes || (e->read_tag != tag && e->write_tag != tag))
        e->read_tag = e->write_tag = FAST_NONE;
    if (is_write)
        e->write_tag = tag;
    else
        e->read_tag = tag;
    e->bytes = (uint8_t *)bytes;
    h->is_used[(h->data - h->sets)] = true;
}

static void forget(struct fast_entry *e) {
    e->read_tag = e->write_tag = FAST_NONE;
}

void fast_init(struct hart *h) {
    for (unsigned set = 0; set < FAST_SETS; set++)
        h->is_used[set] = true;
    fast_forget(h);
}

void fast_forget(struct hart *h) {
    for (unsigned set = 0; set < FAST_SETS; set++) {
        for (unsigned i = 0; h->is_used[set] && i < FAST_ENTRIES; i++)
            forget(&h->sets[set][i]);
        h->is_used[set] = false;
    }
    code_forget(h);
}

void fast_forget_all(struct system *s) {
    for (unsigned i = 0; i < s->hart_count; i++)
        fast_forget(&s->harts[i]);
}

void fast_forget_page(struct hart *h, uint64_t page) {
    uint64_t tag = page * PAGE_BYTES;
    for (unsigned set = 0; set < FAST_SETS; set++) {
        struct fast_entry *e = &h->sets[set][page % FAST_ENTRIES];
        if (e->read_tag == tag || e->write_tag == tag)
            forget(e);
    }
    if (h->code_start == tag)
        code_forget(h);
}

void fast_forget_bytes(struct system *s, const uint8_t *bytes, enum fast_part part) {
    for (unsigned i = 0; i < s->hart_count * FAST_SETS * FAST_ENTRIES; i++) {
        struct hart *h = &s->harts[i / (FAST_SETS * FAST_ENTRIES)];
        struct fast_entry *e = &h->sets[i / FAST_ENTRIES % FAST_SETS][i % FAST_ENTRIES];
        if (e->bytes != bytes)
            continue;
        e->write_tag = FAST_NONE;
        if (part == FAST_READS_AND_WRITES)
            e->read_tag = FAST_NONE;
    }
}
