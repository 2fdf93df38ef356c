// The write-ahead log. The last transaction of a group to end writes one record with all changed
// blocks, which then are dirty: in the log, not yet at home, kept in the cache. When the area has
// no room for another group, all dirty blocks are written home and the log starts again with an empty
// record, so that what is left of older records can never be taken for part of it.
#include "fs/log.h"

#include "abi/errno.h"
#include "dev/disk.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "sched/task.h"

enum {
    DIRTY_SHARE = 4,               // at most one in so many blocks of the cache is dirty
    AREA_MAX = 2 * LOG_RECORD_MAX, // no group is larger than half the area
    RESERVE = 21, // blocks a transaction changes besides the bitmap: 17 of a file, 3 of pointers, 1 of inodes
};

#define CHANGED (1u << 31) // flag in task.nesting: the open transaction changed something

static struct spinlock lock = SPINLOCK(RANK_LOG);
static struct waitq waiters = WAITQ(waiters);         // [lock] for room, or for the end of a group
static struct list changed = LIST_INIT(changed);      // [lock] blocks that the group changed
static struct list dirty = LIST_INIT(dirty);          // [lock] blocks that are not at home
static unsigned changed_count, open_count;            // [lock] of changed; transactions
static bool closing;                                  // [lock] the group takes no new ones and ends with a commit
static bool committing;                               // [lock] somebody writes; no transaction is open
static bool failed;                                   // [lock] the disk keeps what it has
static uint64_t ended_count, durable_count;           // [lock] groups
static unsigned reserve, group_max;                   // [I] blocks of a transaction, of a group
static uint32_t area_start, area_blocks;              // [I] the part of the log area in use
static uint32_t next;                                 // [committing] where in it the next record goes
static uint64_t sequence;                             // [committing] the next record's number
static struct disk_request request;                   // [committing] the write being put together
static int write_error;                               // [committing]
static _Alignas(BLOCK_SIZE) struct log_header header; // [committing]

static struct block *block_of(struct list *link) { return CONTAINER_OF(link, struct block, link); }

static void request_send(enum disk_operation operation) {
    request.operation = operation;
    disk_submit(&request);
    if (disk_wait(&request) != 0) write_error = -EIO;
    request.count = 0;
}

// Writes a page to the disk, together with its neighbours. It must not change before writes_end.
static void writes_add(uint32_t number, void *page) {
    if (request.count == DISK_PAGES_MAX || (request.count > 0 && request.block + request.count != number))
        request_send(DISK_WRITE);
    if (request.count == 0) request.block = number;
    request.pages[request.count++] = page;
}

// Returns when everything added is durable.
static int writes_end(void) {
    if (request.count > 0) request_send(DISK_WRITE);
    if (write_error == 0) request_send(DISK_FLUSH);
    int error = write_error;
    write_error = 0;
    return error;
}

// Appends a record of all changed blocks.
static int record_write(void) {
    if (next + 1 + changed_count > area_blocks || changed_count > LOG_RECORD_MAX) return -EIO;
    header.magic = LOG_MAGIC;
    header.count = 0;
    header.sequence = sequence++;
    header.checksum = 0;
    LIST_EACH (e, &changed) header.home[header.count++] = block_of(e)->number;
    uint64_t sum = log_checksum(0, &header);
    LIST_EACH (e, &changed) sum = log_checksum(sum, block_of(e)->data);
    header.checksum = sum;
    writes_add(area_start + next++, &header);
    LIST_EACH (e, &changed) writes_add(area_start + next++, block_of(e)->data);
    return writes_end();
}

// Returns the block with that number if it is dirty. The log's own reference keeps it.
static struct block *dirty_find(uint32_t number) {
    struct block *b = cache_find(number);
    if (b != NULL) cache_put(b);
    return b != NULL && b->logged == BLOCK_DIRTY ? b : NULL;
}

