// The write-ahead log. The last transaction of a group to end writes one record with all changed
// blocks, which then are dirty: in the log, not yet at home, kept in the cache. When the area has
// no room for another group, all dirty blocks are written home and the log starts again with an
// empty record, so that what is left of older ones never counts.
#include "fs/log.h"
#include "abi/errno.h"
#include "abi/logformat.h"
#include "dev/disk.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "sched/task.h"

enum {
    AREA_MAX = 2 * LOG_RECORD_MAX, // no group is larger than half the area
    RESERVE = 21, // blocks a transaction changes besides the bitmap: 17 of a file, 3 of pointers, 1
                  // of inodes
};

#define CHANGED (1u << 31) // flag in task.nesting: the open transaction changed something

static struct spinlock lock = SPINLOCK(RANK_LOG);
static struct waitq waiters = WAITQ(waiters);    // [lock] for room, or for the end of a group
static struct list changed = LIST_INIT(changed); // [lock] blocks that the group changed
static struct list dirty = LIST_INIT(dirty);     // [lock] blocks that are not at home
static unsigned changed_count, open_count;       // [lock] of changed; transactions
static bool closing;                // [lock] the group takes no new ones and ends with a commit
static bool paused;                 // [lock] no transaction may begin
static unsigned tickets, served;    // [lock] transactions begin in the order of their tickets
static bool committing;             // [lock] somebody writes; no transaction is open
static bool failed;                 // [lock] the disk keeps what it has
static uint64_t commit_count;       // [lock] groups that are durable
static unsigned reserve, group_max; // [I] blocks of a transaction, of a group
static uint32_t area_start, area_blocks; // [I] the part of the log area in use
static uint32_t next;                    // [committing] where in it the next record goes
static uint64_t sequence = 1;            // [committing] the next record's number
static struct disk_request request;      // [committing] the write being put together
static _Alignas(BLOCK_SIZE) struct log_header header; // [committing]

static struct block *block_of(struct list *link) {
    return CONTAINER_OF(link, struct block, link);
}

void log_abort(void) {
    spin_lock(&lock);
    if (!failed)
        print("log: no more changes reach the disk\n");
    failed = true;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
}

static void request_send(enum disk_operation operation) {
    request.operation = operation;
    disk_submit(&request);
    if (disk_wait(&request) != 0)
        log_abort();
    request.count = 0;
}

// Writes a page to the disk, together with its neighbours. It must not change before writes_end.
static void writes_add(uint32_t number, void *page) {
    if (request.count == DISK_PAGES_MAX ||
        (request.count > 0 && request.block + request.count != number))
        request_send(DISK_WRITE);
    if (request.count == 0)
        request.block = number;
    request.pages[request.count++] = page;
}

// Returns when everything added is durable.
static int writes_end(void) {
    if (request.count > 0)
        request_send(DISK_WRITE);
    if (!failed)
        request_send(DISK_FLUSH);
    return failed ? -EIO : 0;
}

// What goes into the log of a block: the block itself, or a copy if programs map it, and so may
// change it meanwhile, or if it must be escaped. What to escape is told by the copy, which does not
// change.
static void *page_to_log(const struct block *b, unsigned *escaped) {
    static _Alignas(BLOCK_SIZE) char copy[BLOCK_SIZE];
    *escaped = 0;
    if (!frame_is_shared(frame_of(b->data)) && log_find_magic(b->data) == 0)
        return b->data;
    if (request.count > 0)
        request_send(DISK_WRITE); // it may have the copy
    memcpy(copy, b->data, BLOCK_SIZE);
    *escaped = log_find_magic(copy);
    log_set_magic(copy, *escaped, 0);
    return copy;
}

// Appends a record of all changed blocks. The header, which makes them count, waits until they are
// durable.
static int record_write(void) {
    if (next + 1 + changed_count > area_blocks || changed_count > LOG_RECORD_MAX)
        log_abort();
    if (failed)
        return -EIO;
    uint32_t first = area_start + next;
    struct checksum sum;
    log_header_begin(&header, sequence++);
    checksum_begin(&sum);
    LIST_EACH (e, &changed) {
        unsigned escaped;
        void *page = page_to_log(block_of(e), &escaped);
        checksum_add(&sum, page, BLOCK_SIZE);
        log_header_add(&header, block_of(e)->number, escaped);
        writes_add(first + header.sector[0].count, page);
    }
    int error = changed_count > 0 ? writes_end() : 0;
    if (error)
        return error;
    header.sector[0].checksum = log_checksum_end(&sum, &header);
    next += 1 + changed_count;
    writes_add(first, &header);
    return writes_end();
}

