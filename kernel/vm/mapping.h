// What the entry of a present page says: which frame it maps, and what it grants.
#pragma once
#include "abi/mman.h"
#include "arch/pte.h"
#include "mem/frame.h"
#include "vm/table.h"

// The copy-on-write bit (vm/cow.h), beside the PROT_ bits.
enum { ENTRY_COW = 1 << 3 };

struct mapping {
    struct frame *frame;
    unsigned rights;    // PROT_ bits and ENTRY_COW
    const pte_t *entry; // of a page that was looked up: where it was found; else NULL
};

// True if others own the frame of a present page, too: by entries of their own, or because they
// share the leaf table that its entry is in. (Nobody shares the table of a page that has only just
// been mapped and was not looked up.) The table comes first: its last other owner may be getting a
// copy, whose entry is counted before the table is left.
static inline bool mapping_is_shared(const struct mapping *m) {
    bool in_shared_table = m->entry != NULL && table_is_shared(m->entry);
    return in_shared_table || frame_is_shared(m->frame);
}

// ---- As an entry of a page table ----

static_assert(PROT_READ << 1 == PTE_R && PROT_WRITE << 1 == PTE_W && PROT_EXEC << 1 == PTE_X,
              "rights are shifted to become bits of an entry");

// The bits of a present entry. W without R is reserved. A and D are set in advance, because some
// harts fault where others would set them.
static inline uint64_t mapping_bits(unsigned rights) {
    uint64_t bits = PTE_V | PTE_U | PTE_A | (rights & PROT_ALL) << 1;
    if (rights & PROT_WRITE)
        bits |= PTE_R | PTE_D;
    if (rights & ENTRY_COW)
        bits |= PTE_COW;
    return bits;
}

static inline pte_t mapping_encode(struct mapping m) {
    return pte_make(frame_phys(m.frame), mapping_bits(m.rights));
}

// Returns a present entry that maps the same frame, and grants `rights`.
static inline pte_t mapping_change(pte_t entry, unsigned rights) {
    return (pte_t){(entry.bits & PTE_PAGE_NUMBER) | mapping_bits(rights)};
}

static inline struct mapping mapping_decode(const pte_t *entry) {
    uint64_t bits = entry->bits;
    unsigned mark = bits & PTE_COW ? ENTRY_COW : 0;
    return (struct mapping){.frame = frame_of_phys(pte_phys(*entry)),
                            .rights = (bits >> 1 & PROT_ALL) | mark,
                            .entry = entry};
}
