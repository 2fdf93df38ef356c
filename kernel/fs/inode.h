// What is in an inode: the contents of files and directories. All of this may sleep.
#pragma once
#include "fs/inodetable.h"

// ---- Contents ----

// Reads contents of the locked inode. Returns the bytes read, fewer at the end of the file. Errors:
// -EIO.
int64_t inode_read(struct inode *ip, uint64_t offset, void *to, size_t n);

// Writes contents of the locked inode, at most TRANSACTION_BYTES, in the open transaction. Returns
// the bytes written, fewer when the disk is full. Errors: -EIO, -ENOSPC, -EFBIG, -EINVAL (offset is
// after the end).
int64_t inode_write(struct inode *ip, uint64_t offset, const void *from, size_t n);

// Stores in *b a block of the locked file, with a reference. In an open transaction it may be the
// one after the last, whose contents are then undefined. Errors: -EIO, -ENOSPC, -EFBIG; then
// nothing has changed.
int inode_block(struct inode *ip, uint64_t index, struct block **b);

// Locks the inode.
void inode_stat(struct inode *ip, struct stat *stat);

// ---- Mapped pages ----

// Stores in *frame, with a reference, the cache frame that holds the file's block at offset, a
// multiple of BLOCK_SIZE. A shared page is one that programs may store to; a place for it was
// reserved (cache_reserve). Locks the inode; no transaction may be open. Errors: -EIO, -EFAULT
// (offset is after the end), and unless it is shared -ENOMEM (too much is mapped: read it instead).
int inode_page(struct inode *ip, uint64_t offset, bool is_shared, struct frame **frame);

// Makes what programs stored in the frame, which inode_page gave for offset, a change of the file
// in the open transaction. Only bytes up to the end of the file are written; the rest of the page
// is zeroed. Does nothing if the page is no longer the file's. Locks the inode.
void inode_write_page(struct inode *ip, uint64_t offset, const struct frame *frame);
