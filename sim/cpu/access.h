// Memory as a hart's instructions see it. The inline functions serve what is already known, and
// call the others otherwise.
#pragma once
#include "cpu/hart.h"

#include <string.h>

// Notes the exception that the instruction raises; returns false.
bool access_fails(struct hart *h, uint32_t exception, uint64_t value);

// Read or write any number of bytes up to 8 at a virtual address, in devices, too. If false is
// returned, the instruction ends with the exception in h. What was written before the fault, if a
// range crosses into a page that faults for another reason than its translation, stays written.
bool access_read(struct hart *h, uint64_t va, unsigned bytes, uint64_t *value);
bool access_write(struct hart *h, uint64_t va, unsigned bytes, uint64_t value);

// Translates va for an atomic instruction, which needs its natural alignment and memory. Stores the
// physical address.
bool access_atomic(struct hart *h, uint64_t va, unsigned bytes, bool writes, uint64_t *pa);

// Sets h->code to the page from which the hart executes at pc.
bool access_fetch(struct hart *h, uint64_t pc);

// Reads the instruction at pc, which may cross a page.
bool access_fetch_instruction(struct hart *h, uint64_t pc, uint32_t *bits);

// Memory at a physical address, 1 to 8 bytes within a page. memory_write returns false if the host
// has no more memory.
uint64_t memory_read(const struct system *s, uint64_t pa, unsigned bytes);
bool memory_write(struct system *s, uint64_t pa, unsigned bytes, uint64_t value);

// As memory_write, for a range that may cross pages, which must be memory.
bool memory_fill(struct system *s, uint64_t pa, const void *bytes, uint64_t count);

// Forget what a hart, or all, know about addresses: all of it.
void fast_forget(struct hart *h);
void fast_forget_all(struct system *s);

// Forgets what harts know about writing to the page of that physical address.
void fast_forget_writes(struct system *s, uint64_t pa);

// Forgets the hart's place in decoded code, which depends on translation.
static inline void code_forget(struct hart *h) {
    h->code_start = FAST_NONE;
}

// Chooses the set of known addresses that fits the hart's privilege. To be called when it, or what
// mstatus says about accesses, has changed.
void fast_select(struct hart *h);

static inline struct fast_entry *fast_of(struct hart *h, uint64_t va) {
    return &(*h->data)[va / PAGE_BYTES % FAST_ENTRIES];
}

// The tag with which an access of that size is compared. If the access is not aligned, the lowest
// three bits say so, and it is not served here; the other bits of the offset are 0.
static inline uint64_t fast_tag(uint64_t va, unsigned bytes) {
    return va & ~(uint64_t)(PAGE_BYTES - bytes);
}
