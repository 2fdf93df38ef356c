// Pages that a hart knows: where the host keeps their bytes.
#pragma once
#include "cpu/hart.h"

// Returns the privilege with which loads and stores are made.
enum privilege fast_privilege(const struct hart *h);

// True if accesses with that privilege go through the page table.
bool fast_is_translated(const struct hart *h, enum privilege privilege);

// Chooses the set of known pages that fits the hart's privilege. To be called when it, or what
// mstatus says about accesses, or whether stores wait in the buffer, has changed.
void fast_select(struct hart *h);

// From now on, reads of that page of memory, or writes, are quick.
void fast_remember(struct hart *h, uint64_t va, const uint8_t *bytes, bool is_write);

void fast_init(struct hart *h);

// Forget what a hart, or all, know: all of it, or a virtual page.
void fast_forget(struct hart *h);
void fast_forget_all(struct system *s);
void fast_forget_page(struct hart *h, uint64_t page);

// Forget what harts know about the page that has its bytes there, or only that it can be written.
enum fast_part { FAST_READS_AND_WRITES, FAST_WRITES };
void fast_forget_bytes(struct system *s, const uint8_t *bytes, enum fast_part part);

// Forgets the hart's place in decoded code, which depends on translation.
static inline void code_forget(struct hart *h) {
    h->code_start = FAST_NONE;
}

static inline struct fast_entry *fast_of(struct hart *h, uint64_t va) {
    return &(*h->data)[va / PAGE_BYTES % FAST_ENTRIES];
}

// The tag with which an access of that size is compared. If the access is not aligned, the lowest
// three bits say so, and it is not served here; the other bits of the offset are 0.
static inline uint64_t fast_tag(uint64_t va, unsigned bytes) {
    return va & ~(uint64_t)(PAGE_BYTES - bytes);
}
