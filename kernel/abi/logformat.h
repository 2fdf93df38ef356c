// The log area of the disk, and the code by which kernel and fsck agree on which records count.
//
// From its first block on, the area contains records, one after the other: a header and the new
// contents of `count` blocks. It is always safe to replay the records that count, in order:
// whatever reaches a block's home is in the log first. And nothing else can count, whatever
// programs write into their files and whichever writes a power cut loses or tears, for these
// reasons (docs/files.md has the whole argument):
//
// - A sector that begins with LOG_MAGIC is an eighth of a header. Contents that begin with it are
//   escaped.
// - A header counts if all its eighths have the magic and the same sequence number, which follows
//   that of the record before; the first record may have any. No two headers have the same number,
//   and numbers grow.
// - A header is written only after the blocks of its record are durable.
// - The first block of the area only ever contains headers, written only after all blocks are at
//   home. If it is not zero and no record counts, the whole area is zeroed, that block last.
//
// The checksum is for disks that do not do what this argument expects of them.
#pragma once
#include "abi/checksum.h"
#include "abi/diskformat.h"

#define LOG_MAGIC 0x676f6c36u // "6log"

enum {
    LOG_SECTOR = 512, // bytes
    LOG_SECTORS = BLOCK_SIZE / LOG_SECTOR,
    LOG_SECTOR_HOMES = 97,
    LOG_RECORD_MAX = LOG_SECTORS * LOG_SECTOR_HOMES, // blocks of a record
    LOG_BLOCKS_MIN = 48,                             // of an area that mkfs makes
};

struct log_sector {
    uint32_t magic;
    uint32_t count; // of the record's blocks; like the checksum, in the first sector only
    uint64_t sequence;
    uint64_t checksum;                 // see log_checksum_end
    uint32_t home[LOG_SECTOR_HOMES];   // where the blocks belong
    uint8_t escaped[LOG_SECTOR_HOMES]; // for each block, one bit for each of its sectors
    uint8_t unused[3];
};

struct log_header {
    struct log_sector sector[LOG_SECTORS];
};

static_assert(sizeof(struct log_sector) == LOG_SECTOR, "an eighth of a header is a sector");
static_assert(sizeof(struct log_header) == BLOCK_SIZE, "a log header is a block");

// ---- Headers ----

// Begins the header of a record that has no blocks yet.
static inline void log_header_begin(struct log_header *h, uint64_t sequence) {
    *h = (struct log_header){0};
    for (unsigned i = 0; i < LOG_SECTORS; i++) {
        h->sector[i].magic = LOG_MAGIC;
        h->sector[i].sequence = sequence;
    }
}

// Adds a block whose home is `home`. The record has fewer than LOG_RECORD_MAX blocks so far.
static inline void log_header_add(struct log_header *h, uint32_t home, unsigned escaped) {
    uint32_t i = h->sector[0].count++;
    h->sector[i / LOG_SECTOR_HOMES].home[i % LOG_SECTOR_HOMES] = home;
    h->sector[i / LOG_SECTOR_HOMES].escaped[i % LOG_SECTOR_HOMES] = (uint8_t)escaped;
}

static inline uint32_t log_header_home(const struct log_header *h, uint32_t i) {
    return h->sector[i / LOG_SECTOR_HOMES].home[i % LOG_SECTOR_HOMES];
}

static inline unsigned log_header_escaped(const struct log_header *h, uint32_t i) {
    return h->sector[i / LOG_SECTOR_HOMES].escaped[i % LOG_SECTOR_HOMES];
}

// Tells whether a block at this position of the area can be the header of the next record: it is a
// whole header, it has this sequence number unless it is the first one, and the area has room for
// its record.
static inline bool log_header_fits(const struct log_header *h, const struct superblock *super,
                                   uint32_t position, uint64_t sequence) {
    if (position == 0)
        sequence = h->sector[0].sequence;
    for (unsigned i = 0; i < LOG_SECTORS; i++) {
        if (h->sector[i].magic != LOG_MAGIC || h->sector[i].sequence != sequence)
            return false;
    }
    return h->sector[0].count <= LOG_RECORD_MAX &&
           h->sector[0].count < super->log_blocks - position;
}

// Returns the checksum of the record whose blocks, as they are logged, were added to sum. It also
// covers the sectors of the header that are used, with 0 as the checksum in them.
static inline uint64_t log_checksum_end(struct checksum *sum, struct log_header *h) {
    uint32_t count = h->sector[0].count;
    uint32_t sectors = count == 0 ? 1 : 1 + (count - 1) / LOG_SECTOR_HOMES;
    h->sector[0].checksum = 0;
    checksum_add(sum, h, sectors * LOG_SECTOR);
    return checksum_end(sum);
}

// Tells whether the log may change this block of the disk.
static inline bool log_home_is_valid(const struct superblock *super, uint32_t home) {
    return home >= super->inode_start && home < super->blocks;
}

// ---- Escapes ----

// Returns a bit for each sector of the contents that must be escaped.
static inline unsigned log_find_magic(const void *contents) {
    const struct log_sector *sector = (const struct log_sector *)contents;
    unsigned found = 0;
    for (unsigned i = 0; i < LOG_SECTORS; i++)
        found |= (unsigned)(sector[i].magic == LOG_MAGIC) << i;
    return found;
}

// Sets the first word of these sectors: to 0 to escape them, to LOG_MAGIC to restore it.
static inline void log_set_magic(void *contents, unsigned sectors, uint32_t word) {
    struct log_sector *sector = (struct log_sector *)contents;
    for (unsigned i = 0; i < LOG_SECTORS; i++) {
        if (sectors >> i & 1)
            sector[i].magic = word;
    }
}
