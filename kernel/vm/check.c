// The invariant checker. It visits every entry of every page table, compares it with its region,
// and counts how many entries map each frame, for mem/frame.c to compare with the frame's reference
// count. The entries of a leaf table that several spaces share are compared with the regions of
// each, but counted once.
#include "vm/check.h"
#include "arch/pte.h"
#include "lib/print.h"
#include "mem/frame.h"
#include "sched/stop.h"
#include "vm/addrspace.h"
#include "vm/tree.h"

enum { LINES_MAX = 10 }; // how many violations are printed

static size_t violations;

static void report(const char *what, const struct addrspace *as, vaddr_t va) {
    if (violations++ >= LINES_MAX)
        return;
    print("check: %s: address 0x%lx of the space at %p\n", what, (unsigned long)va,
          (const void *)as);
}

// ---- Entries ----

// I2, I3 and I6: checks what the entry at va grants.
static void check_entry(struct addrspace *as, vaddr_t va, struct mapping m) {
    const struct region *r = addrspace_find(as, va);
    if (r == NULL) {
        report("I3: a page outside all regions", as, va);
        return;
    }
    bool writable = m.rights & PROT_WRITE, marked = m.rights & ENTRY_COW;
    if (m.rights & ~(r->protection | (unsigned)ENTRY_COW))
        report("I3: an entry grants more than its region", as, va);
    if (!r->backing->shared && writable && mapping_is_shared(&m))
        report("I2: a writable page of a private region is shared", as, va);
    if (marked != (region_is_cow(r) && !writable))
        report("I6: the copy-on-write bit is wrong", as, va);
}

// Checks the entries of the leaf table that serves addresses from va on.
static void check_entries(struct addrspace *as, vaddr_t va, const pte_t *leaf) {
    for (const pte_t *pte = leaf; pte < leaf + TABLE_ENTRIES; pte++, va += PAGE_SIZE) {
        if (pte->bits & PTE_V)
            check_entry(as, va, mapping_decode(pte));
    }
}

// ---- Tables ----

// Checks the table, which is of that level. I1 holds for tables, too: each is counted for the
// entries that point to it, a root for its space.
static void check_table(const struct addrspace *as, const pte_t *table, int level) {
    struct frame *f = frame_of(table);
    unsigned count = level == ROOT_LEVEL ? USER_ENTRIES : TABLE_ENTRIES, used = 0;
    frame_note_entry(f);
    if (f->seen > 1)
        return; // another space shares it, and has come here first
    for (unsigned i = 0; i < count; i++) {
        if (!(table[i].bits & PTE_V))
            continue;
        used++;
        if (level > 0)
            check_table(as, table_of(table[i]), level - 1);
        else
            frame_note_entry(frame_of_phys(pte_phys(table[i])));
    }
    if (used != table_used(table))
        report("I8: a table has the wrong number of entries in use", as, (vaddr_t)table);
    if (table_is_shared(table) && !table_is_sealed(table))
        report("I8: a table is shared, but not sealed", as, (vaddr_t)table);
    table_each_spare(table, frame_note_entry);
}

static void check_space(struct addrspace *as) {
    vaddr_t va = 0;
    for (pte_t *pointer; (pointer = tree_next_pointer(as->pt.root, &va, USER_END)) != NULL;
         va = tree_next_table(va))
        check_entries(as, va, table_of(*pointer));
    check_table(as, as->pt.root, ROOT_LEVEL);
}

// I6: the copy-on-write bit must not be one that belongs to the hardware.
static void check_cow_bit(void) {
    uint64_t wrong = PTE_COW & ~(uint64_t)PTE_SOFTWARE;
    if (wrong == 0)
        return;
    violations++;
    print("check: I6: the copy-on-write bit 0x%lx is one that the hardware uses: "
          "take bit 8 or 9\n",
          (unsigned long)PTE_COW);
}

size_t vm_check(void) {
    sched_stop_others();
    violations = 0;
    frame_check_begin();
    addrspace_each(check_space);
    if (violations > LINES_MAX)
        print("check: and %lu more entries\n", (unsigned long)(violations - LINES_MAX));
    check_cow_bit();
    violations += frame_check_end();
    size_t found = violations;
    sched_resume_others();
    return found;
}
