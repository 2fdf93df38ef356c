// The write-ahead log: makes the changes of a transaction reach the disk all or not at all. Open
// transactions form a group that is committed together; log_end returns when that is durable. All
// but log_write and log_abort may sleep.
#pragma once
#include "fs/cache.h"

enum {
    TRANSACTION_BYTES = 64 * 1024, // what one transaction may write to a file
    TRANSACTION_FREES = 2048,      // blocks of a file that it may free
};

// Replays the log, before anything else uses the file system. Stores in *was_used whether anything
// was ever logged. Errors: -EIO, -EINVAL (log too small).
int log_mount(const struct superblock *super, bool *was_used);
// Opens a transaction, or enters the one the task has open; no inode is locked. Errors: -EIO; then
// nothing is open.
int log_begin(void);
// Ends what log_begin began. When a transaction that changed something ends, it is durable on
// return. Errors: -EIO; then no change of the group reaches the disk.
int log_end(void);
// Notes that the open transaction changes the block. Takes over the caller's reference.
void log_write(struct block *b);
// Notes that the block is free, so that its contents matter no more, and drops it from the cache.
void log_discard(uint32_t number);
// A change cannot be completed: none of the group will reach the disk, nor any later one.
void log_abort(void);

// Waits until no transaction is open, and lets none begin before log_resume. Counts as a
// transaction of the caller's that changes nothing. May sleep. Errors: -EIO; then there is nothing
// to resume.
int log_pause(void);
void log_resume(void);
