// The write-ahead log. The last transaction of a group to end writes one record with all changed
// blocks, which then are dirty: in the log, not yet at home, kept in the cache. When the area has
// no room for another group, all dirty blocks are written home and the log starts again with an empty
// record, so that what is left of older records can never be taken for part of it.
#include "fs/log.h"

#include "abi/errno.h"
#include "dev/disk.h"
#include "lib/assert.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "sched/task.h"
#include "sched/wait.h"

enum {
    DIRTY_SHARE = 4,        // of the cache: at most one in so many blocks is dirty
    RESERVE = 21,           // blocks a transaction changes at most, without bitmap: see log_mount
    RESERVE_BITMAP = 64,    // of these at most so many
    FREE_MANY = 2048,       // blocks a transaction may free when there is room for the whole bitmap,
    FREE_FEW = 16,          // and otherwise
    REQUESTS = 4,           // writes in flight at a time
};

#define CHANGED (1u << 31) // flag in task.nesting: the open transaction changed something

static struct spinlock lock = SPINLOCK(RANK_LOG);
static struct waitq waiters = WAITQ(waiters);     // [lock] for room, or for the end of a group
static struct list changed = LIST_INIT(changed);  // [lock] blocks that the group changed
static struct list dirty = LIST_INIT(dirty);      // [lock] blocks that are not at home
static unsigned changed_count;                    // [lock]
static unsigned open_count;                       // [lock] transactions
static bool closing;                              // [lock] the group takes no new ones and ends with a commit
static bool committing;                           // [lock] somebody writes; no transaction is open
static bool failed;                               // [lock] the disk keeps what it has
static uint64_t ended_count, durable_count;       // [lock] groups
static unsigned reserve, group_max;               // [I] blocks of a transaction, of a group
static unsigned free_max;                         // [I] blocks a transaction may free
static uint32_t area_start, area_blocks;          // [I] the part of the log area in use
static uint32_t next;                             // [committing] where in it the next record goes
static uint64_t sequence;                         // [committing] the next record's number
static struct log_header *header;                 // [committing]
static struct disk_request requests[REQUESTS];    // [committing] those with count > 0 are in flight, or filled
static unsigned current;                          // [committing] the one being filled
static int write_error;                           // [committing]

static struct block *block_of(struct list *link)
{
    return CONTAINER_OF(link, struct block, link);
}

static void request_finish(struct disk_request *r)
{
    int error = disk_wait(r);
    if (error)
        write_error = error;
    r->count = 0;
}

// Writes a page to the disk, together with its neighbours. It must not change before writes_end.
static void writes_add(uint32_t number, void *page)
{
    struct disk_request *r = &requests[current];
    if (r->count == DISK_PAGES_MAX || (r->count > 0 && r->block + r->count != number)) {
        disk_submit(r);
        current = (current + 1) % REQUESTS;
        r = &requests[current];
        if (r->count > 0)
            request_finish(r);
    }
    if (r->count == 0) {
        r->operation = DISK_WRITE;
        r->block = number;
    }
    r->pages[r->count++] = page;
}

// Returns when everything added is durable.
static int writes_end(void)
{
    if (requests[current].count > 0)
        disk_submit(&requests[current]);
    for (unsigned i = 0; i < REQUESTS; i++)
        if (requests[i].count > 0)
            request_finish(&requests[i]);
    if (write_error == 0) {
        requests[0].operation = DISK_FLUSH;
        disk_submit(&requests[0]);
        request_finish(&requests[0]);
    }
    int error = write_error;
    write_error = 0;
    return error;
}

// Appends a record of all changed blocks.
static int record_write(void)
{
    if (changed_count > LOG_RECORD_MAX || next + 1 + changed_count > area_blocks)
        return -EIO;
    header->magic = LOG_MAGIC;
    header->count = 0;
    header->sequence = sequence;
    header->checksum = 0;
    LIST_EACH (e, &changed)
        header->home[header->count++] = block_of(e)->number;
    uint64_t sum = log_checksum(0, header);
    LIST_EACH (e, &changed)
        sum = log_checksum(sum, block_of(e)->data);
    header->checksum = sum;
    writes_add(area_start + next++, header);
    LIST_EACH (e, &changed)
        writes_add(area_start + next++, block_of(e)->data);
    sequence++;
    return writes_end();
}

