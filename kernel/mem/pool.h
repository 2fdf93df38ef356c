// Pools: a fixed number of objects of one size. Their memory is set aside at boot, and is not
// touched until an object is first used.
#pragma once
#include "abi/types.h"
#include "sync/spinlock.h"

struct pool {
    struct spinlock lock;
    size_t object_bytes;
    size_t object_count;
    size_t used_count; // [lock] objects that were ever handed out
    void *free;        // [lock] list of free objects, linked by their first word
    char *objects;     // [I]
};

// Boot only: sets the memory aside. object_bytes is at least 8.
void pool_init(struct pool *p, size_t object_bytes, size_t object_count);

// Returns an object with undefined contents, or NULL if all are in use.
void *pool_alloc(struct pool *p);

// As pool_alloc, but filled with zeroes.
void *pool_alloc_zeroed(struct pool *p);

void pool_free(struct pool *p, void *object);

// Returns the i-th object that was ever handed out, in use or free, or NULL if there are fewer. The
// other harts must be stopped.
void *pool_at(const struct pool *p, size_t i);
