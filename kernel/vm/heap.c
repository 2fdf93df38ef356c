// The heap: growing it maps zeroed memory, and shrinking it unmaps pages.
#include "vm/heap.h"
#include "abi/errno.h"

int heap_move_end(struct addrspace *as, int64_t delta, vaddr_t *old_end) {
    vaddr_t old = as->heap_end, new = old + (uint64_t)delta;
    if (delta < 0 && new > old)
        return -EINVAL;
    if (new > USER_END)
        return -ENOMEM;
    vaddr_t old_page = round_up(old, PAGE_SIZE), new_page = round_up(new, PAGE_SIZE);
    if (new_page > old_page &&
        addrspace_map_zero(as, old_page, new_page, PROT_READ | PROT_WRITE, "heap") != 0)
        return -ENOMEM; // also if a mapping is in the way
    if (new_page < old_page) {
        int error = addrspace_unmap(as, new_page, old_page);
        if (error)
            return error;
    }
    as->heap_end = new;
    *old_end = old;
    return 0;
}
