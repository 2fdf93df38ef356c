// The block cache. Slots are found by a hash of the block number; those without references wait in
// `unused`, longest first, to be given to another block; if they have no contents, they come first
// and stand for no block. One whose frame processes map is passed over if it has contents, else it
// gets a new frame.
#include "fs/cache.h"
#include "abi/errno.h"
#include "dev/disk.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "mem/pool.h"

enum { SLOTS_MIN = 512, SLOTS_MAX = 16384, RAM_SHARE = 16 };

static struct spinlock lock = SPINLOCK(RANK_CACHE);
static struct waitq waiters = WAITQ(waiters);  // [lock] for the end of a read, or a slot
static struct list unused = LIST_INIT(unused); // [lock]
static struct block **buckets;                 // [lock] heads of the hash chains
static struct pool slots;                      // those never used yet
static char *next_page;                        // [lock] the frame of the first of them
static size_t slot_count;                      // [I] a power of two
static size_t reserved_count;                  // [lock]

_Static_assert(CACHE_MAPPED + CACHE_RESERVED + CACHE_LOGGED < CACHE_ALL,
               "some slots always come back");

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

// Returns the link that leads to the block's slot, or the one at the end of its chain.
static struct block **slot_find(uint32_t number) {
    struct block **link = &buckets[number & (slot_count - 1)];
    while (*link != NULL && (*link)->number != number)
        link = &(*link)->next;
    return link;
}

// Tells whether the unused slot's frame is its own, if need be after giving it a new one.
static bool slot_has_frame(struct block *b) {
    struct frame *old = frame_of(b->data), *new;
    if (!frame_is_shared(old))
        return true;
    if (b->valid || (new = frame_alloc(FRAME_CACHE)) == NULL)
        return false;
    b->data = frame_ptr(new);
    frame_put(old);
    return true;
}

// Makes a slot that nobody needs stand for the block, without contents; NULL if there is none.
static struct block *slot_take(uint32_t number) {
    struct block *b = pool_alloc(&slots);
    if (b != NULL) {
        b->data = next_page;
        next_page += BLOCK_SIZE;
        frame_adopt(b->data, FRAME_CACHE);
        list_init(&b->link);
    }
    for (size_t tries = slot_count; b == NULL && tries > 0 && !list_is_empty(&unused); tries--) {
        struct block *first = block_of(unused.next);
        list_remove(&first->link);
        if (slot_has_frame(first))
            b = first;
        else
            list_add_tail(&unused, &first->link);
    }
    if (b == NULL)
        return NULL;
    if (b->valid)
        *slot_find(b->number) = b->next;
    b->valid = false;
    b->number = number;
    b->next = NULL;
    *slot_find(number) = b;
    return b;
}

// Returns the block's slot with a reference, a fresh one if there was none, once nobody reads into
// it.
static struct block *slot_get(uint32_t number) {
    struct block *b;
    rank_take(RANK_BLOCK);
    spin_lock(&lock);
    while ((b = *slot_find(number)) == NULL && (b = slot_take(number)) == NULL)
        wait_sleep(&waiters, &lock);
    if (b->references++ == 0)
        list_remove(&b->link);
    while (b->reading)
        wait_sleep(&waiters, &lock);
    return b;
}

int cache_get(uint32_t number, struct block **found) {
    struct block *b = *found = slot_get(number);
    if (!b->valid) {
        struct disk_request r = {
            .operation = DISK_READ, .block = number, .count = 1, .pages = {b->data}};
        b->reading = true;
        spin_unlock(&lock);
        disk_submit(&r);
        int error = disk_wait(&r);
        spin_lock(&lock);
        b->reading = false;
        b->valid = error == 0;
        wait_wake_all(&waiters);
    }
    bool is_good = b->valid;
    spin_unlock(&lock);
    if (!is_good)
        cache_put(b);
    return is_good ? 0 : -EIO;
}

struct block *cache_get_blank(uint32_t number) {
    struct block *b = slot_get(number);
    b->valid = true;
    spin_unlock(&lock);
    return b;
}

struct block *cache_find(uint32_t number) {
    rank_take(RANK_BLOCK);
    spin_lock(&lock);
    struct block *b = *slot_find(number);
    if (b != NULL && b->references++ == 0)
        list_remove(&b->link);
    spin_unlock(&lock);
    if (b == NULL)
        rank_drop(RANK_BLOCK);
    return b;
}

// Drops a reference; without contents the slot is the next to be used again.
static void slot_put(struct block *b) {
    if (--b->references > 0)
        return;
    if (b->valid) {
        list_add_tail(&unused, &b->link);
    } else {
        *slot_find(b->number) = b->next;
        list_add_head(&unused, &b->link);
    }
    wait_wake_all(&waiters);
}

void cache_put(struct block *b) {
    spin_lock(&lock);
    slot_put(b);
    spin_unlock(&lock);
    rank_drop(RANK_BLOCK);
}

void cache_discard(struct block *b) {
    spin_lock(&lock);
    if (b->references == 1)
        b->valid = false; // not so if a damaged disk uses the block twice
    slot_put(b);
    spin_unlock(&lock);
    rank_drop(RANK_BLOCK);
}

int cache_map(struct block *b, bool reserved, struct frame **frame) {
    *frame = frame_of(b->data);
    spin_lock(&lock);
    bool refused = !reserved && frame_mapped_cache_count() >= slot_count / CACHE_ALL * CACHE_MAPPED;
    if (!refused)
        frame_get(*frame);
    spin_unlock(&lock);
    return refused ? -ENOMEM : 0;
}

int cache_reserve(int64_t pages) {
    spin_lock(&lock);
    bool enough = pages <= (int64_t)(slot_count / CACHE_ALL * CACHE_RESERVED - reserved_count);
    if (enough)
        reserved_count += (size_t)pages;
    spin_unlock(&lock);
    return enough ? 0 : -ENOMEM;
}
