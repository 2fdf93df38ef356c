// The block cache. Slots are found by a hash of the block number. Those without references are in
// the list `unused`, least recently used first (LRU); empty ones, which belong to no block, go to
// its front. A slot whose frame is still mapped by a process is skipped; if it is empty, it is
// given a new frame.
#include "fs/cache.h"
#include "abi/errno.h"
#include "abi/memory.h"
#include "arch/address.h"
#include "dev/disk.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "mem/pool.h"

enum { SLOTS_MIN = 512, SLOTS_MAX = 16384, RAM_SHARE = 16 };

static struct spinlock lock = SPINLOCK(RANK_CACHE);
static struct waitq waiters = WAITQ(waiters);  // [lock] for the end of a read, or for a slot
static struct list unused = LIST_INIT(unused); // [lock]
static struct block **buckets;                 // [lock] heads of the hash chains
static struct pool slots;                      // those that were never used
static char *next_page;                        // [lock] the frame for the next of these slots
static size_t slot_count;                      // [I] a power of two
static size_t reserved_count;                  // [lock]

static_assert(BLOCK_SIZE == PAGE_SIZE && PAGE_BYTES == PAGE_SIZE, "a block fills a frame");
static_assert(CACHE_MAPPED + CACHE_RESERVED + CACHE_LOGGED < CACHE_ALL,
              "some slots always become free again");

void cache_init(uint64_t ram_bytes) {
    slot_count = SLOTS_MIN;
    while (slot_count < SLOTS_MAX && slot_count * 2 * BLOCK_SIZE <= ram_bytes / RAM_SHARE)
        slot_count *= 2;
    pool_init(&slots, sizeof(struct block), slot_count);
    next_page = frame_set_aside(slot_count * BLOCK_SIZE);
    buckets = frame_set_aside(slot_count * sizeof *buckets);
    memset(buckets, 0, slot_count * sizeof *buckets);
}

size_t cache_size(void) {
    return slot_count;
}

// ---- Slots ----

// Returns the link that points to the block's slot, or the one at the end of its hash chain.
static struct block **link_to(uint32_t number) {
    assert(spin_held(&lock));
    struct block **link = &buckets[number & (slot_count - 1)];
    while (*link != NULL && (*link)->number != number)
        link = &(*link)->next;
    return link;
}

// True if no process maps the unused slot's frame. If one does, an empty slot is given a new frame
// first.
static bool has_own_frame(struct block *b) {
    struct frame *old = frame_of(b->data);
    if (!frame_is_shared(old))
        return true;
    struct frame *new = b->valid ? NULL : frame_alloc(FRAME_CACHE);
    if (new == NULL)
        return false;
    b->data = frame_ptr(new);
    frame_put(old);
    return true;
}

// Returns a slot that was never used, or NULL.
static struct block *alloc_slot(void) {
    struct block *b = pool_alloc_zeroed(&slots);
    if (b == NULL)
        return NULL;
    b->data = next_page;
    next_page += BLOCK_SIZE;
    frame_adopt(b->data, FRAME_CACHE);
    list_init(&b->link);
    return b;
}

// Takes out of `unused` the least recently used slot that has a frame of its own. Slots that are
// skipped go to the end of the list. Returns NULL if there is none.
static struct block *evict(void) {
    assert(spin_held(&lock));
    for (size_t tries = slot_count; tries > 0 && !list_is_empty(&unused); tries--) {
        struct block *b = block_of(unused.next);
        list_remove(&b->link);
        if (has_own_frame(b)) {
            if (b->valid)
                *link_to(b->number) = b->next;
            return b;
        }
        list_add_tail(&unused, &b->link);
    }
    return NULL;
}

// Gives the block a slot, without contents; returns NULL if none is free.
static struct block *assign_slot(uint32_t number) {
    struct block *b = alloc_slot();
    if (b == NULL)
        b = evict();
    if (b == NULL)
        return NULL;
    b->valid = false;
    b->number = number;
    b->next = NULL;
    *link_to(number) = b;
    return b;
}

// Adds a reference.
static void get_slot(struct block *b) {
    assert(spin_held(&lock));
    if (b->references++ == 0)
        list_remove(&b->link);
}