// Moves the block to where those of that state are. Takes over the caller's reference, but for
// BLOCK_HOME.
static void block_move(struct block *b, enum block_logged state) {
    spin_lock(&lock);
    bool was_held = b->logged != BLOCK_HOME;
    changed_count += (state == BLOCK_CHANGED) - (b->logged == BLOCK_CHANGED);
    b->logged = state;
    list_remove(&b->link);
    if (state != BLOCK_HOME)
        list_add_tail(state == BLOCK_CHANGED ? &changed : &dirty, &b->link);
    spin_unlock(&lock);
    if (was_held)
        cache_put(b);
}

// Writes all dirty blocks home and starts the log again.
static int checkpoint(void) {
    LIST_EACH (e, &dirty)
        writes_add(block_of(e)->number, block_of(e)->data);
    int error = writes_end();
    if (error)
        return error;
    LIST_EACH (e, &dirty)
        block_move(block_of(e), BLOCK_HOME);
    next = 0;
    return record_write();
}

// Commits the group, in which no transaction is open. Drops the lock while it writes.
static void group_commit(void) {
    committing = true;
    spin_unlock(&lock);
    int error = record_write();
    spin_lock(&lock);
    if (error == 0) {
        commit_count++;
        changed_count = 0;
        LIST_EACH (e, &changed) {
            list_remove(e);
            list_add_tail(&dirty, e);
            block_of(e)->logged = BLOCK_DIRTY;
        }
        wait_wake_all(&waiters);
        spin_unlock(&lock);
        if (next + 1 + group_max > area_blocks)
            checkpoint();
        spin_lock(&lock);
    }
    committing = closing = false;
}

// The next ticket may begin. Without them, a task that begins again and again would leave no chance
// to one that has to be woken first.
static void serve_next(void) {
    served++;
    if (served != tickets)
        wait_wake_all(&waiters);
}

int log_begin(void) {
    struct task *self = task_self();
    if (self->nesting++ > 0)
        return 0;
    spin_lock(&lock);
    unsigned ticket = tickets++;
    while (!failed && (ticket != served || closing || paused ||
                       changed_count + (open_count + 1) * reserve > group_max))
        wait_sleep(&waiters, &lock);
    bool refused = failed;
    open_count += !refused;
    serve_next();
    spin_unlock(&lock);
    if (refused)
        self->nesting = 0;
    else
        rank_take(RANK_TRANSACTION);
    return refused ? -EIO : 0;
}

int log_end(void) {
    struct task *self = task_self();
    if ((--self->nesting & ~CHANGED) > 0)
        return 0;
    bool has_changed = self->nesting == CHANGED;
    self->nesting = 0;
    spin_lock(&lock);
    uint64_t group = commit_count;
    open_count--;
    closing |= has_changed;
    while (has_changed && commit_count == group && !failed) {
        if (open_count == 0 && !committing)
            group_commit();
        else
            wait_sleep(&waiters, &lock);
    }
    int error = has_changed && commit_count == group ? -EIO : 0;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
    rank_drop(RANK_TRANSACTION);
    return error;
}

// Ends the log before it keeps more of the cache than its share. It never has to, but on a damaged
// disk, where programs can change blocks of pointers, and with them which blocks a transaction
// changes.
static bool may_keep(const struct block *b) {
    if (b->logged != BLOCK_CHANGED && changed_count >= group_max)
        log_abort();
    return b->logged == BLOCK_CHANGED || !failed;
}

void log_write(struct block *b) {
    assert(task_self()->nesting > 0);
    task_self()->nesting |= CHANGED;
    if (may_keep(b)) {
        block_move(b, BLOCK_CHANGED);
        rank_drop(RANK_BLOCK); // the log has it now
    } else {
        cache_put(b);
    }
}

void log_discard(uint32_t number) {
    struct block *b = cache_find(number);
    if (b == NULL)
        return;
    block_move(b, BLOCK_HOME);
    cache_discard(b);
}