// Returns the block with that number if it is dirty. The log's own reference keeps it.
static struct block *dirty_find(uint32_t number)
{
    struct block *b = cache_find(number);
    if (b == NULL)
        return NULL;
    cache_put(b);
    return b->logged == BLOCK_DIRTY ? b : NULL;
}

// Writes all dirty blocks home, each run of neighbours from its first on.
static int dirty_write(void)
{
    LIST_EACH (e, &dirty) {
        struct block *b = block_of(e);
        if (dirty_find(b->number - 1) != NULL)
            continue;
        for (; b != NULL; b = dirty_find(b->number + 1))
            writes_add(b->number, b->data);
    }
    int error = writes_end();
    while (error == 0 && !list_is_empty(&dirty)) {
        struct block *b = block_of(dirty.next);
        list_remove(&b->link);
        b->logged = BLOCK_HOME;
        cache_put(b);
    }
    return error;
}

static int checkpoint(void)
{
    int error = dirty_write();
    next = 0;
    return error ? error : record_write();
}

// Commits the group, in which no transaction is open. Drops the lock while it writes.
static void group_commit(void)
{
    committing = true;
    int error = failed ? -EIO : 0;
    spin_unlock(&lock);
    if (error == 0)
        error = record_write();
    spin_lock(&lock);
    ended_count++;
    if (error == 0) {
        durable_count++;
        while (!list_is_empty(&changed)) {
            struct block *b = block_of(changed.next);
            list_remove(&b->link);
            list_add_tail(&dirty, &b->link);
            b->logged = BLOCK_DIRTY;
        }
        changed_count = 0;
        wait_wake_all(&waiters);
        spin_unlock(&lock);
        if (next + 1 + group_max > area_blocks)
            error = checkpoint();
        spin_lock(&lock);
    }
    if (error && !failed) {
        print("log: cannot write to the disk; no more changes\n");
        failed = true;
    }
    committing = closing = false;
}

int log_begin(void)
{
    struct task *self = task_self();
    if (self->nesting > 0) {
        self->nesting++;
        return 0;
    }
    rank_take(RANK_TRANSACTION);
    spin_lock(&lock);
    while (!failed && (closing || changed_count + (open_count + 1) * reserve > group_max))
        wait_sleep(&waiters, &lock);
    bool refused = failed;
    if (!refused) {
        open_count++;
        self->nesting = 1;
    }
    spin_unlock(&lock);
    if (refused)
        rank_drop(RANK_TRANSACTION);
    return refused ? -EIO : 0;
}

int log_end(void)
{
    struct task *self = task_self();
    assert(self->nesting > 0);
    if ((--self->nesting & ~CHANGED) > 0)
        return 0;
    bool has_changed = self->nesting & CHANGED;
    self->nesting = 0;
    spin_lock(&lock);
    uint64_t group = ended_count;
    open_count--;
    closing |= has_changed;
    while (has_changed && ended_count == group) {
        if (open_count == 0 && !committing)
            group_commit();
        else
            wait_sleep(&waiters, &lock);
    }
    int error = has_changed && group >= durable_count ? -EIO : 0;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
    rank_drop(RANK_TRANSACTION);
    return error;
}

void log_write(struct block *b)
{
    assert(task_self()->nesting > 0);
    task_self()->nesting |= CHANGED;
    spin_lock(&lock);
    bool was_logged = b->logged != BLOCK_HOME;
    if (b->logged != BLOCK_CHANGED) {
        list_remove(&b->link);
        list_add_tail(&changed, &b->link);
        b->logged = BLOCK_CHANGED;
        changed_count++;
    }
    spin_unlock(&lock);
    if (was_logged)
        cache_put(b);
}

void log_forget(struct block *b)
{
    spin_lock(&lock);
    bool was_logged = b->logged != BLOCK_HOME;
    if (was_logged) {
        changed_count -= b->logged == BLOCK_CHANGED;
        list_remove(&b->link);
        b->logged = BLOCK_HOME;
    }
    spin_unlock(&lock);
    if (was_logged)
        cache_put(b);
}

