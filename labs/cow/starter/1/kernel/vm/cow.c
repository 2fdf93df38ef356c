// Copy-on-write: sharing the pages of a region, and breaking the sharing of one. Not written yet:
// fork copies every page at once, and no entry has the mark.
#include "vm/cow.h"
#include "abi/errno.h"
#include "lib/print.h"
#include "vm/fault.h"

int cow_share(struct addrspace *child, struct addrspace *parent, const struct region *r) {
    // Your code here. What this does instead is an eager fork.
    return pt_copy(&child->pt, &parent->pt, r->start, r->end);
}

int cow_break(struct addrspace *as, const struct region *r, vaddr_t va, const struct mapping *m) {
    // Your code here. The process whose page this is gets killed instead.
    print("cow_break: not written yet, wanted for 0x%lx (%s)\n", (unsigned long)va, r->name);
    return -ENOSYS;
}