int log_pause(void) {
    spin_lock(&lock);
    unsigned ticket = tickets++;
    while (!failed && (ticket != served || paused))
        wait_sleep(&waiters, &lock);
    bool refused = failed;
    paused |= !refused;
    serve_next();
    while (!refused && (open_count > 0 || committing))
        wait_sleep(&waiters, &lock);
    spin_unlock(&lock);
    if (!refused)
        rank_take(RANK_TRANSACTION);
    return refused ? -EIO : 0;
}

void log_resume(void) {
    spin_lock(&lock);
    paused = false;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
    rank_drop(RANK_TRANSACTION);
}

// Reads the record at that position of the area, its header into `header`. Returns its length, 0 if
// there is none that counts.
static int record_read(const struct superblock *super, uint32_t position) {
    uint32_t first = super->log_start + position;
    struct block *b;
    int error = position < super->log_blocks ? cache_get(first, &b) : 0;
    if (error || position == super->log_blocks)
        return error;
    header = *(struct log_header *)b->data;
    cache_put(b);
    if (!log_header_fits(&header, super, position, sequence))
        return 0;
    uint64_t wanted = header.sector[0].checksum;
    uint32_t count = header.sector[0].count;
    struct checksum sum;
    checksum_begin(&sum);
    for (uint32_t i = 0; i < count; i++) {
        if (!log_home_is_valid(super, log_header_home(&header, i)))
            return 0;
        error = cache_get(first + 1 + i, &b);
        if (error)
            return error;
        checksum_add(&sum, b->data, BLOCK_SIZE);
        cache_put(b);
    }
    return log_checksum_end(&sum, &header) == wanted ? (int)count + 1 : 0;
}

// Writes home the blocks of the record that was read there.
static int record_replay(const struct superblock *super, uint32_t position) {
    for (uint32_t i = 0; i < header.sector[0].count; i++) {
        struct block *b;
        int error = cache_get(super->log_start + position + 1 + i, &b);
        if (error)
            return error;
        log_set_magic(b->data, log_header_escaped(&header, i), LOG_MAGIC);
        writes_add(log_header_home(&header, i), b->data);
        request_send(DISK_WRITE); // at once: after this the page may become another block's
        cache_discard(b);         // it is no longer what the log has
    }
    return 0;
}

// Makes an area in which no record counts what it is on a new disk, as nothing is known of what it
// holds. The first block goes last: the next start does this again unless it is zero.
static int area_clear(const struct superblock *super) {
    memset(&header, 0, BLOCK_SIZE);
    for (uint32_t i = 1; i < super->log_blocks; i++)
        writes_add(area_start + i, &header);
    int error = writes_end();
    if (error)
        return error;
    writes_add(area_start, &header);
    return writes_end();
}

// Replays all records. Stores in *end where they end.
static int area_replay(const struct superblock *super, uint32_t *end) {
    int length, error = 0;
    *end = 0;
    while (error == 0 && (length = record_read(super, *end)) > 0) {
        sequence = header.sector[0].sequence + 1;
        error = record_replay(super, *end);
        *end += (uint32_t)length;
    }
    return error ? error : length;
}

static bool is_zero(const void *block) {
    const uint64_t *word = block;
    size_t i = 0;
    while (i < BLOCK_SIZE / sizeof *word && word[i] == 0)
        i++;
    return i == BLOCK_SIZE / sizeof *word;
}

int log_mount(const struct superblock *super, bool *was_used) {
    uint32_t kept = (uint32_t)cache_size() / CACHE_ALL * CACHE_LOGGED,
             most = kept < AREA_MAX ? kept : AREA_MAX;
    area_start = super->log_start;
    area_blocks = super->log_blocks < most ? super->log_blocks : most;
    group_max = area_blocks / 2 - 1;
    reserve = RESERVE + super->bitmap_blocks;
    if (area_blocks / 2 < reserve + 1) {
        print("log: %u blocks are too few for this disk\n", area_blocks);
        return -EINVAL;
    }
    uint32_t end;
    int error = area_replay(super, &end);
    *was_used = end > 0 || !is_zero(&header);
    if (error || !*was_used)
        return error;
    if (end == 0)
        return area_clear(super);
    sequence++; // the next number may be that of a header that was being written
    return checkpoint();
}
