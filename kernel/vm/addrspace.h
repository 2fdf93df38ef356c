// Address spaces: a sorted list of regions, which do not overlap, and a page table, which caches
// the pages that have been resolved so far. Only one process at a time runs in a space, so neither
// needs a lock. (No process runs in an object of shared memory: vm/backing_shared.c locks its page
// table.)
#pragma once
#include "vm/pagetable.h"
#include "vm/region.h"

enum { REGIONS_MAX = 32 };

struct addrspace {
    struct pool *pool;   // the pool that it was allocated from
    struct pagetable pt; // without a root the slot is free
    unsigned users;      // atomic: the processes in it (a vfork child borrows its parent's), or the
                         // regions that map it as shared memory
    vaddr_t heap_end;    // sbrk(0)
    unsigned region_count;
    unsigned last_found; // the region that addrspace_find looks at first, if it is still there
    struct region regions[REGIONS_MAX + 1]; // one spare, for a region about to be merged
};

// ---- Life ----

// Boot: sets aside the memory for the address spaces of so many processes.
void addrspace_init(unsigned processes);

// Makes an empty space with one user. Returns NULL if memory is exhausted.
struct addrspace *addrspace_create(void);

// Makes an object for shared memory of that size, and reserves frames for it. The object is a space
// in which no process runs; its page table records the frame of each page. Returns NULL if memory
// is exhausted or there are too many objects.
struct addrspace *addrspace_create_shared(uint64_t size);

// Adds a user.
struct addrspace *addrspace_get(struct addrspace *as);

// Drops a user; the last one destroys the space, which must not be in use on any hart (asserted for
// this one). May sleep.
void addrspace_put(struct addrspace *as);

// Switches the running task to the space.
void addrspace_activate(struct addrspace *as);

// Calls visit for every space and every object of shared memory. The other harts must be stopped.
void addrspace_each(void (*visit)(struct addrspace *as));

// ---- Lookup ----

// Returns the region that covers va, or NULL.
const struct region *addrspace_find(struct addrspace *as, vaddr_t va);

// Returns the region that covers va, or else the next one above it, or NULL.
const struct region *addrspace_next(const struct addrspace *as, vaddr_t va);

// ---- Mapping ----

// Adds a region where there is none, and merges it with neighbours of the same kind. Takes over the
// caller's reference to the backing's object on success. Errors: -ENOMEM (too many regions, or not
// enough memory for what must be reserved), -EINVAL (bad bounds, or it overlaps another).
int addrspace_map(struct addrspace *as, const struct region *r);

// As addrspace_map, for private zeroed memory with a frame promised for each page.
int addrspace_map_zero(struct addrspace *as, vaddr_t start, vaddr_t end, unsigned protection,
                       const char *name);

// Adds a copy of a parent's region above all others, without the parent's promise. Gets a reference
// to the backing's object. Errors: -ENOMEM.
int addrspace_inherit(struct addrspace *as, const struct region *r);

// As addrspace_map, but replaces what is mapped there; on failure nothing has changed. May sleep.
// Errors: -ENOMEM.
int addrspace_replace(struct addrspace *as, const struct region *r);

// Removes the range (page-aligned) from all regions, and drops its pages and promises. May sleep.
// Errors: -ENOMEM if a region would have to be split but there are too many; nothing has changed.
int addrspace_unmap(struct addrspace *as, vaddr_t start, vaddr_t end);
