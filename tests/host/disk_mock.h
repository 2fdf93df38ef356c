// A disk in memory for host tests of code above dev/disk.h. It notes every block that is written,
// so that a test can reconstruct what a power cut would have left. It can also be made to fail.
#pragma once

#include "abi/diskformat.h"
#include "abi/types.h"
#include "dev/disk.h"

extern uint8_t *disk_bytes;     // as a reader sees it
extern size_t disk_write_count; // blocks written so far
extern size_t disk_flush_count;
extern size_t disk_request_count;
extern size_t disk_fail_after;  // requests that still succeed; SIZE_MAX: all
extern uint32_t disk_bad_block; // one that cannot be read

// A disk of that many blocks with a file system that has only a root directory, journal and all.
void disk_format(uint32_t blocks, uint32_t inode_count, uint32_t log_blocks);

// Takes over an image as it is.
void disk_use(const uint8_t *bytes, uint32_t blocks);

// ---- The journal of writes ----

// Makes the journal; processes that are forked after this share it.
void disk_journal_init(uint32_t blocks);

// Begins to note writes.
void disk_journal_start(void);

// Stops noting writes.
void disk_journal_stop(void);

// Returns how many writes the journal has.
size_t disk_journal_count(void);

// True if that write belongs to a record at the log's start.
bool disk_journal_is_early(size_t cut);

struct disk_write {
    uint32_t block;
    size_t flushes; // before it
    uint8_t data[BLOCK_SIZE];
};

// Returns a write of the journal, the first being number 0.
const struct disk_write *disk_journal_write(size_t number);

// Fills image with what the disk has after the first `cut` writes, when those after the last flush
// before it may be lost, as a whole or in part.
void disk_image_after(size_t cut, uint8_t *image, uint32_t blocks);

// Fills image with what the disk has after the first `cut` writes, but for the sectors of each (a
// bit for each) that are lost, whatever was flushed.
void disk_image_without(size_t cut, const uint8_t *lost, uint8_t *image, uint32_t blocks);

// Checks an image (after recovery, in a copy) with fsck's code; on violations prints them and
// returns false.
bool disk_is_consistent(const uint8_t *bytes);
