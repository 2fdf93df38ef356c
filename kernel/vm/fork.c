// Fork: region by region.
#include "vm/fork.h"
#include "lib/panic.h"
#include "vm/cow.h"
#include "vm/forktable.h"

static bool forks_eagerly; // [I] set at boot

void fork_set_eager(void) {
    forks_eagerly = true;
}

static int fork_pages(struct addrspace *child, struct addrspace *parent, const struct region *r) {
    if (!region_is_cow(r))
        return pt_share(&child->pt, &parent->pt, r->start, r->end);
    if (forks_eagerly)
        return pt_copy(&child->pt, &parent->pt, r->start, r->end, rights_writable(r));
    return cow_share(&child->pt, &parent->pt, r);
}

int fork_space(struct addrspace *child, struct addrspace *parent) {
    assert(child->region_count == 0);
    child->heap_end = parent->heap_end;
    for (unsigned i = 0; i < parent->region_count; i++) {
        const struct region *r = &parent->regions[i];
        int error = addrspace_inherit(child, r);
        if (error)
            return error;
        error = fork_pages(child, parent, r);
        if (error)
            return error;
    }
    return 0;
}
