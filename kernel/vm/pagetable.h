// Page tables of processes: the lower half of a Sv39 tree whose upper half is the kernel's. The
// only code that writes entries. Each present entry owns one reference to its frame.
#pragma once
#include "abi/mman.h"
#include "abi/types.h"
#include "arch/pte.h"
#include "mem/frame.h"

struct pagetable {
    pte_t *root;
};

// What an entry grants: PROT_ bits, and the copy-on-write mark: its region allows writing, the
// entry does not, because the frame is or was shared.
enum { ENTRY_COW = 1 << 3 };

struct mapping {
    struct frame *frame;
    unsigned rights; // PROT_ bits and ENTRY_COW
};

// Boot: the tree whose upper half every page table gets.
void pt_set_kernel_root(const pte_t *root);
// An empty table. Errors: -ENOMEM.
int pt_init(struct pagetable *pt);
// Frees the tables; no page may be mapped any more. Accepts a zeroed struct.
void pt_destroy(struct pagetable *pt);
paddr_t pt_phys(const struct pagetable *pt);
// Fills in m and returns true if the page at va is present.
bool pt_lookup(const struct pagetable *pt, vaddr_t va, struct mapping *m);
// Finds the first present page at or after *va and below end; stores its address in *va.
bool pt_next(const struct pagetable *pt, vaddr_t *va, vaddr_t end, struct mapping *m);
// Maps m at va, where nothing is mapped. On success the table takes over the caller's reference to
// the frame; on failure (-ENOMEM) the caller keeps it.
int pt_map(struct pagetable *pt, vaddr_t va, struct mapping m);
// Maps m in place of the present page at va, whose reference it drops; takes over the caller's.
void pt_replace(struct pagetable *pt, vaddr_t va, struct mapping m);
// Changes what the present entry at va grants.
void pt_protect(struct pagetable *pt, vaddr_t va, unsigned rights);
// Makes the tables for all pages from start to end, so that mapping them cannot fail. Errors:
// -ENOMEM.
int pt_prepare(struct pagetable *pt, vaddr_t start, vaddr_t end);
// Map all present pages of parent from start to end in child as well, where nothing is mapped:
// pt_share as they are, pt_share_cow with writing taken away and the mark set in both. Errors:
// -ENOMEM; the pages done so far stay shared.
int pt_share(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end);
int pt_share_cow(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end);
// Maps a copy of each present page of parent from start to end in child, where nothing is mapped;
// marked ones may be written there. Errors: -ENOMEM; the pages done so far stay.
int pt_copy(struct pagetable *child, const struct pagetable *parent, vaddr_t start, vaddr_t end);
// Unmaps all pages from start to end and drops their references; returns how many there were.
size_t pt_unmap(struct pagetable *pt, vaddr_t start, vaddr_t end);
// Frees the tables that only serve addresses from start to end, where nothing may be mapped.
void pt_free_tables(struct pagetable *pt, vaddr_t start, vaddr_t end);
// For the checker: calls visit for the frame of each table below the root's upper half, and the
// root.
void pt_each_table(const struct pagetable *pt, void (*visit)(struct frame *f));
