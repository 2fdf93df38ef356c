// Address spaces: a sorted list of regions that do not overlap, and the page table that caches what
// has been resolved of them. One process at a time runs in a space, so neither needs a lock.
#pragma once
#include "vm/pagetable.h"
#include "vm/region.h"

enum { REGIONS_MAX = 32 };

struct addrspace {
    struct pool *pool;   // where it comes from
    struct pagetable pt; // without a root the space does not exist
    unsigned users;      // atomic: processes in it (a vfork child borrows its parent's), or regions
                         // that map it as shared memory
    vaddr_t heap_end;    // sbrk(0)
    unsigned region_count;
    struct region regions[REGIONS_MAX + 1]; // one more, for a moment, while a region is merged
};

// ---- Life ----

// Boot: sets the memory for spaces aside.
void addrspace_init(void);

// An empty space with one user. NULL: out of memory.
struct addrspace *addrspace_create(void);

// An object for shared memory of that size, with frames promised for it: a space that no process
// runs in and whose page table says which frames are where. NULL: out of memory, or too many
// objects.
struct addrspace *addrspace_create_shared(uint64_t size);

// Adds a user.
struct addrspace *addrspace_get(struct addrspace *as);

// Drops a user; the last one destroys the space, which must not be in use on any hart (asserted for
// this one). May sleep.
void addrspace_put(struct addrspace *as);

// Makes the running task use the space.
void addrspace_activate(struct addrspace *as);

// Calls visit for every space. The other harts must be stopped.
void addrspace_each(void (*visit)(struct addrspace *as));

// ---- Lookup ----

// The region that covers va, or NULL.
const struct region *addrspace_find(const struct addrspace *as, vaddr_t va);

// The region that covers va, or else the next one above it, or NULL.
const struct region *addrspace_next(const struct addrspace *as, vaddr_t va);

// ---- Mapping ----

// Adds a region where none is, merged with a neighbour of the same kind. Takes over the caller's
// reference to the backing's object on success. Errors: -ENOMEM (too many regions, or not enough
// memory for what is promised or reserved), -EINVAL (bad bounds, or it overlaps another).
int addrspace_map(struct addrspace *as, const struct region *r);

// The same for private zeroed memory, with a frame promised for each page.
int addrspace_map_zero(struct addrspace *as, vaddr_t start, vaddr_t end, unsigned protection,
                       const char *name);

// As addrspace_map, but in place of what is there; on failure that stays. May sleep. Errors:
// -ENOMEM.
int addrspace_replace(struct addrspace *as, const struct region *r);

// Takes the range (page-aligned) out of all regions and drops its pages and promises. May sleep.
// Errors: -ENOMEM if a region would have to be split and there are too many; nothing has changed.
int addrspace_unmap(struct addrspace *as, vaddr_t start, vaddr_t end);

// ---- Fork ----

// Makes child, which is empty, a copy of parent: copy-on-write pages are shared until they are
// written (or copied at once, after addrspace_fork_eagerly), all others always. Errors: -ENOMEM;
// then child is partly filled.
int addrspace_fork(struct addrspace *child, struct addrspace *parent);

// Boot: from now on fork copies.
void addrspace_fork_eagerly(void);
