// Copy-on-write: sharing the pages of a region, and breaking the sharing of one.
#include "vm/cow.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "vm/fault.h"

int cow_share(struct addrspace *child, struct addrspace *parent, const struct region *r) {
    unsigned rights = (r->protection & ~(unsigned)PROT_WRITE) | ENTRY_COW;
    struct mapping m;
    for (vaddr_t va = r->start; pt_next(&parent->pt, &va, r->end, &m); va += PAGE_SIZE) {
        frame_get(m.frame);
        if (pt_map(&child->pt, va, (struct mapping){m.frame, rights}) != 0) {
            frame_put(m.frame);
            return -ENOMEM;
        }
        pt_protect(&parent->pt, va, rights);
    }
    return 0;
}

int cow_break(struct addrspace *as, const struct region *r, vaddr_t va, const struct mapping *m) {
    if (!frame_is_shared(m->frame)) {
        pt_protect(&as->pt, va, r->protection);
        fault_count(FAULT_COW_REUSE);
        return 0;
    }
    struct frame *copy = frame_alloc(FRAME_USER);
    if (copy == NULL)
        return -ENOMEM;
    frame_copy(copy, m->frame);
    pt_replace(&as->pt, va, (struct mapping){copy, r->protection});
    mmu_flush_instructions();
    fault_count(FAULT_COW_COPY);
    return 0;
}
