// The format of the disk, for kernel, mkfs and fsck. All numbers are little-endian; a block is 4
// KiB.
//
//   block 0   superblock
//   log       log_blocks blocks, the write-ahead log: abi/logformat.h
//   inodes    inode_blocks blocks, INODES_PER_BLOCK each
//   bitmap    bitmap_blocks blocks, one bit for each block of the disk: 1 if it is in use
//   data      the rest
#pragma once
#include "abi/types.h"

// "cow8": the last character is the version of the format, which is raised when an older kernel
// would misread the disk.
#define DISK_MAGIC 0x38776f63u
#define DISK_MAGIC_VERSION 0xff000000u

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
    uint16_t nlink;                 // directory entries that name it, ".." included but "." not
    uint64_t size;                  // bytes
    uint32_t direct[DIRECT_BLOCKS]; // block numbers, 0: none
    uint32_t indirect;              // a pointer block, which holds the numbers of blocks
    uint32_t double_indirect;       // a block that holds the numbers of pointer blocks
};

// Tells whether the disk has a cow6 file system, but of another version of the format.
static inline bool superblock_is_foreign(const struct superblock *s) {
    return s->magic != DISK_MAGIC && ((s->magic ^ DISK_MAGIC) & ~DISK_MAGIC_VERSION) == 0;
}

#define INODES_PER_BLOCK (BLOCK_SIZE / (uint32_t)sizeof(struct disk_inode))
#define FILE_BLOCKS_MAX \
    (DIRECT_BLOCKS + (uint64_t)POINTERS_PER_BLOCK + \
     (uint64_t)POINTERS_PER_BLOCK * POINTERS_PER_BLOCK)

enum { DIRECTORY_BYTES_MAX = 4 << 20 };

static_assert(sizeof(struct disk_inode) == 64, "64 inodes fill a block");
