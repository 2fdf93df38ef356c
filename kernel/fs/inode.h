// The contents of inodes, that is, of files and directories. All functions may sleep.
#pragma once
#include "fs/inodetable.h"
#include "lib/span.h"

// ---- Contents ----

// Reads contents of the locked inode, and removes from `to` what is filled. Returns the number of
// bytes read, which is below to->size at the end of the file. Errors: -EIO.
int64_t inode_read_spans(struct inode *ip, uint64_t offset, struct spans *to);

// As inode_read_spans, to n bytes of memory.
int64_t inode_read(struct inode *ip, uint64_t offset, void *to, size_t n);

// Writes the first n bytes, at most TRANSACTION_BYTES, in the open transaction to the inode, which
// the caller has locked alone, and removes from `from` what is written. Returns the number of bytes
// written, which is below n when the disk is full. Errors: -EIO, -ENOSPC, -EFBIG, -EINVAL (offset
// is after the end).
int64_t inode_write_spans(struct inode *ip, uint64_t offset, struct spans *from, size_t n);

// As inode_write_spans, from n bytes of memory.
int64_t inode_write(struct inode *ip, uint64_t offset, const void *from, size_t n);

// Stores in *b a block of the locked file, with a reference. In an open transaction, and if the
// caller has locked the file alone, `index` may also be one past the last block: then that block is
// allocated, with undefined contents. Errors:
// -EIO, -ENOSPC, -EFBIG; then nothing has changed.
int inode_block(struct inode *ip, uint64_t index, struct block **b);

// Fills in *stat. Locks the inode.
void inode_stat(struct inode *ip, struct stat *stat);

// ---- Mapped pages ----

// Stores in *frame, with a reference, the cache frame that holds the file's block at offset, a
// multiple of BLOCK_SIZE, for programs to read. Locks the inode. Errors: -EIO, -EFAULT (offset is
// after the end), -ENOMEM (too much of the cache is mapped: read the block instead).
int inode_page(struct inode *ip, uint64_t offset, struct frame **frame);

// As inode_page, for a page to which programs may also store, and for which a slot was reserved
// (cache_reserve). Errors: -EIO, -EFAULT (offset is after the end).
int inode_page_shared(struct inode *ip, uint64_t offset, struct frame **frame);

// In the open transaction, writes to the file what programs have stored in the frame, which
// inode_page_shared returned for offset. Only bytes up to the end of the file are written; the rest
// of the page is zeroed. Does nothing if the page is no longer the file's. Locks the inode.
void inode_write_page(struct inode *ip, uint64_t offset, const struct frame *frame);
