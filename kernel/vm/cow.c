// Copy-on-write: sharing the pages of a region, and breaking the sharing of one.
#include "vm/cow.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "vm/fault.h"

int cow_share(struct addrspace *child, struct addrspace *parent, const struct region *r) {
    return pt_share_cow(&child->pt, &parent->pt, r->start, r->end);
}

int cow_break(struct addrspace *as, const struct region *r, vaddr_t va, const struct mapping *m) {
    assert(m->rights & ENTRY_COW);
    if (!frame_is_shared(m->frame)) {
        pt_protect(&as->pt, va, r->protection);
        fault_count(FAULT_COW_REUSE);
        return 0;
    }
    // The old frame is given up last: until it is copied, another owner's exit must not free it.
    struct frame *copy = frame_alloc(FRAME_USER);
    if (copy == NULL)
        return -ENOMEM;
    frame_copy(copy, m->frame);
    pt_replace(&as->pt, va, (struct mapping){copy, r->protection});
    if (r->protection & PROT_EXEC)
        mmu_flush_instructions();
    fault_count(FAULT_COW_COPY);
    return 0;
}