void log_abort(void)
{
    spin_lock(&lock);
    failed = true;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
}

unsigned log_free_max(void)
{
    return free_max;
}

void log_init(void)
{
    header = frame_set_aside(BLOCK_SIZE);
    memset(header, 0, BLOCK_SIZE);
}

// Copies the header at that position of the area to `header`; returns 1 if its record counts, else 0.
static int record_read(const struct superblock *super, uint32_t position)
{
    struct block *b;
    int error = cache_get(super->log_start + position, &b);
    if (error)
        return error;
    memcpy(header, b->data, BLOCK_SIZE);
    cache_put(b);
    bool in_order = position == 0 || header->sequence == sequence;
    if (header->magic != LOG_MAGIC || !in_order || header->count > LOG_RECORD_MAX ||
        header->count >= super->log_blocks - position)
        return 0;
    uint64_t wanted = header->checksum;
    header->checksum = 0;
    uint64_t sum = log_checksum(0, header);
    for (uint32_t i = 0; i < header->count; i++) {
        if (header->home[i] < super->inode_start || header->home[i] >= super->blocks)
            return 0;
        error = cache_get(super->log_start + position + 1 + i, &b);
        if (error)
            return error;
        sum = log_checksum(sum, b->data);
        cache_put(b);
    }
    return sum == wanted;
}

// Makes the record's blocks dirty, and writes them home when they are many.
static int record_replay(uint32_t first)
{
    static unsigned dirty_count;
    for (uint32_t i = 0; i < header->count; i++) {
        struct block *from, *to = cache_get_blank(header->home[i]);
        int error = cache_get(first + i, &from);
        if (error)
            return error;
        memcpy(to->data, from->data, BLOCK_SIZE);
        cache_put(from);
        if (to->logged == BLOCK_DIRTY) {
            cache_put(to);
            continue;
        }
        to->logged = BLOCK_DIRTY;
        list_add_tail(&dirty, &to->link);
        if (++dirty_count % (cache_size() / DIRTY_SHARE) == 0)
            error = dirty_write();
        if (error)
            return error;
    }
    return 0;
}

// Overwrites the area with zeros, its first block last.
static int area_erase(const struct superblock *super)
{
    print("log: damaged, erased\n");
    memset(header, 0, BLOCK_SIZE);
    for (uint32_t i = 1; i < super->log_blocks; i++)
        writes_add(super->log_start + i, header);
    return writes_end();
}

int log_mount(const struct superblock *super, bool *was_used)
{
    size_t dirty_max = cache_size() / DIRTY_SHARE;
    area_start = super->log_start;
    area_blocks = super->log_blocks < dirty_max ? super->log_blocks : (uint32_t)dirty_max;
    reserve = RESERVE + (super->bitmap_blocks < RESERVE_BITMAP ? super->bitmap_blocks : RESERVE_BITMAP);
    free_max = super->bitmap_blocks <= RESERVE_BITMAP ? FREE_MANY : FREE_FEW;
    if (area_blocks < reserve + 2) {
        print("log: %u blocks are too few, %u are needed\n", super->log_blocks, reserve + 2);
        return -EINVAL;
    }
    group_max = area_blocks / 2 - 1;
    if (group_max < reserve)
        group_max = reserve;
    if (group_max > LOG_RECORD_MAX)
        group_max = LOG_RECORD_MAX;
    uint32_t position = 0;
    int valid, error = 0;
    sequence = 1;
    while ((valid = record_read(super, position)) > 0 && error == 0) {
        error = record_replay(super->log_start + position + 1);
        position += 1 + header->count;
        sequence = header->sequence + 1;
    }
    if (valid < 0 || error)
        return valid < 0 ? valid : error;
    // A block of zeros has the checksum 0, and hardly any other has.
    *was_used = position > 0 || log_checksum(0, header) != 0;
    if (!*was_used)
        return 0;
    error = position == 0 ? area_erase(super) : 0;
    return error ? error : checkpoint();
}
