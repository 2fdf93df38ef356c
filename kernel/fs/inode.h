// Inodes: files, directories and devices as they lie on the disk, and their contents. All of this may sleep, but for
// inode_init, inode_get and inode_unlock.
#pragma once
#include "abi/stat.h"
#include "fs/cache.h"
#include "sched/wait.h"

enum { DIRECTORY_BYTES_MAX = 4 * 1024 * 1024 };

// Locks: [I] never changes while referenced, [t] inode table lock, [m] mutex, [o] see there.
struct inode {
    uint32_t number;     // [I]
    uint32_t references; // [t]
    int mappings;        // atomic: shared ones, which keep the file from being emptied
    struct inode *next;  // [t] in the hash chain
    struct mutex mutex;
    bool valid;             // [m] disk holds what the disk says; always so for callers
    bool dying;             // [o] the last one who has a reference frees the inode
    struct disk_inode disk; // [m] the type never changes while referenced
};

// Boot: sets the table aside.
void inode_init(void);
// Stores in *opened the inode with a reference, read from the disk if it was not in memory; NULL on failure. Of the
// caller's locks, only a directory's may be an inode's. Errors: -EIO (also if damaged or free), -ENFILE.
int inode_open(uint32_t number, struct inode **opened);
// Adds a reference. / Drops one; the last one of an inode without links frees it on the disk. With a transaction open,
// an inode without links must have at most TRANSACTION_BYTES.
struct inode *inode_get(struct inode *ip);
void inode_put(struct inode *ip);
// Counts shared mappings; each has a reference, too.
void inode_count_mapping(struct inode *ip, int change);
// The second is for a directory of which one entry is going to be locked as well.
void inode_lock(struct inode *ip);
void inode_lock_directory(struct inode *ip);
void inode_unlock(struct inode *ip);
// Read or write contents, the inode locked, a transaction open for a write. Return the bytes moved, less at the end of
// the file (read) or when the disk is full (write). Errors: -EIO, -ENOSPC, -EFBIG, -EINVAL (write starts beyond the
// end).
int64_t inode_read(struct inode *ip, uint64_t offset, void *to, size_t n);
int64_t inode_write(struct inode *ip, uint64_t offset, const void *from, size_t n);
// Stores in *b a block of the locked file, with a reference. In an open transaction it may be the one behind the last,
// which gets any contents. Errors: -EIO, -ENOSPC, -EFBIG; then nothing has changed.
int inode_block(struct inode *ip, uint64_t index, struct block **b);
// Stores in *frame the cache frame with the file's block at offset (a multiple of BLOCK_SIZE), with a reference. A
// shared page is one that programs may store to; a place for it was reserved (cache_reserve). Locks the inode; no
// transaction may be open. Errors: -EIO, -EFAULT beyond the end, and unless it is shared -ENOMEM: read it, too much is
// mapped.
int inode_page(struct inode *ip, uint64_t offset, bool is_shared, struct frame **frame);
// Makes what a program stored in that frame, which it got as the file's page at offset, a change of the file in the
// open transaction; up to the end of the file, and if the page is still the file's. Locks the inode.
void inode_write_page(struct inode *ip, uint64_t offset, const struct frame *frame);
// Writes the locked inode's record, in the open transaction. Errors: -EIO; then nothing of that reaches the disk.
int inode_update(struct inode *ip);
// Frees all contents, in as many transactions as that takes. Locks the inode. Errors: -EIO, -EBUSY (a shared mapping).
int inode_truncate(struct inode *ip);
// Locks the inode.
void inode_stat(struct inode *ip, struct stat *stat);
