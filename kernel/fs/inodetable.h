// The inodes in memory: references, locks, and how an inode is emptied and freed. All functions may
// sleep, except inode_init, inode_get, inode_is_open and inode_unlock.
#pragma once
#include "abi/stat.h"
#include "fs/inoderecord.h"
#include "fs/nameindex.h"
#include "sched/mutex.h"

// Locks: [I] changes only while a single task has a reference, [t] inode table lock, [m] mutex.
struct inode {
    uint32_t number;     // [I]
    uint32_t parent;     // [I] of a directory: the one that its ".." names, 0 if it has none
    uint32_t references; // [t]
    int mappings;        // [t] shared mappings, which keep the file from being emptied
    bool valid;          // [t] `disk` has been read, and is sane; always true for callers
    bool loading;        // [t] it is being read
    bool emptying;       // [t] inode_truncate is at work, so new mappings wait
    struct inode *next;  // [t] in the hash chain
    struct list link;    // [t] without references: among unused inodes
    struct mutex mutex;
    struct nameindex names; // [m] of a directory
    struct disk_inode disk; // [m], but type and major are [I]: they are read without it
};

// Boot: sets aside the memory for the table.
void inode_init(void);

// ---- References ----

// Stores in *opened the inode with a reference, read from the disk if it was not in memory; NULL on
// failure. Takes no inode's lock, so the caller may hold any. Errors: -EIO (also if damaged or
// free), -ENFILE.
int inode_open(uint32_t number, struct inode **opened);

// As inode_open, for an inode without links that no task has open: a new one, or one that was open
// when the machine stopped. inode_open treats such an inode as free.
int inode_open_unnamed(uint32_t number, struct inode **opened);

// Adds a reference.
struct inode *inode_get(struct inode *ip);

// Drops a reference. The last one of an inode without links frees it on the disk, so no transaction
// may be open then.
void inode_put(struct inode *ip);

// True if there are references to the inode of that number.
bool inode_is_open(uint32_t number);

// ---- Locks ----

// The caller may hold the lock of a directory, but no other inode's.
void inode_lock(struct inode *ip);

// As inode_lock, but shares the lock with other tasks: to read the inode and its contents.
void inode_lock_shared(struct inode *ip);

// Locks a directory before one of its entries: rank DIRECTORY comes before INODE.
void inode_lock_directory(struct inode *ip);

// Drops the lock, whichever way it was taken.
void inode_unlock(struct inode *ip);

// For assertions: true if the inode is locked, alone or shared.
static inline bool inode_is_locked(const struct inode *ip) {
    return mutex_held(&ip->mutex) || mutex_is_shared(&ip->mutex);
}

// ---- The record on the disk ----

// Writes the locked inode's record, in the open transaction. Errors: -EIO; then nothing of the
// transaction reaches the disk.
int inode_update(struct inode *ip);

// ---- Emptying and freeing ----

// Frees all contents, in as many transactions as that takes. Locks the inode; no transaction may be
// open. Errors: -EIO, -EBUSY (a shared mapping).
int inode_truncate(struct inode *ip);

// Adds `change` to the number of shared mappings, each of which also holds a reference. Waits while
// the file is being emptied.
void inode_count_mapping(struct inode *ip, int change);

// In the open transaction, frees the locked inode at once if it has no links, only the caller has a
// reference, and freeing its contents fits into the transaction. Otherwise inode_put frees it
// later.
void inode_free_unused(struct inode *ip);
