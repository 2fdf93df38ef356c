// Shared memory.
#include "vm/backing_shared.h"
#include "sync/spinlock.h"
#include "vm/addrspace.h"
#include "vm/backing_zero.h"

static struct spinlock shared_lock = SPINLOCK(RANK_SHARED); // the page tables of all objects

// The first process to touch a page puts it into the object's own page table, where all others find
// it.
static int shared_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    struct addrspace *object = r->object;
    struct mapping m = {.rights = PROT_READ};
    int error = 0;
    spin_lock(&shared_lock);
    if (!pt_lookup(&object->pt, va + r->offset, &m)) {
        error = zero_get_page(object->regions, va, &m.frame);
        if (error == 0)
            error = pt_map(&object->pt, va + r->offset, m); // cannot fail: the tables are prepared
    }
    if (error == 0)
        frame_get(m.frame);
    spin_unlock(&shared_lock);
    *frame = m.frame;
    return error;
}

static void shared_get(void *object) {
    addrspace_get(object);
}

static void shared_put(void *object) {
    addrspace_put(object);
}

const struct backing backing_shared = {.name = "shared",
                                       .fill_kind = FAULT_SHARED,
                                       .shared = true,
                                       .get_page = shared_get_page,
                                       .get = shared_get,
                                       .put = shared_put};
