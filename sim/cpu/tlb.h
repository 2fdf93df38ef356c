// The translation lookaside buffer of a hart: page table entries that it has read, and may go on
// using until a fence covers them, whatever memory holds by then.
// RISC-V Privileged Architecture, "Supervisor Memory-Management Fence Instruction".
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { TLB_ROWS = 64, TLB_WAYS = 4, TLB_POINTERS = 16, TLB_FENCES = 16 };

// An entry of a page table, as it was read. Entries of large pages serve one page of 4 KiB each.
struct translation {
    uint64_t page;    // virtual page number
    uint64_t pte;     // a leaf, a pointer to the next table, or 0: an invalid entry
    uint64_t address; // where it was read
    uint64_t read_at; // by the TLB's clock; 0: never
    uint32_t asid;
    uint16_t level; // of the table; 0 is that of 4 KiB pages
    uint16_t is_global;
};

// An SFENCE.VMA.
struct fence {
    uint64_t at;   // by the TLB's clock
    uint64_t page; // virtual page number; TLB_ALL
    uint64_t asid; // TLB_ALL
};

#define TLB_ALL UINT64_MAX
#define TLB_NO_PAGE UINT64_MAX

struct tlb {
    uint64_t clock;     // counts what was read, and fences
    uint64_t fenced_at; // what was read until then is gone
    uint64_t mood;      // decides which of several entries is used, until the next tick
    uint64_t mood_at;   // by the clock
    struct translation entries[TLB_ROWS][TLB_WAYS];
    struct translation pointers[TLB_POINTERS];
    struct fence fences[TLB_FENCES]; // the last ones, for tlb_may_use
    uint64_t fence_count;
};

// Finds the entries that serve that page, newest last. Returns how many there are.
unsigned tlb_find(struct tlb *t, uint64_t page, uint32_t asid, struct translation *found[TLB_WAYS]);

// Finds the pointer to the next table that was read at that level; NULL if none is known.
const struct translation *tlb_find_pointer(const struct tlb *t, uint64_t page, uint32_t asid,
                                           unsigned level);

// Adds what was just read. tlb_add returns the page that an entry had to leave for, or TLB_NO_PAGE.
uint64_t tlb_add(struct tlb *t, struct translation read);
void tlb_add_pointer(struct tlb *t, struct translation read);

// Drops one entry.
void tlb_drop(struct translation *entry);

// Drops a part of the entries, chosen by that number.
void tlb_evict(struct tlb *t, uint64_t random);

// Executes an SFENCE.VMA for a page and an address space, or TLB_ALL of them.
void tlb_fence(struct tlb *t, uint64_t page, uint64_t asid);

// The oracle: true if no fence since the entry was read covers it.
bool tlb_may_use(const struct tlb *t, const struct translation *entry);
