// Allocation: which blocks and which inode numbers of the disk are in use. Callers allocate and
// free inside an open transaction. All but allocate_mount, block_count, block_is_data and
// inode_number_count may sleep.
#pragma once
#include "fs/cache.h"

// Notes where the disk keeps its bitmap and its inodes. Must be called before all others.
void allocate_mount(const struct superblock *super);

// ---- Blocks ----

// Returns the number of blocks of the disk.
uint32_t block_count(void);

// True for the numbers that a file's blocks may have; others come only from damaged disks.
bool block_is_data(uint32_t number);

// Adjacent blocks that are in use but belong to no file: not yet, or no longer. All zeros but
// `wanted`: there are none yet.
struct block_run {
    uint32_t wanted; // how many more the caller is likely to take
    uint32_t next;   // the first one
    uint32_t left;   // how many there are
};

// Stores in *number the next block of the run. If none is left, first allocates the lowest free
// block, and with it as many of the wanted ones as follow it and are free. Errors: -ENOSPC, -EIO.
int block_take(struct block_run *run, uint32_t *number);

// Puts a block that no file has any more before the others of the run, and drops it from the cache.
// If it is not adjacent to them, ends the run first.
void block_give(struct block_run *run, uint32_t number);

// Frees the blocks of the run. If the bitmap cannot be read, they stay in use, which does no other
// harm.
void block_run_end(struct block_run *run);

// Stores in *b, with a reference, the block of the bitmap that holds the bit for block `number`.
// Errors: -EIO.
int bitmap_get(uint32_t number, struct block **b);

// ---- Inodes ----

// Returns the number of inodes of the disk. Inode numbers start at 0, which is never used.
uint32_t inode_number_count(void);

// Stores in *number the lowest free inode number and makes its record an empty file without links.
// Errors: -ENOSPC, -EIO.
int inode_number_alloc(uint32_t *number);

// Clears the inode's record. If it cannot be read, the number stays in use.
void inode_number_free(uint32_t number);

// Stores in *b the inode's block with a reference, and in *record where in it the inode is. Errors:
// -EIO (also if there is no such number).
int inode_record_get(uint32_t number, struct block **b, struct disk_inode **record);
