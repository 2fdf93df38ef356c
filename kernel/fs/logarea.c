// The log area. Each segment of a record is one write, and the disk driver puts the record's number
// into its sectors. Other writes are combined: adjacent blocks go to the disk in one request.
#include "fs/logarea.h"
#include "abi/errno.h"
#include "abi/logformat.h"
#include "arch/address.h"
#include "dev/disk.h"
#include "lib/string.h"

// All of this belongs to the one task that commits or recovers.
static uint32_t area_start, area_blocks;              // the part of the area in use
static uint32_t next;                                 // where in it the next record goes
static uint64_t number = 1;                           // of the next record
static bool failed;                                   // the disk has failed
static struct disk_request request;                   // the write being put together
static _Alignas(BLOCK_SIZE) struct log_header header; // being written, or read last

static_assert(1 + LOG_SEGMENT_MAX <= DISK_PAGES_MAX, "a segment is written by one request");
static_assert((int)LOG_SECTOR == (int)DISK_SECTOR, "the disk driver numbers the log's sectors");

// ---- Writing ----

static void request_send(enum disk_operation operation) {
    request.operation = operation;
    disk_submit(&request);
    if (disk_wait(&request) != 0)
        failed = true;
    request.count = 0;
    request.number = 0;
    request.flushes = false;
}

// Sends the write that is being put together, if there is one.
static void send_pending(void) {
    if (request.count > 0)
        request_send(DISK_WRITE);
}

// Adds a page to the writes, combined with its neighbours. The page must not change before
// writes_end.
static void writes_add(uint32_t block, void *page) {
    if (request.count == DISK_PAGES_MAX || request.block + request.count != block)
        send_pending();
    if (request.count == 0)
        request.block = block;
    request.pages[request.count++] = page;
}

// Returns when everything added is durable.
static int writes_end(void) {
    send_pending();
    if (!failed)
        request_send(DISK_FLUSH);
    return failed ? -EIO : 0;
}

bool logarea_has_room(uint32_t count) {
    return next + log_record_size(count) <= area_blocks;
}

// Writes a segment with the next `count` blocks of the list from e on. Returns where in the list
// the next segment begins.
static struct list *write_segment(struct list *e, uint32_t count, bool more) {
    log_header_begin(&header, number);
    for (uint32_t i = 0; i < count; i++, e = e->next) {
        log_header_add(&header, block_of(e)->number, block_of(e)->data);
        request.pages[1 + i] = block_of(e)->data;
    }
    header.sector[0].more = more;
    header.sector[0].checksum = log_checksum(&header);
    request.pages[0] = &header;
    request.block = area_start + next;
    request.count = 1 + count;
    request.number = number;
    request.flushes = !more;
    next += 1 + count;
    request_send(DISK_WRITE);
    return e;
}

int logarea_append(struct list *blocks, uint32_t count) {
    // The area's first record is empty: if it is lost, so that its number is used again, nothing in
    // the area has that number.
    if (next == 0 && count > 0 && logarea_restart() != 0)
        return -EIO;
    if (failed || !logarea_has_room(count))
        return -EIO;
    struct list *e = blocks->next;
    do {
        uint32_t n = min(count, LOG_SEGMENT_MAX);
        count -= n;
        e = write_segment(e, n, count > 0);
    } while (count > 0 && !failed);
    number++;
    return failed ? -EIO : 0;
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

// Reads the header of a segment at that position of the area into `header`. Returns 1, or 0 if it
// does not continue the log.
static int header_read(const struct superblock *super, uint32_t position, uint64_t wanted) {
    struct block *b;
    if (position == super->log_blocks)
        return 0;
    int error = cache_get(super->log_start + position, &b);
    if (error)
        return error;
    header = *(struct log_header *)b->data;
    cache_put(b);
    return log_header_fits(&header, super, position, wanted);
}

// Checks the contents of the segment whose header was read there. Returns 1, or 0 if a sector is
// missing, or the log may not change one of the blocks.
static int contents_check(const struct superblock *super, uint32_t position) {
    for (uint32_t i = 0; i < header.sector[0].count; i++) {
        struct block *b;
        if (!log_home_is_valid(super, log_header_home(&header, i)))
            return 0;
        int error = cache_get(super->log_start + position + 1 + i, &b);
        if (error)
            return error;
        bool is_whole = log_has_number(b->data, header.sector[0].number);
        cache_put(b);
        if (!is_whole)
            return 0;
    }
    return 1;
}

// Returns the length of the record at that position, or 0 if there is none that counts.
static int record_check(const struct superblock *super, uint32_t position) {
    uint32_t end = position;
    do {
        int good = header_read(super, end, end > position ? header.sector[0].number : number);
        if (good > 0)
            good = contents_check(super, end);
        if (good <= 0)
            return good;
        end += 1 + header.sector[0].count;
    } while (header.sector[0].more);
    return (int)(end - position);
}

// Writes home the blocks of the segment whose header was read there.
static int segment_replay(const struct superblock *super, uint32_t position) {
    for (uint32_t i = 0; i < header.sector[0].count; i++) {
        struct block *b;
        int error = cache_get(super->log_start + position + 1 + i, &b);
        if (error)
            return error;
        log_header_restore(&header, i, b->data);
        writes_add(log_header_home(&header, i), b->data);
        send_pending();   // at once: after cache_discard the page may become another block's
        cache_discard(b); // it differs from the log now
    }
    return 0;
}

// Writes home the blocks of the record that was checked there.
static int record_replay(const struct superblock *super, uint32_t position) {
    uint64_t wanted = header.sector[0].number;
    do {
        int good = header_read(super, position, wanted);
        if (good <= 0)
            return good < 0 ? good : -EIO;
        int error = segment_replay(super, position);
        if (error)
            return error;
        position += 1 + header.sector[0].count;
    } while (header.sector[0].more);
    return 0;
}

// Replays all records. Stores in *end where they end.
static int replay_all(const struct superblock *super, uint32_t *end) {
    *end = 0;
    for (;;) {
        int length = record_check(super, *end);
        if (length <= 0)
            return length;
        number = header.sector[0].number + 1;
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

// Stores in *was_used whether the area's first block is not zero.
static int look_at_start(const struct superblock *super, bool *was_used) {
    struct block *b;
    int error = cache_get(super->log_start, &b);
    if (error)
        return error;
    const log_word *word = (const log_word *)b->data;
    size_t i = 0;
    while (i < BLOCK_SIZE / sizeof *word && word[i] == 0)
        i++;
    cache_put(b);
    *was_used = i < BLOCK_SIZE / sizeof *word;
    return 0;
}

int logarea_recover(const struct superblock *super, uint32_t blocks, bool *was_used) {
    uint32_t end;
    area_start = super->log_start;
    area_blocks = blocks;
    int error = replay_all(super, &end);
    if (error == 0)
        error = look_at_start(super, was_used);
    if (error || !*was_used)
        return error;
    if (end == 0)
        return area_clear(super);
    number++; // the next one may be that of a record that was being written
    error = writes_end();
    return error ? error : logarea_restart();
}
