// Shared memory.
#include "vm/backing_shared.h"
#include "lib/panic.h"
#include "sync/spinlock.h"
#include "vm/addrspace.h"
#include "vm/backing_zero.h"

static struct spinlock shared_lock = SPINLOCK(RANK_SHARED); // guards the page tables of all objects

// Makes the object's page at that place, where its page table has none yet.
static int make_page(struct addrspace *object, vaddr_t place, struct frame **frame) {
    int error = zero_get_page(&object->regions[0], place, frame); // its only region
    if (error)
        return error;
    if (pt_map(&object->pt, place, (struct mapping){.frame = *frame, .rights = PROT_READ}) != 0)
        panic("shared memory has no table for a page that it granted");
    return 0;
}

// The first process to touch a page puts it into the object's own page table, where all others find
// it.
static int shared_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    struct addrspace *object = r->object;
    struct mapping m;
    vaddr_t place = va + r->offset; // in the object
    int error = 0;
    spin_lock(&shared_lock);
    if (!pt_lookup(&object->pt, place, &m))
        error = make_page(object, place, &m.frame);
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
