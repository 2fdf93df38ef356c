// The block cache. Slots are found by a hash of the block number; those without references wait in
// `unused`, longest first, to be given to another block. A slot without references whose frame
// processes map is passed over; if its block was discarded, it gets a new frame instead.
#include "fs/cache.h"

#include "abi/errno.h"
#include "arch/address.h"
#include "dev/disk.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "sched/wait.h"

enum { SLOTS_MIN = 512, SLOTS_MAX = 16384, CACHE_SHARE = 16, CLUSTER = 16 };

#define NO_BLOCK UINT32_MAX // number of a slot that stands for no block

static struct spinlock lock = SPINLOCK(RANK_CACHE);
static struct waitq changed = WAITQ(changed);   // [lock] waiters for a read to end or a slot to become free
static struct list unused = LIST_INIT(unused);  // [lock]
static struct block *slots;                     // [I]
static struct block **buckets;                  // [I] heads of the hash chains [lock]
static size_t slot_count;                       // [I] a power of two
static size_t started_count;                    // [lock] slots ever used
static char *pages;                             // [I] the slots' first frames

void cache_init(uint64_t ram_bytes)
{
    slot_count = SLOTS_MIN;
    while (slot_count < SLOTS_MAX && slot_count * 2 * BLOCK_SIZE <= ram_bytes / CACHE_SHARE)
        slot_count *= 2;
    slots = frame_set_aside(slot_count * sizeof *slots);
    buckets = frame_set_aside(slot_count * sizeof *buckets);
    memset(buckets, 0, slot_count * sizeof *buckets);
    pages = frame_set_aside(slot_count * BLOCK_SIZE);
}

size_t cache_size(void)
{
    return slot_count;
}

static struct block **bucket_of(uint32_t number)
{
    return &buckets[number & (slot_count - 1)];
}

static struct block *slot_find(uint32_t number)
{
    struct block *b = *bucket_of(number);
    while (b != NULL && b->number != number)
        b = b->next;
    return b;
}

// Makes the slot stand for no block.
static void slot_forget(struct block *b)
{
    if (b->number == NO_BLOCK)
        return;
    struct block **p = bucket_of(b->number);
    while (*p != b)
        p = &(*p)->next;
    *p = b->next;
    b->number = NO_BLOCK;
    b->state = BLOCK_ABSENT;
}

// Tells whether the unused slot's frame is its own, if need be after giving it a new one.
static bool slot_has_frame(struct block *b)
{
    struct frame *old = frame_of(b->data);
    if (!frame_is_shared(old))
        return true;
    struct frame *new = b->number == NO_BLOCK ? frame_alloc(FRAME_CACHE) : NULL;
    if (new == NULL)
        return false;
    b->data = frame_ptr(new);
    frame_put(old);
    return true;
}

// Takes a slot that nobody needs; NULL if there is none.
static struct block *slot_take(void)
{
    if (started_count < slot_count) {
        struct block *b = &slots[started_count];
        char *page = pages + started_count++ * BLOCK_SIZE;
        frame_adopt(page, FRAME_CACHE);
        *b = (struct block){.number = NO_BLOCK, .data = page};
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

// Finds the block's slot or gives it one. Returns it with a reference; NULL if none is free.
static struct block *slot_get(uint32_t number)
{
    struct block *b = slot_find(number);
    if (b == NULL) {
        b = slot_take();
        if (b == NULL)
            return NULL;
        b->number = number;
        b->next = *bucket_of(number);
        *bucket_of(number) = b;
    } else if (b->references == 0) {
        list_remove(&b->link);
    }
    b->references++;
    return b;
}

// Drops a reference. A slot whose block could not be read or was discarded is the next to be used.
static void slot_put(struct block *b)
{
    assert(b->references > 0);
    if (--b->references > 0)
        return;
    if (b->state == BLOCK_VALID) {
        list_add_tail(&unused, &b->link);
    } else {
        slot_forget(b);
        list_add_head(&unused, &b->link);
    }
    wait_wake_all(&changed);
}

// As slot_get, but waits until there is a slot and nobody reads into it.
static struct block *slot_get_settled(uint32_t number)
{
    struct block *b;
    while ((b = slot_get(number)) == NULL)
        wait_sleep(&changed, &lock);
    while (b->state == BLOCK_READING)
        wait_sleep(&changed, &lock);
    return b;
}

// Starts a request for first, which is absent, and for up to `most` blocks in all of its cluster
// that follow it and are absent too, as long as slots are free. Each gets a reference.
static void run_begin(struct disk_request *r, struct block **run, struct block *first, unsigned most)
{
    *r = (struct disk_request){.operation = DISK_READ, .block = first->number};
    run[0] = first;
    do {
        run[r->count]->state = BLOCK_READING;
        r->pages[r->count] = run[r->count]->data;
        uint32_t next = first->number + ++r->count;
        if (r->count >= most || next % CLUSTER == 0 || next >= disk_blocks() || slot_find(next) != NULL)
            break;
        run[r->count] = slot_get(next);
    } while (run[r->count] != NULL);
}

// Reads b, which is absent; the lock is held, but not while sleeping. If the disk cannot read the
// cluster, b is tried alone.
static int slot_read(struct block *b)
{
    struct disk_request r;
    struct block *run[CLUSTER];
    int error = -EIO;
    for (unsigned most = CLUSTER; error != 0 && most > 0; most = r.count > 1 ? 1 : 0) {
        run_begin(&r, run, b, most);
        spin_unlock(&lock);
        disk_submit(&r);
        error = disk_wait(&r);
        spin_lock(&lock);
        for (unsigned i = 0; i < r.count; i++) {
            run[i]->state = error ? BLOCK_ABSENT : BLOCK_VALID;
            if (i > 0)
                slot_put(run[i]);
        }
    }
    wait_wake_all(&changed);
    return error;
}

int cache_get(uint32_t number, struct block **found)
{
    int error = 0;
    spin_lock(&lock);
    struct block *b = slot_get_settled(number);
    if (b->state == BLOCK_ABSENT)
        error = slot_read(b);
    if (error)
        slot_put(b);
    spin_unlock(&lock);
    *found = b;
    return error;
}

struct block *cache_get_blank(uint32_t number)
{
    spin_lock(&lock);
    struct block *b = slot_get_settled(number);
    b->state = BLOCK_VALID;
    spin_unlock(&lock);
    return b;
}

struct block *cache_find(uint32_t number)
{
    spin_lock(&lock);
    struct block *b = slot_find(number);
    if (b != NULL)
        slot_get(number);
    spin_unlock(&lock);
    return b;
}

void cache_put(struct block *b)
{
    spin_lock(&lock);
    slot_put(b);
    spin_unlock(&lock);
}

void cache_discard(struct block *b)
{
    spin_lock(&lock);
    // Others hold references only if a damaged disk has the block twice, or read the whole cluster.
    if (b->references == 1)
        b->state = BLOCK_ABSENT;
    slot_put(b);
    spin_unlock(&lock);
}

int cache_map(struct block *b, struct frame **frame)
{
    spin_lock(&lock);
    bool full = frame_mapped_cache_count() >= slot_count / 2 && !frame_is_shared(frame_of(b->data));
    if (!full) {
        *frame = frame_of(b->data);
        frame_get(*frame);
    }
    spin_unlock(&lock);
    return full ? -ENOMEM : 0;
}
