// Where the blocks of a file are. They hang from its inode in three trees: direct blocks, those
// below one pointer block (a block of block numbers), and those below two levels of pointer blocks.
// Files have no holes. Every pointer is checked where it is used, because the disk may be damaged.
// All functions but filemap_blocks may sleep. The caller holds no block, and has locked the inode
// or knows that the file does not change meanwhile.
#pragma once
#include "fs/allocate.h"
#include "fs/cache.h"

// Returns the number of blocks that hold the file's contents.
static inline uint64_t filemap_blocks(const struct disk_inode *disk) {
    return (disk->size + BLOCK_SIZE - 1) / BLOCK_SIZE;
}

// Stores in *b the file's block `index`, which is before its end, with a reference. Errors: -EIO.
int filemap_get(const struct disk_inode *disk, uint64_t index, struct block **b);

// In an open transaction, takes from the run the block `index`, the first after the file's end, and
// the pointer blocks that lead to it, and stores it in *b; its contents are undefined. It belongs
// to the file once the caller has set the new size. Errors: -EIO, -ENOSPC, -EFBIG; then the file
// has not changed.
int filemap_append(struct disk_inode *disk, uint64_t index, struct block_run *run,
                   struct block **b);

// In an open transaction, gives the run the file's last block, `index`, and the pointer blocks that
// only led to it. Damaged pointers are merely cleared. Errors: -EIO; then nothing has changed.
int filemap_shrink(struct disk_inode *disk, uint64_t index, struct block_run *run);

// Calls visit for every block of the file's contents and every pointer block, and lets other tasks
// run in between. Errors: -EIO, -EINTR (the task was killed).
int filemap_each(const struct disk_inode *disk, void (*visit)(uint32_t block));
