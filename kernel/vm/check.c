// The invariant checker. It visits every entry of every page table, compares it with its region,
// and counts how many entries map each frame, for mem/frame.c to compare with the frame's reference
// count.
#include "vm/check.h"
#include "arch/pte.h"
#include "lib/print.h"
#include "mem/frame.h"
#include "sched/stop.h"
#include "vm/addrspace.h"

enum { LINES_MAX = 10 }; // how many violations are printed

static size_t violations;

static void report(const char *what, const struct addrspace *as, vaddr_t va) {
    if (violations++ >= LINES_MAX)
        return;
    print("check: %s: address 0x%lx of the space at %p\n", what, (unsigned long)va,
          (const void *)as);
}

// I2, I3 and I6: checks what the entry at va grants.
static void check_entry(const struct addrspace *as, vaddr_t va, const struct mapping *m) {
    const struct region *r = addrspace_find(as, va);
    if (r == NULL) {
        report("I3: a page outside all regions", as, va);
        return;
    }
    bool writable = m->rights & PROT_WRITE, marked = m->rights & ENTRY_COW;
    if (m->rights & ~(r->protection | (unsigned)ENTRY_COW))
        report("I3: an entry grants more than its region", as, va);
    if (!r->backing->shared && writable && frame_is_shared(m->frame))
        report("I2: a writable page of a private region is shared", as, va);
    if (marked != (region_is_cow(r) && !writable))
        report("I6: the copy-on-write bit is wrong", as, va);
}

// I1 holds for tables, too: each is counted for the one entry that points to it, a root for its
// space.
static void note_tables(const pte_t *table, int level) {
    unsigned count = level == ROOT_LEVEL ? USER_ENTRIES : TABLE_ENTRIES;
    frame_note_entry(frame_of(table));
    for (unsigned i = 0; level > 0 && i < count; i++) {
        if (pte_is_table(table[i]))
            note_tables(phys_to_ptr(pte_phys(table[i])), level - 1);
    }
}

static void check_space(struct addrspace *as) {
    struct mapping m;
    for (vaddr_t va = 0; pt_next(&as->pt, &va, USER_END, &m); va += PAGE_SIZE) {
        frame_note_entry(m.frame);
        check_entry(as, va, &m);
    }
    note_tables(as->pt.root, ROOT_LEVEL);
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
