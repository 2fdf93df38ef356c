// Where the blocks of a file are. They hang from its inode in three trees: direct ones, those below
// one block of pointers, and those below two levels of them. Files have no holes. Every pointer is
// checked where it is used, as the disk may be damaged. All of this may sleep; the caller has
// locked the inode and holds no block.
#pragma once
#include "fs/cache.h"

// The number of blocks that hold the file's contents.
static inline uint64_t filemap_blocks(const struct disk_inode *disk) {
    return (disk->size + BLOCK_SIZE - 1) / BLOCK_SIZE;
}

// Stores in *b the file's block `index`, which is before its end, with a reference. Errors: -EIO.
int filemap_get(const struct disk_inode *disk, uint64_t index, struct block **b);

// In an open transaction, stores in *b a block with any contents for the file's first block after
// its end, and the pointers to it. The caller makes it count by a new size. Errors: -EIO, -ENOSPC,
// -EFBIG; then nothing has changed.
int filemap_append(struct disk_inode *disk, uint64_t index, struct block **b);

// In an open transaction, frees the file's last block, `index`, and the blocks of pointers of which
// it is the first. Damaged pointers are forgotten. Errors: -EIO; then nothing has changed.
int filemap_shrink(struct disk_inode *disk, uint64_t index);

// Calls visit for every block that holds the file's contents or pointers to them, and lets others
// run in between. Errors: -EIO, -EINTR (the task was killed).
int filemap_each(const struct disk_inode *disk, void (*visit)(uint32_t block));
