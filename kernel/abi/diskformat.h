// The disk as kernel, mkfs and fsck see it. All numbers are little-endian; blocks are 4 KiB.
//
//   block 0   superblock
//   log       log_blocks blocks, the write-ahead log
//   inodes    inode_blocks blocks, INODES_PER_BLOCK each
//   bitmap    bitmap_blocks blocks, one bit a block of the disk, set: in use
//   data      the rest
#pragma once
#include "abi/types.h"

#define DISK_MAGIC 0x36776f63u // "cow6"
#define LOG_MAGIC 0x676f6c36u  // "6log"

enum {
    BLOCK_SIZE = 4096,
    ROOT_DEVICE = 1,
    ROOT_INODE = 1,
    DIRECT_BLOCKS = 10,
    POINTERS_PER_BLOCK = BLOCK_SIZE / 4,
    BITS_PER_BLOCK = BLOCK_SIZE * 8,
    INODES_MAX = 65535, // a directory entry has 16 bits for the number
    LINKS_MAX = 32767,  // struct stat has 15 bits for the count
};

struct superblock {
    uint32_t magic;
    uint32_t blocks; // of the whole disk
    uint32_t log_start;
    uint32_t log_blocks;
    uint32_t inode_start;
    uint32_t inode_blocks;
    uint32_t inode_count; // numbers 0 (unused) to inode_count - 1
    uint32_t bitmap_start;
    uint32_t bitmap_blocks;
    uint32_t data_start;
};

struct disk_inode {
    uint16_t type; // 0: free; else enum file_type
    uint16_t major;
    uint16_t minor;
    uint16_t nlink;                 // directory entries that name it; "." counts for none, ".." for the parent
    uint64_t size;                  // bytes
    uint32_t direct[DIRECT_BLOCKS]; // block numbers, 0: none
    uint32_t indirect;              // a block of block numbers
    uint32_t double_indirect;       // a block of numbers of blocks of block numbers
};

#define INODES_PER_BLOCK (BLOCK_SIZE / (uint32_t)sizeof(struct disk_inode))
#define FILE_BLOCKS_MAX \
    (DIRECT_BLOCKS + (uint64_t)POINTERS_PER_BLOCK + (uint64_t)POINTERS_PER_BLOCK * POINTERS_PER_BLOCK)

// The log is a run of records from its first block on: a header and the new contents of `count` blocks. A record counts
// if its magic and checksum are right and its sequence number is one more than that of the record before it; the first
// may have any. Replaying them in order is always safe: nothing reaches a block's home that is not in the log first.
enum { LOG_RECORD_MAX = 1000 }; // blocks of a record

struct log_header {
    uint32_t magic;
    uint32_t count;
    uint64_t sequence;
    uint64_t checksum;             // of the header with this field 0, then of the blocks: see log_checksum
    uint32_t home[LOG_RECORD_MAX]; // where the blocks belong
    uint8_t unused[BLOCK_SIZE - 24 - 4 * LOG_RECORD_MAX];
};

// Adds a block to a checksum that starts as 0: a multiplicative hash of 64-bit words (Knuth, TAOCP 3, 6.4).
static inline uint64_t log_checksum(uint64_t sum, const void *block) {
    const uint64_t *word = (const uint64_t *)block;
    for (size_t i = 0; i < BLOCK_SIZE / sizeof *word; i++) sum = (sum ^ word[i]) * 0x9e3779b97f4a7c15u;
    return sum;
}

_Static_assert(sizeof(struct disk_inode) == 64, "64 inodes fill a block");
_Static_assert(sizeof(struct log_header) == BLOCK_SIZE, "a log header is a block");
