// Shared memory.
#include "vm/backing_shared.h"
#include "lib/panic.h"
#include "sync/spinlock.h"
#include "vm/addrspace.h"
#include "vm/backing_zero.h"

static struct spinlock shared_lock = SPINLOCK(RANK_SHARED); // guards the page tables of all objects

// The first process to touch a page puts it into the object's own page table, where all others find
// it.
static int shared_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    struct addrspace *object = r->object;
    struct mapping m = {.rights = PROT_READ};
    vaddr_t place = va + r->offset; // in the object
    int error = 0;
    spin_lock(&shared_lock);
    if (!pt_lookup(&object->pt, place, &m)) {
        error = zero_get_page(object->regions, place, &m.frame);
        if (error == 0 && pt_map(&object->pt, place, m) != 0)
            panic("shared memory has no table for a page that it granted");
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
