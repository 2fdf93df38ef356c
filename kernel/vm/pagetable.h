// Page tables of processes: the lower half of a Sv39 tree whose upper half is the kernel's. Only
// the functions of this file write entries, and they flush from the hart's TLB whatever it may hold
// of an entry that they change. Each present entry owns one reference to its frame.
#pragma once
#include "abi/mman.h"
#include "abi/types.h"
#include "arch/pte.h"
#include "mem/frame.h"

struct pagetable {
    pte_t *root;
};

// What an entry grants: PROT_ bits, and the copy-on-write bit (vm/cow.h).
enum { ENTRY_COW = 1 << 3 };

struct mapping {
    struct frame *frame;
    unsigned rights; // PROT_ bits and ENTRY_COW
};

// ---- Life ----

// Boot: sets the tree whose upper half every page table gets.
void pt_set_kernel_root(const pte_t *root);

// Makes an empty page table. Errors: -ENOMEM.
int pt_init(struct pagetable *pt);

// Frees the tables; no page may be mapped any more (asserted with DEBUG). Accepts a zeroed struct.
void pt_destroy(struct pagetable *pt);

// Returns the physical address of the root.
paddr_t pt_phys(const struct pagetable *pt);

// ---- Lookup ----

// Fills in m and returns true if the page at va is present.
bool pt_lookup(const struct pagetable *pt, vaddr_t va, struct mapping *m);

// Finds the first present page at or after *va and below end. Fills in m, stores the page's address
// in *va and returns true; returns false if there is none.
bool pt_next(const struct pagetable *pt, vaddr_t *va, vaddr_t end, struct mapping *m);

// ---- Mapping ----

// Maps m at va, where nothing is mapped. On success the table takes over the caller's reference to
// the frame; on failure (-ENOMEM) the caller keeps it.
int pt_map(struct pagetable *pt, vaddr_t va, struct mapping m);

// Replaces the present page at va by m. Drops the table's reference to the old frame and takes over
// the caller's to the new one.
void pt_replace(struct pagetable *pt, vaddr_t va, struct mapping m);

// Changes what the present entry at va grants.
void pt_protect(struct pagetable *pt, vaddr_t va, unsigned rights);

// Unmaps all pages from start to end and drops their references; returns how many there were.
size_t pt_unmap(struct pagetable *pt, vaddr_t start, vaddr_t end);

// Makes the tables for all pages from start to end, so that mapping them cannot fail. Errors:
// -ENOMEM.
int pt_prepare(struct pagetable *pt, vaddr_t start, vaddr_t end);

// Frees the tables that serve only addresses from start to end, where nothing may be mapped.
void pt_free_tables(struct pagetable *pt, vaddr_t start, vaddr_t end);

// ---- Fork ----

// Map all present pages of parent from start to end in child, too, where nothing is mapped yet.
// With pt_share the child's entries grant what the parent's do; pt_share_as makes both grant
// `rights`. Errors: -ENOMEM; the pages shared so far stay shared.
int pt_share(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end);
int pt_share_as(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end,
                unsigned rights);

// Copies each present page of parent from start to end, and maps the copies in child, where nothing
// is mapped yet, with entries that grant `rights`. Errors: -ENOMEM; the pages copied so far stay.
int pt_copy(struct pagetable *child, const struct pagetable *parent, vaddr_t start, vaddr_t end,
            unsigned rights);
