// The log area of the disk, and the code by which kernel and fsck agree on which records count.
//
// From its first block on, the area contains records, one after the other. A record consists of
// segments, each a header and the new contents of up to LOG_SEGMENT_MAX blocks. Records have
// numbers, which grow, and every sector of a record begins with its number. In the contents the
// number replaces what belongs there, which the header keeps.
//
// It is always safe to replay the records that count, in order: whatever reaches a block's home is
// in the log first. And nothing else can count, whatever programs write into their files and
// whichever writes a power cut loses or tears, for these reasons (docs/files.md has the whole
// argument):
//
// - A record counts if every sector of it has its number, which follows that of the record before;
//   the first record may have any. No two records have the same number.
// - The first block of the area only ever contains headers of empty records, written only after all
//   blocks are at home. If it is not zero and no record counts, the whole area is zeroed, that
//   block last.
//
// The checksum of the header is for disks that do not do what this argument expects of them: it
// says where the contents go.
#pragma once
#include "abi/checksum.h"
#include "abi/diskformat.h"

enum {
    LOG_SECTOR = 512, // bytes
    LOG_SECTORS = BLOCK_SIZE / LOG_SECTOR,
    LOG_SECTOR_ENTRIES = 6,
    LOG_SEGMENT_MAX = LOG_SECTORS * LOG_SECTOR_ENTRIES, // blocks of a segment
    LOG_BLOCKS_MIN = 48,                                // of an area that mkfs makes
};

// What a header says of a block.
struct log_entry {
    uint32_t home; // where it belongs
    uint32_t unused;
    uint64_t word[LOG_SECTORS]; // the first word of each of its sectors
};

// An eighth of a header.
struct log_sector {
    uint64_t number;   // of the record
    uint64_t checksum; // see log_checksum; like the next two, in the first sector only
    uint32_t count;    // of the segment's blocks
    uint32_t more;     // 1: another segment of the record follows
    struct log_entry entry[LOG_SECTOR_ENTRIES];
    uint64_t unused[7];
};

struct log_header {
    struct log_sector sector[LOG_SECTORS];
};

static_assert(sizeof(struct log_sector) == LOG_SECTOR, "an eighth of a header is a sector");
static_assert(sizeof(struct log_header) == BLOCK_SIZE, "a log header is a block");

typedef uint64_t __attribute__((may_alias)) log_word; // of contents of any type

// ---- Contents ----

// Tells whether all sectors of a block have the record's number.
static inline bool log_has_number(const void *block, uint64_t number) {
    const log_word *word = (const log_word *)block;
    for (unsigned i = 0; i < LOG_SECTORS; i++) {
        if (word[i * LOG_SECTOR / sizeof *word] != number)
            return false;
    }
    return true;
}

// ---- Headers ----

// Begins the header of a segment that has no blocks yet.
static inline void log_header_begin(struct log_header *h, uint64_t number) {
    for (unsigned i = 0; i < LOG_SECTORS; i++)
        h->sector[i].number = number;
    h->sector[0].count = 0;
    h->sector[0].more = 0;
}

static inline struct log_entry *log_header_entry(struct log_header *h, uint32_t i) {
    return &h->sector[i / LOG_SECTOR_ENTRIES].entry[i % LOG_SECTOR_ENTRIES];
}

// Adds a block with these contents, whose home is `home`. The segment has fewer than
// LOG_SEGMENT_MAX blocks so far.
static inline void log_header_add(struct log_header *h, uint32_t home, const void *contents) {
    struct log_entry *e = log_header_entry(h, h->sector[0].count++);
    const log_word *word = (const log_word *)contents;
    e->home = home;
    for (unsigned i = 0; i < LOG_SECTORS; i++)
        e->word[i] = word[i * LOG_SECTOR / sizeof *word];
}

static inline uint32_t log_header_home(const struct log_header *h, uint32_t i) {
    return log_header_entry((struct log_header *)h, i)->home;
}

// Gives contents that were read from the log back the words that the numbers have replaced.
static inline void log_header_restore(const struct log_header *h, uint32_t i, void *contents) {
    const struct log_entry *e = log_header_entry((struct log_header *)h, i);
    log_word *word = (log_word *)contents;
    for (unsigned j = 0; j < LOG_SECTORS; j++)
        word[j * LOG_SECTOR / sizeof *word] = e->word[j];
}

// Returns the checksum of the header up to its last entry, with 0 as the checksum in it.
static inline uint64_t log_checksum(struct log_header *h) {
    struct checksum sum;
    uint64_t kept = h->sector[0].checksum;
    uint32_t count = h->sector[0].count;
    const void *end = count == 0 ? h->sector[0].entry : log_header_entry(h, count - 1) + 1;
    size_t bytes = (size_t)((const char *)end - (const char *)h);
    h->sector[0].checksum = 0;
    checksum_begin(&sum);
    checksum_add(&sum, h, (bytes + CHECKSUM_STRIPE - 1) / CHECKSUM_STRIPE * CHECKSUM_STRIPE);
    h->sector[0].checksum = kept;
    return checksum_end(&sum);
}

// Tells whether the log may change this block of the disk.
static inline bool log_home_is_valid(const struct superblock *super, uint32_t home) {
    return home >= super->inode_start && home < super->blocks;
}

// Tells whether a block at this position of the area can be the header of the next segment: it is
// whole, it has this number unless it is the first one, and the area has room for its segment.
static inline bool log_header_fits(struct log_header *h, const struct superblock *super,
                                   uint32_t position, uint64_t number) {
    if (position == 0)
        number = h->sector[0].number;
    bool is_sane = number != 0 && number >> 63 == 0; // so that it never wraps around
    return is_sane && log_has_number(h, number) && h->sector[0].count <= LOG_SEGMENT_MAX &&
           h->sector[0].count < super->log_blocks - position &&
           h->sector[0].checksum == log_checksum(h);
}

// ---- Sizes ----

// Returns how many blocks of the area a record of `count` blocks takes.
static inline uint32_t log_record_size(uint32_t count) {
    return count == 0 ? 1 : count + 1 + (count - 1) / LOG_SEGMENT_MAX;
}

// Returns how many blocks a record can have that takes at most `size` blocks of the area.
static inline uint32_t log_record_capacity(uint32_t size) {
    return size == 0 ? 0 : size - 1 - (size - 1) / (LOG_SEGMENT_MAX + 1);
}
