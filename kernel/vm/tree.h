// A page table is a tree: the root points to middle tables, these to leaf tables, whose entries map
// pages. This is how the entry for an address is found. Entries that point to leaf tables are
// called pointers here.
#pragma once
#include "arch/mmu.h"
#include "arch/thread.h"
#include "lib/panic.h"
#include "vm/table.h"

// ---- The TLB ----

// True if the hart uses the tree. Its TLB holds only entries of the one in use, because mmu_switch
// flushes it.
static inline bool tree_is_active(const pte_t *root) {
    return thread_self()->satp == mmu_satp(ptr_to_phys(root));
}

// Flushes all that the TLB holds of the tree.
static inline void tree_flush(const pte_t *root) {
    if (tree_is_active(root))
        mmu_flush();
}

// ---- The way to an entry ----

// Returns the pointer to va's leaf table, or NULL if the middle table that it would be in is
// missing.
static inline pte_t *tree_find_pointer(const pte_t *root, vaddr_t va) {
    assert(va < USER_END);
    pte_t top = root[pte_index(va, ROOT_LEVEL)];
    return pte_is_table(top) ? &table_of(top)[pte_index(va, 1)] : NULL;
}

// As tree_find_pointer, but makes the middle table. Returns NULL if memory is exhausted.
pte_t *tree_make_pointer(pte_t *root, vaddr_t va);

// Returns the entry for va, for changing it: copies the leaf table if it is shared. Returns NULL if
// it is missing.
static inline pte_t *tree_own_entry(pte_t *root, vaddr_t va) {
    pte_t *pointer = tree_find_pointer(root, va);
    if (pointer == NULL || !pte_is_table(*pointer))
        return NULL;
    return &table_own(pointer)[pte_index(va, 0)];
}

// Makes va's leaf table, which is missing, and returns the entry for va. Returns NULL if memory is
// exhausted; then nothing has changed.
pte_t *tree_make_leaf(pte_t *root, vaddr_t va);

// As tree_own_entry, but makes the tables that are missing. Returns NULL if memory is exhausted;
// then nothing has changed.
static inline pte_t *tree_make_entry(pte_t *root, vaddr_t va) {
    pte_t *entry = tree_own_entry(root, va);
    return entry != NULL ? entry : tree_make_leaf(root, va);
}

// Frees the middle table on the way to va if none of its entries is in use any more.
void tree_free_middle(pte_t *root, vaddr_t va);

// ---- From leaf table to leaf table ----

// Moves *va up to the first address whose leaf table exists, and returns the pointer to that table.
// Returns NULL if there is none below end.
pte_t *tree_next_pointer(const pte_t *root, vaddr_t *va, vaddr_t end);

// Returns the first address that va's leaf table does not serve any more.
static inline vaddr_t tree_next_table(vaddr_t va) {
    return round_down(va, pte_span(1)) + pte_span(1);
}

// Returns how many of the pages from va to `end` va's leaf table serves.
static inline unsigned tree_pages_in_table(vaddr_t va, vaddr_t end) {
    return (unsigned)((min(tree_next_table(va), end) - va) / PAGE_SIZE);
}
