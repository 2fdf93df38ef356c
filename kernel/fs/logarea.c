// The log area. Writes are combined: adjacent blocks go to the disk in one request.
#include "fs/logarea.h"
#include "abi/errno.h"
#include "abi/logformat.h"
#include "dev/disk.h"
#include "lib/string.h"
#include "mem/frame.h"

// All of this belongs to the one task that commits or recovers.
static uint32_t area_start, area_blocks;              // the part of the area in use
static uint32_t next;                                 // where in it the next record goes
static uint64_t sequence = 1;                         // the next record's number
static bool failed;                                   // the disk has failed
static struct disk_request request;                   // the write being put together
static _Alignas(BLOCK_SIZE) struct log_header header; // the record being written, or read last

// ---- Writing ----

static void request_send(enum disk_operation operation) {
    request.operation = operation;
    disk_submit(&request);
    if (disk_wait(&request) != 0)
        failed = true;
    request.count = 0;
}

// Sends the write that is being put together, if there is one.
static void send_pending(void) {
    if (request.count > 0)
        request_send(DISK_WRITE);
}

// Adds a page to the writes, combined with its neighbours. The page must not change before
// writes_end.
static void writes_add(uint32_t number, void *page) {
    if (request.count == DISK_PAGES_MAX || request.block + request.count != number)
        send_pending();
    if (request.count == 0)
        request.block = number;
    request.pages[request.count++] = page;
}

// Returns when everything added is durable.
static int writes_end(void) {
    send_pending();
    if (!failed)
        request_send(DISK_FLUSH);
    return failed ? -EIO : 0;
}

// Returns what to log for a block: its own contents, or a copy if sectors must be escaped, or if
// programs map the block and so may change it meanwhile. Stores in *escaped which sectors were
// escaped. They are searched for in the copy, because that can no longer change.
static void *page_to_log(const struct block *b, unsigned *escaped) {
    static _Alignas(BLOCK_SIZE) char copy[BLOCK_SIZE];
    *escaped = 0;
    if (!frame_is_shared(frame_of(b->data)) && log_find_magic(b->data) == 0)
        return b->data;
    send_pending(); // it may contain the copy of another block
    memcpy(copy, b->data, BLOCK_SIZE);
    *escaped = log_find_magic(copy);
    log_set_magic(copy, *escaped, 0);
    return copy;
}

bool logarea_has_room(uint32_t count) {
    return next + 1 + count <= area_blocks && count <= LOG_RECORD_MAX;
}

int logarea_append(struct list *blocks, uint32_t count) {
    if (failed || !logarea_has_room(count))
        return -EIO;
    uint32_t first = area_start + next;
    struct checksum sum;
    log_header_begin(&header, sequence++);
    checksum_begin(&sum);
    LIST_EACH (e, blocks) {
        unsigned escaped;
        void *page = page_to_log(block_of(e), &escaped);
        checksum_add(&sum, page, BLOCK_SIZE);
        log_header_add(&header, block_of(e)->number, escaped);
        writes_add(first + header.sector[0].count, page);
    }
    // The header makes the blocks count, so it is written only when they are durable.
    int error = count > 0 ? writes_end() : 0;
    if (error)
        return error;
    header.sector[0].checksum = log_checksum_end(&sum, &header);
    next += 1 + count;
    writes_add(first, &header);
    return writes_end();
}

int logarea_write_home(struct list *blocks) {
    LIST_EACH (e, blocks)
        writes_add(block_of(e)->number, block_of(e)->data);
    return writes_end();
}

int logarea_restart(void) {
    struct list none = LIST_INIT(none);
    next = 0;
    return logarea_append(&none, 0);
}

// ---- Recovery ----

// Adds the contents of the record's blocks, which follow its header at `first`, to the checksum.
// Returns 1, or 0 if the log may not change one of them.
static int sum_blocks(const struct superblock *super, uint32_t first, struct checksum *sum) {
    for (uint32_t i = 0; i < header.sector[0].count; i++) {
        struct block *b;
        if (!log_home_is_valid(super, log_header_home(&header, i)))
            return 0;
        int error = cache_get(first + 1 + i, &b);
        if (error)
            return error;
        checksum_add(sum, b->data, BLOCK_SIZE);
        cache_put(b);
    }
    return 1;
}

// Reads the record at that position of the area, its header into `header`. Returns its length, or 0
// if there is none that counts.
static int record_read(const struct superblock *super, uint32_t position) {
    uint32_t first = super->log_start + position;
    struct block *b;
    if (position == super->log_blocks)
        return 0;
    int error = cache_get(first, &b);
    if (error)
        return error;
    header = *(struct log_header *)b->data;
    cache_put(b);
    if (!log_header_fits(&header, super, position, sequence))
        return 0;
    uint64_t expected = header.sector[0].checksum;
    struct checksum sum;
    checksum_begin(&sum);
    int valid = sum_blocks(super, first, &sum);
    if (valid <= 0)
        return valid;
    return log_checksum_end(&sum, &header) == expected ? (int)header.sector[0].count + 1 : 0;
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
        send_pending();   // at once: after cache_discard the page may become another block's
        cache_discard(b); // its escapes are undone, so it differs from the log
    }
    return 0;
}

// Replays all records. Stores in *end where they end.
static int replay_all(const struct superblock *super, uint32_t *end) {
    *end = 0;
    for (;;) {
        int length = record_read(super, *end);
        if (length <= 0)
            return length;
        sequence = header.sector[0].sequence + 1;
        int error = record_replay(super, *end);
        if (error)
            return error;
        *end += (uint32_t)length;
    }
}

// Fills the whole area with zeros, as on a new disk, because no record in it counts, and its
// contents are unknown. The first block is written last: until it is zero, the next start does this
// again.
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

static bool is_zero(const void *block) {
    const uint64_t *word = block;
    for (size_t i = 0; i < BLOCK_SIZE / sizeof *word; i++) {
        if (word[i] != 0)
            return false;
    }
    return true;
}

int logarea_recover(const struct superblock *super, uint32_t blocks, bool *was_used) {
    uint32_t end;
    area_start = super->log_start;
    area_blocks = blocks;
    int error = replay_all(super, &end);
    *was_used = end > 0 || !is_zero(&header);
    if (error || !*was_used)
        return error;
    if (end == 0)
        return area_clear(super);
    sequence++; // the next number may be that of a header that was being written
    error = writes_end();
    return error ? error : logarea_restart();
}