// Drops a reference. An empty slot without references is the next to be used again.
static void put_slot(struct block *b) {
    assert(spin_held(&lock) && b->references > 0);
    if (--b->references > 0)
        return;
    if (b->valid) {
        list_add_tail(&unused, &b->link);
    } else {
        *link_to(b->number) = b->next;
        list_add_head(&unused, &b->link);
    }
    wait_wake_all(&waiters);
}

// Returns the block's slot, assigned now if it had none. Out of line, so that finding a block that
// is in the cache stays short.
static __attribute__((noinline)) struct block *find_or_assign(uint32_t number) {
    struct block *b;
    while ((b = *link_to(number)) == NULL && (b = assign_slot(number)) == NULL)
        wait_sleep(&waiters, &lock);
    return b;
}

// Returns the block's slot with a reference when no other task reads into it. The lock is held on
// return.
static struct block *lock_slot(uint32_t number) {
    rank_take(RANK_BLOCK);
    spin_lock(&lock);
    struct block *b = *link_to(number);
    if (b == NULL)
        b = find_or_assign(number);
    get_slot(b);
    while (b->reading)
        wait_sleep(&waiters, &lock);
    return b;
}

// Reads the contents. Drops the lock meanwhile. Out of line, as above.
static __attribute__((noinline)) void read_contents(struct block *b) {
    struct disk_request r = {
        .operation = DISK_READ, .block = b->number, .count = 1, .pages = {b->data}};
    b->reading = true;
    spin_unlock(&lock);
    disk_submit(&r);
    int error = disk_wait(&r);
    spin_lock(&lock);
    b->reading = false;
    b->valid = error == 0;
    wait_wake_all(&waiters);
}

// ---- One block ----

int cache_get(uint32_t number, struct block **found) {
    struct block *b = lock_slot(number);
    if (!b->valid)
        read_contents(b);
    bool is_good = b->valid;
    spin_unlock(&lock);
    if (!is_good) {
        cache_put(b);
        return -EIO;
    }
    *found = b;
    return 0;
}

struct block *cache_get_blank(uint32_t number) {
    struct block *b = lock_slot(number);
    b->valid = true;
    spin_unlock(&lock);
    return b;
}

struct block *cache_find(uint32_t number) {
    rank_take(RANK_BLOCK);
    spin_lock(&lock);
    struct block *b = *link_to(number);
    if (b != NULL)
        get_slot(b);
    spin_unlock(&lock);
    if (b == NULL)
        rank_drop(RANK_BLOCK);
    return b;
}

void cache_put(struct block *b) {
    spin_lock(&lock);
    put_slot(b);
    spin_unlock(&lock);
    rank_drop(RANK_BLOCK);
}

void cache_put_logged(struct block *b) {
    spin_lock(&lock);
    put_slot(b);
    spin_unlock(&lock);
}

void cache_discard(struct block *b) {
    spin_lock(&lock);
    if (b->references == 1)
        b->valid = false; // otherwise the disk is damaged: another file uses the block, too
    put_slot(b);
    spin_unlock(&lock);
    rank_drop(RANK_BLOCK);
}

// ---- Mapping ----

static struct frame *map_frame(struct block *b) {
    struct frame *f = frame_of(b->data);
    frame_get(f);
    return f;
}

int cache_map(struct block *b, struct frame **frame) {
    spin_lock(&lock);
    bool enough = frame_mapped_cache_count() < slot_count / CACHE_ALL * CACHE_MAPPED;
    if (enough)
        *frame = map_frame(b);
    spin_unlock(&lock);
    return enough ? 0 : -ENOMEM;
}

struct frame *cache_map_reserved(struct block *b) {
    return map_frame(b);
}

int cache_reserve(int64_t pages) {
    spin_lock(&lock);
    bool enough = pages <= (int64_t)(slot_count / CACHE_ALL * CACHE_RESERVED - reserved_count);
    if (enough)
        reserved_count += (size_t)pages;
    spin_unlock(&lock);
    return enough ? 0 : -ENOMEM;
}
