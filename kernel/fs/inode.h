// Inodes: files, directories and devices as they are on the disk, and their contents. All of this
// may sleep, but for inode_init, inode_get and inode_unlock.
#pragma once
#include "abi/stat.h"
#include "fs/cache.h"
#include "sched/wait.h"

// Locks: [I] never changes while referenced, [t] inode table lock, [m] mutex.
struct inode {
    uint32_t number;     // [I]
    uint32_t parent;     // [I] of a directory: the one that its ".." names, 0 if it has none
    uint32_t references; // [t]
    int mappings;        // [t] shared ones, which keep the file from being emptied
    bool valid;          // [t] disk holds what the disk says; always so for callers
    bool loading;        // [t] it is being read
    bool emptying;       // [t] inode_truncate is at work, so new mappings wait
    struct inode *next;  // [t] in the hash chain
    struct mutex mutex;
    struct disk_inode disk; // [m] the type never changes while referenced
};

// Boot: sets the table aside.
void inode_init(void);

// ---- References and locks ----

// Stores in *opened the inode with a reference, read from the disk if it was not in memory; NULL on
// failure. Needs no inode's lock, so the caller may hold any. Errors: -EIO (also if damaged or
// free), -ENFILE.
int inode_open(uint32_t number, struct inode **opened);

// The same for an inode without links that no task has open: a new one, or what a stop of the
// machine left. inode_open takes it for free.
int inode_open_unnamed(uint32_t number, struct inode **opened);

// Adds a reference.
struct inode *inode_get(struct inode *ip);

// Drops a reference. The last one of an inode without links frees it on the disk, so no transaction
// may be open then.
void inode_put(struct inode *ip);

// True if there are references to the inode of that number.
bool inode_is_open(uint32_t number);

void inode_lock(struct inode *ip);

// Locks a directory before one of its entries: rank DIRECTORY comes before INODE.
void inode_lock_directory(struct inode *ip);

void inode_unlock(struct inode *ip);

// ---- Contents ----

// Read or write contents, the inode locked, a transaction open for a write. Return the bytes moved,
// less at the end of the file (read) or when the disk is full (write). Errors: -EIO, -ENOSPC,
// -EFBIG, -EINVAL (write starts beyond the end).
int64_t inode_read(struct inode *ip, uint64_t offset, void *to, size_t n);
int64_t inode_write(struct inode *ip, uint64_t offset, const void *from, size_t n);

// Stores in *b a block of the locked file, with a reference. In an open transaction it may be the
// one after the last, which gets any contents. Errors: -EIO, -ENOSPC, -EFBIG; then nothing has
// changed.
int inode_block(struct inode *ip, uint64_t index, struct block **b);

// Frees all contents, in as many transactions as that takes. Locks the inode. Errors: -EIO, -EBUSY
// (a shared mapping).
int inode_truncate(struct inode *ip);

// ---- Mapped pages ----

// Counts shared mappings, each of which has a reference, too. While a file without mappings is
// being emptied, the first one waits for the end of that.
void inode_count_mapping(struct inode *ip, int change);

// Stores in *frame the cache frame with the file's block at offset (a multiple of BLOCK_SIZE), with
// a reference. A shared page is one that programs may store to; a place for it was reserved
// (cache_reserve). Locks the inode; no transaction may be open. Errors: -EIO, -EFAULT beyond the
// end, and unless it is shared -ENOMEM: read it, too much is mapped.
int inode_page(struct inode *ip, uint64_t offset, bool is_shared, struct frame **frame);

// Makes what a program stored in that frame, which it got as the file's page at offset, a change of
// the file in the open transaction; up to the end of the file, and if the page is still the file's.
// Locks the inode.
void inode_write_page(struct inode *ip, uint64_t offset, const struct frame *frame);

// ---- The record on the disk ----

// Tells whether the record is one of an inode in use, with numbers that can be.
bool inode_is_sane(const struct disk_inode *disk);

// Writes the locked inode's record, in the open transaction. Errors: -EIO; then nothing of that
// reaches the disk.
int inode_update(struct inode *ip);

// In the open transaction, frees the locked inode at once if it has no links, only the caller has a
// reference and its contents fit into the transaction. Otherwise inode_put will.
void inode_free_unused(struct inode *ip);

// Locks the inode.
void inode_stat(struct inode *ip, struct stat *stat);
