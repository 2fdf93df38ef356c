// Tables: the pages that a tree of page tables is made of. Each knows how many of its entries are
// in use, so that nothing searches an empty table, or the empty part of one.
//
// A leaf table can be shared by several trees, copy-on-write, just as a page can: the entries that
// point to it are its owners, and its frame counts them. A shared table never changes. An owner
// that wants to change an entry first gets a copy of the table (table_own), unless all other owners
// are gone by then. Each owner but one has set a frame aside for its copy, so that this cannot
// fail.
//
// A table is sealed before it is shared: each of its entries is what fork wants to see in parent
// and child. It stays sealed until an owner wants to change it, so that a second fork finds nothing
// to do.
#pragma once
#include "arch/pte.h"
#include "mem/frame.h"

// Returns a table of which no entry is in use, or NULL if memory is exhausted.
pte_t *table_alloc(void);

// Frees a table that nobody shares and of which no entry is in use.
void table_free(pte_t *table);

// Makes the entry, which is free, point to a new table. Errors: -ENOMEM.
int table_make(pte_t *entry);

// As table_make, unless the entry points to a table already.
static inline int table_ensure(pte_t *entry) {
    return pte_is_table(*entry) ? 0 : table_make(entry);
}

// Returns the table to which an entry points.
static inline pte_t *table_of(pte_t pte) {
    return phys_to_ptr(pte_phys(pte));
}

// Returns how many entries of the table are in use.
static inline unsigned table_used(const pte_t *table) {
    return frame_of(table)->entries;
}

// Returns how many of `count` entries of a table, beginning with `entry`, are in use.
unsigned table_count(const pte_t *entry, unsigned count);

// Notes that n more entries of the table that `entry` belongs to are in use now.
static inline void table_add_used(const pte_t *entry, unsigned n) {
    frame_of(entry)->entries += n;
}

// Changes an entry of a table that nobody shares.
static inline void table_set(pte_t *entry, pte_t pte) {
    table_add_used(entry, (pte.bits & PTE_V) - (entry->bits & PTE_V));
    *entry = pte;
}

// ---- Sharing ----

static inline bool table_is_sealed(const pte_t *leaf) {
    return frame_of(leaf)->sealed;
}

// Notes that the leaf table is sealed.
static inline void table_seal(pte_t *leaf) {
    frame_of(leaf)->sealed = true;
}

// Adds an owner of a sealed leaf table: the caller stores an entry that points to it. Errors:
// -ENOMEM (no frame for a copy).
int table_share(pte_t *leaf);

// True if the leaf table has other owners.
static inline bool table_is_shared(const pte_t *leaf) {
    return frame_is_shared(frame_of(leaf));
}

// Replaces the leaf table to which *pointer points by a copy if it is shared, and flushes the
// hart's TLB. Returns the frame of the table that *pointer points to then.
struct frame *table_replace_by_copy(pte_t *pointer);

// Returns the leaf table to which *pointer points, for changing it: unsealed, and the caller's own.
static inline pte_t *table_own(pte_t *pointer) {
    struct frame *f = frame_of_phys(pte_phys(*pointer));
    if (frame_is_shared(f))
        f = table_replace_by_copy(pointer);
    f->sealed = false;
    return table_of(*pointer);
}

// Drops the ownership of a leaf table, to which no entry of the caller's points any more. The last
// owner frees it, and drops the references to its pages.
void table_drop(pte_t *leaf);

// Calls visit for each frame that is set aside for a copy of the table. The other harts must be
// stopped.
void table_each_spare(const pte_t *table, void (*visit)(struct frame *spare));