// Writes all dirty blocks home, each run of neighbours from its first on.
static int dirty_write(void) {
    LIST_EACH (e, &dirty) {
        struct block *b = block_of(e);
        if (dirty_find(b->number - 1) == NULL) {
            for (; b != NULL; b = dirty_find(b->number + 1)) writes_add(b->number, b->data);
        }
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

static int checkpoint(void) {
    int error = dirty_write();
    next = 0;
    return error ? error : record_write();
}

// Commits the group, in which no transaction is open. Drops the lock while it writes.
static void group_commit(void) {
    bool is_lost = failed;
    committing = true;
    spin_unlock(&lock);
    int error = is_lost ? -EIO : record_write();
    spin_lock(&lock);
    ended_count++;
    if (error == 0) {
        durable_count++;
        changed_count = 0;
        while (!list_is_empty(&changed)) {
            struct block *b = block_of(changed.next);
            list_remove(&b->link);
            list_add_tail(&dirty, &b->link);
            b->logged = BLOCK_DIRTY;
        }
        wait_wake_all(&waiters);
        spin_unlock(&lock);
        if (next + 1 + group_max > area_blocks) error = checkpoint();
        spin_lock(&lock);
    }
    if (error && !failed) print("log: the disk cannot be written; no more changes\n");
    failed |= error != 0;
    committing = closing = false;
}

int log_begin(void) {
    struct task *self = task_self();
    if (self->nesting++ > 0) return 0;
    rank_take(RANK_TRANSACTION);
    spin_lock(&lock);
    while (!failed && (closing || changed_count + (open_count + 1) * reserve > group_max)) wait_sleep(&waiters, &lock);
    bool refused = failed;
    open_count += !refused;
    spin_unlock(&lock);
    if (!refused) return 0;
    self->nesting = 0;
    rank_drop(RANK_TRANSACTION);
    return -EIO;
}

int log_end(void) {
    struct task *self = task_self();
    if ((--self->nesting & ~CHANGED) > 0) return 0;
    bool has_changed = self->nesting == CHANGED;
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
    int error = has_changed && durable_count <= group ? -EIO : 0;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
    rank_drop(RANK_TRANSACTION);
    return error;
}

void log_write(struct block *b) {
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
    if (was_logged) cache_put(b);
}

void log_discard(uint32_t number) {
    struct block *b = cache_find(number);
    if (b == NULL) return;
    spin_lock(&lock);
    bool was_logged = b->logged != BLOCK_HOME;
    changed_count -= b->logged == BLOCK_CHANGED;
    list_remove(&b->link);
    b->logged = BLOCK_HOME;
    spin_unlock(&lock);
    if (was_logged) cache_put(b);
    cache_discard(b);
}

void log_abort(void) {
    spin_lock(&lock);
    failed = true;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
}

// Reads the header at that position of the area; returns 1 if its record counts, 0 if not.
static int record_read(const struct superblock *super, uint32_t position) {
    struct block *b;
    int error = cache_get(super->log_start + position, &b);
    if (error) return error;
    header = *(struct log_header *)b->data;
    cache_put(b);
    if (header.magic != LOG_MAGIC || header.count > LOG_RECORD_MAX || header.count >= super->log_blocks - position ||
        (position > 0 && header.sequence != sequence))
        return 0;
    uint64_t wanted = header.checksum;
    header.checksum = 0;
    uint64_t sum = log_checksum(0, &header);
    for (uint32_t i = 0; i < header.count; i++) {
        if (header.home[i] < super->inode_start || header.home[i] >= super->blocks) return 0;
        error = cache_get(super->log_start + position + 1 + i, &b);
        if (error) return error;
        sum = log_checksum(sum, b->data);
        cache_put(b);
    }
    return sum == wanted;
}

// Makes the blocks of the record, which start at block `first`, dirty; writes them home when they are many.
static int record_replay(uint32_t first) {
    int error = 0;
    for (uint32_t i = 0; i < header.count && error == 0; i++) {
        struct block *from, *to = cache_get_blank(header.home[i]);
        error = cache_get(first + i, &from);
        if (error) return error;
        memcpy(to->data, from->data, BLOCK_SIZE);
        cache_put(from);
        if (to->logged == BLOCK_DIRTY) {
            cache_put(to);
            continue;
        }
        to->logged = BLOCK_DIRTY;
        list_add_tail(&dirty, &to->link);
        if (++next == cache_size() / DIRTY_SHARE) {
            next = 0;
            error = dirty_write();
        }
    }
    return error;
}

int log_mount(const struct superblock *super, bool *was_used) {
    uint32_t most = cache_size() / DIRTY_SHARE < AREA_MAX ? (uint32_t)cache_size() / DIRTY_SHARE : AREA_MAX;
    area_start = super->log_start;
    area_blocks = super->log_blocks < most ? super->log_blocks : most;
    group_max = area_blocks / 2 - 1;
    reserve = RESERVE + super->bitmap_blocks;
    if (area_blocks / 2 < reserve + 1) {
        print("log: %u blocks are too few for this disk\n", area_blocks);
        return -EINVAL;
    }
    uint32_t position = 0;
    int counts;
    for (sequence = 1; (counts = record_read(super, position)) > 0; sequence = header.sequence + 1) {
        int error = record_replay(area_start + position + 1);
        if (error) return error;
        position += 1 + header.count;
    }
    *was_used = position > 0 || log_checksum(0, &header) != 0; // the checksum of zeros is 0
    if (counts < 0 || !*was_used) return counts;
    memset(&header, 0, BLOCK_SIZE);
    // If no record counts, nothing is known of those behind it, which new ones could seem to go on with.
    for (uint32_t i = 1; position == 0 && i < super->log_blocks; i++) writes_add(area_start + i, &header);
    return checkpoint();
}
