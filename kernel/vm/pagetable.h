// Page tables of processes: the lower half of a Sv39 tree whose upper half is the kernel's. Only
// the functions of this file, of vm/forktable.h and of vm/table.h write entries, and they flush
// from the hart's TLB whatever it may hold of an entry that they change. Each present entry owns
// one reference to its frame.
#pragma once
#include "vm/mapping.h"
#include "vm/tree.h"

struct pagetable {
    pte_t *root;
};

// ---- Life ----

// Boot: sets the tree whose upper half every page table gets.
void pt_set_kernel_root(const pte_t *root);

// Makes an empty page table. Errors: -ENOMEM.
int pt_init(struct pagetable *pt);

// Unmaps all pages, drops their references, and frees the tables. Accepts a zeroed struct.
void pt_destroy(struct pagetable *pt);

// Returns the physical address of the root.
static inline paddr_t pt_phys(const struct pagetable *pt) {
    return ptr_to_phys(pt->root);
}

// ---- Lookup ----

// Fills in m and returns true if the page at va is present.
static inline bool pt_lookup(const struct pagetable *pt, vaddr_t va, struct mapping *m) {
    const pte_t *pointer = tree_find_pointer(pt->root, va);
    if (pointer == NULL || !pte_is_table(*pointer))
        return false;
    const pte_t *pte = &table_of(*pointer)[pte_index(va, 0)];
    if (!(pte->bits & PTE_V))
        return false;
    *m = mapping_decode(pte);
    return true;
}

// Finds the first present page at or after *va and below end. Fills in m, stores the page's address
// in *va and returns true; returns false if there is none.
bool pt_next(const struct pagetable *pt, vaddr_t *va, vaddr_t end, struct mapping *m);

// Returns how many pages from start to end are present.
size_t pt_count(const struct pagetable *pt, vaddr_t start, vaddr_t end);

// ---- Mapping ----

// Maps m at va, where nothing is mapped. On success the table takes over the caller's reference to
// the frame; on failure (-ENOMEM) the caller keeps it.
int pt_map(struct pagetable *pt, vaddr_t va, struct mapping m);

// Replaces the present page at va by m. Drops the table's reference to the old frame and takes over
// the caller's to the new one.
void pt_replace(struct pagetable *pt, vaddr_t va, struct mapping m);

// Changes what the present entry at va grants.
void pt_protect(struct pagetable *pt, vaddr_t va, unsigned rights);

// Unmaps all pages from start to end and drops their references. Returns how many there were.
size_t pt_unmap(struct pagetable *pt, vaddr_t start, vaddr_t end);

// Makes the tables for all pages from start to end, and its own those that are shared, so that
// mapping the pages cannot fail. Errors: -ENOMEM.
int pt_prepare(struct pagetable *pt, vaddr_t start, vaddr_t end);

// Frees the tables that serve addresses from start to end, where nothing may be mapped: only whole
// leaf tables, so both are multiples of what one covers.
void pt_free_tables(struct pagetable *pt, vaddr_t start, vaddr_t end);
