// Copy-on-write: the two halves, sharing at fork and breaking at a write.
#include "vm/cow.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "vm/faultcount.h"
#include "vm/forktable.h"

int cow_share(struct pagetable *child, struct pagetable *parent, const struct region *r) {
    assert(region_is_cow(r));
    return pt_share_as(child, parent, r->start, r->end, rights_marked(r));
}

int cow_break(struct pagetable *pt, const struct region *r, vaddr_t va, const struct mapping *m) {
    assert(region_is_cow(r));
    assert(m->rights & ENTRY_COW);
    if (!mapping_is_shared(m)) { // the last owner gets write access back without a copy
        pt_protect(pt, va, rights_writable(r));
        fault_count(FAULT_COW_REUSE);
        return 0;
    }
    // The reference to the old frame is dropped last: until the frame has been copied, another
    // owner's exit must not free it.
    struct frame *copy = frame_alloc(FRAME_USER);
    if (copy == NULL)
        return -ENOMEM;
    frame_copy(copy, m->frame);
    pt_replace(pt, va, (struct mapping){.frame = copy, .rights = rights_writable(r)});
    if (r->protection & PROT_EXEC)
        mmu_flush_instructions();
    fault_count(FAULT_COW_COPY);
    return 0;
}
