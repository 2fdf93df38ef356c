// Pools: objects that were never used are handed out in order, freed ones from a list.
#include "mem/pool.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frame.h"

void pool_init(struct pool *p, size_t object_bytes, size_t object_count) {
    assert(object_bytes >= sizeof(void *));
    *p = (struct pool){
        .lock = SPINLOCK(RANK_POOL),
        .object_bytes = object_bytes,
        .object_count = object_count,
        .objects = frame_set_aside(object_bytes * object_count),
    };
}

void *pool_alloc(struct pool *p) {
    void *object = NULL;
    spin_lock(&p->lock);
    if (p->free != NULL) {
        object = p->free;
        p->free = *(void **)object;
    } else if (p->used_count < p->object_count) {
        object = p->objects + p->used_count++ * p->object_bytes;
    }
    spin_unlock(&p->lock);
    return object;
}

void *pool_alloc_zeroed(struct pool *p) {
    void *object = pool_alloc(p);
    return object != NULL ? memset(object, 0, p->object_bytes) : NULL;
}

void *pool_at(const struct pool *p, size_t i) {
    return i < p->used_count ? p->objects + i * p->object_bytes : NULL;
}

void pool_free(struct pool *p, void *object) {
    spin_lock(&p->lock);
    *(void **)object = p->free;
    p->free = object;
    spin_unlock(&p->lock);
}
