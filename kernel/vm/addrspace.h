// Address spaces: a sorted list of regions that do not overlap, and the page table that caches what
// has been resolved of them. One user runs in a space at a time, so neither needs a lock.
#pragma once
#include "vm/pagetable.h"
#include "vm/region.h"

enum { REGIONS_MAX = 32 };

struct addrspace {
    struct pool *pool;   // where it comes from
    struct pagetable pt; // without a root the space does not exist
    unsigned users; // atomic: processes in it (a vfork child borrows its parent's), or mappings of
                    // shared memory
    vaddr_t heap_end; // sbrk(0)
    unsigned region_count;
    struct region regions[REGIONS_MAX + 1];
};

// Boot.
void addrspace_init(void);
// An empty space with one user, or NULL.
struct addrspace *addrspace_create(void);
// An object for shared memory of that size, with frames promised for it: a space in which nobody
// runs and whose page table says which frames are where. NULL: no memory, or too many objects.
struct addrspace *addrspace_create_shared(uint64_t size);
// Adds a user.
struct addrspace *addrspace_get(struct addrspace *as);
// Drops a user; the last one destroys the space, which must not be in use on any hart. May sleep.
void addrspace_put(struct addrspace *as);
// Makes the running task use the space.
void addrspace_activate(struct addrspace *as);
// The region that covers va, or NULL. / The region that covers va or else the next one above, or
// NULL.
const struct region *addrspace_find(const struct addrspace *as, vaddr_t va);
const struct region *addrspace_next(const struct addrspace *as, vaddr_t va);
// Where a new region of that size can be: at `hint`, if that is page-aligned and free, else as high
// as possible. 0: nowhere.
vaddr_t addrspace_place(const struct addrspace *as, vaddr_t hint, uint64_t size);
// Adds a region where none is, merged with a neighbour of the same kind. Takes over the caller's
// reference to the backing's object on success. Errors: -ENOMEM (too many regions, or what is
// promised or reserved for it is not to be had), -EINVAL (bad bounds, or it overlaps another).
int addrspace_map(struct addrspace *as, const struct region *r);
// The same for private zeroed memory, with a frame promised for each page.
int addrspace_map_zero(struct addrspace *as, vaddr_t start, vaddr_t end, unsigned protection,
                       const char *name);
// As addrspace_map, in place of what is there, which on failure stays. Errors: -ENOMEM. May sleep.
int addrspace_replace(struct addrspace *as, const struct region *r);
// Takes the range (page-aligned) out of all regions and drops its pages and promises. May sleep.
// Errors: -ENOMEM when a region would have to be split and there are too many; nothing has changed.
int addrspace_unmap(struct addrspace *as, vaddr_t start, vaddr_t end);
// Makes child, which is empty, a copy of parent: private pages copy-on-write (or copied at once,
// after addrspace_fork_eagerly), others shared. On failure (-ENOMEM) child is partly filled.
int addrspace_fork(struct addrspace *child, struct addrspace *parent);
void addrspace_fork_eagerly(void);
// Moves the end of the heap by delta bytes and stores the old one. New memory is promised. Errors:
// -ENOMEM (no room or not enough memory), -EINVAL (below 0).
int addrspace_move_heap(struct addrspace *as, int64_t delta, vaddr_t *old_end);
// Counts the present pages, and the pages that regions cover.
void addrspace_measure(const struct addrspace *as, uint64_t *resident, uint64_t *covered);
// Calls visit for every space. No other hart may be in the kernel.
void addrspace_each(void (*visit)(struct addrspace *as));
