// The block cache. Slots are found by a hash of the block number; those without references wait in
// `unused`, longest first, to be given to another block. A slot without references whose frame
// processes map is passed over; if its block was discarded, it gets a new frame instead.
#include "fs/cache.h"

#include "abi/errno.h"
#include "arch/address.h"
#include "dev/disk.h"
#include "lib/string.h"
#include "mem/frame.h"

enum { SLOTS_MIN = 512, SLOTS_MAX = 16384, RAM_SHARE = 16, CLUSTER = 16 };

#define NO_BLOCK UINT32_MAX // number of a slot that stands for no block

static struct spinlock lock = SPINLOCK(RANK_CACHE);
static struct waitq waiters = WAITQ(waiters);  // [lock] for the end of a read, or a slot
static struct list unused = LIST_INIT(unused); // [lock]
static struct block *slots;                    // [I]
static struct block **buckets;                 // [lock] heads of the hash chains
static size_t slot_count;                      // [I] a power of two
static size_t started_count;                   // [lock] slots ever used
static char *pages;                            // [I] the slots' first frames

void cache_init(uint64_t ram_bytes) {
    slot_count = SLOTS_MIN;
    while (slot_count < SLOTS_MAX && slot_count * 2 * BLOCK_SIZE <= ram_bytes / RAM_SHARE) slot_count *= 2;
    slots = frame_set_aside(slot_count * sizeof *slots);
    pages = frame_set_aside(slot_count * BLOCK_SIZE);
    buckets = frame_set_aside(slot_count * sizeof *buckets);
    memset(buckets, 0, slot_count * sizeof *buckets);
}

size_t cache_size(void) { return slot_count; }

// Returns the link that leads to the block's slot, or the one at the end of its chain.
static struct block **slot_find(uint32_t number) {
    struct block **link = &buckets[number & (slot_count - 1)];
    while (*link != NULL && (*link)->number != number) link = &(*link)->next;
    return link;
}

// Makes the slot stand for no block.
static void slot_forget(struct block *b) {
    if (b->number != NO_BLOCK) *slot_find(b->number) = b->next;
    b->number = NO_BLOCK;
    b->valid = false;
}

// Tells whether the unused slot's frame is its own, if need be after giving it a new one.
static bool slot_has_frame(struct block *b) {
    struct frame *old = frame_of(b->data), *new;
    if (!frame_is_shared(old)) return true;
    if (b->number != NO_BLOCK || (new = frame_alloc(FRAME_CACHE)) == NULL) return false;
    b->data = frame_ptr(new);
    frame_put(old);
    return true;
}

// Takes a slot that nobody needs; NULL if there is none.
static struct block *slot_take(void) {
    if (started_count < slot_count) {
        struct block *b = &slots[started_count];
        *b = (struct block){.number = NO_BLOCK, .data = pages + started_count++ * BLOCK_SIZE};
        frame_adopt(b->data, FRAME_CACHE);
        list_init(&b->link);
        return b;
    }
    for (size_t tries = slot_count; tries > 0 && !list_is_empty(&unused); tries--) {
        struct block *b = CONTAINER_OF(unused.next, struct block, link);
        list_remove(&b->link);
        if (slot_has_frame(b)) {
            slot_forget(b);
            return b;
        }
        list_add_tail(&unused, &b->link);
    }
    return NULL;
}

// Returns the block's slot, which may be a fresh one, with a reference; NULL if none is free.
static struct block *slot_get(uint32_t number) {
    struct block *b = *slot_find(number);
    if (b == NULL) {
        b = slot_take();
        if (b == NULL) return NULL;
        b->number = number;
        b->next = NULL;
        *slot_find(number) = b;
    }
    if (b->references++ == 0) list_remove(&b->link);
    return b;
}

// Drops a reference. A slot without contents is the next to be used.
static void slot_put(struct block *b) {
    if (--b->references > 0) return;
    if (b->valid) {
        list_add_tail(&unused, &b->link);
    } else {
        slot_forget(b);
        list_add_head(&unused, &b->link);
    }
    wait_wake_all(&waiters);
}

// As slot_get, but waits until there is a slot and nobody reads into it.
static struct block *slot_wait(uint32_t number) {
    struct block *b;
    while ((b = slot_get(number)) == NULL) wait_sleep(&waiters, &lock);
    while (b->reading) wait_sleep(&waiters, &lock);
    return b;
}

// Reads b and up to `most` blocks in all of its cluster, as far as those behind it are not in the
// cache and slots are free. The lock is held, but not while it sleeps.
static int slot_read(struct block *b, unsigned most) {
    struct block *run[CLUSTER];
    struct disk_request r = {.operation = DISK_READ, .block = b->number};
    for (run[0] = b; run[r.count] != NULL;) {
        run[r.count]->reading = true;
        r.pages[r.count] = run[r.count]->data;
        uint32_t next = b->number + ++r.count;
        if (r.count == most || next % CLUSTER == 0 || next >= disk_blocks() || *slot_find(next) != NULL) break;
        run[r.count] = slot_get(next);
    }
    spin_unlock(&lock);
    disk_submit(&r);
    int error = disk_wait(&r);
    spin_lock(&lock);
    for (unsigned i = 0; i < r.count; i++) {
        run[i]->reading = false;
        run[i]->valid = error == 0;
        if (i > 0) slot_put(run[i]);
    }
    wait_wake_all(&waiters);
    return error;
}

int cache_get(uint32_t number, struct block **found) {
    int error = 0;
    spin_lock(&lock);
    struct block *b = slot_wait(number);
    if (!b->valid) error = slot_read(b, CLUSTER);
    if (error) error = slot_read(b, 1); // perhaps only a neighbour is bad
    if (error) slot_put(b);
    spin_unlock(&lock);
    *found = b;
    return error;
}

struct block *cache_get_blank(uint32_t number) {
    spin_lock(&lock);
    struct block *b = slot_wait(number);
    b->valid = true;
    spin_unlock(&lock);
    return b;
}

struct block *cache_find(uint32_t number) {
    spin_lock(&lock);
    struct block *b = *slot_find(number);
    if (b != NULL) slot_get(number);
    spin_unlock(&lock);
    return b;
}

void cache_put(struct block *b) {
    spin_lock(&lock);
    slot_put(b);
    spin_unlock(&lock);
}

void cache_discard(struct block *b) {
    spin_lock(&lock);
    if (b->references == 1) // not so if a neighbour is being read, or a damaged disk uses it twice
        b->valid = false;
    slot_put(b);
    spin_unlock(&lock);
}

int cache_map(struct block *b, struct frame **frame) {
    *frame = frame_of(b->data);
    spin_lock(&lock);
    bool refused = !frame_is_shared(*frame) && frame_mapped_cache_count() >= slot_count / 2;
    if (!refused) frame_get(*frame);
    spin_unlock(&lock);
    return refused ? -ENOMEM : 0;
}
