// The write-ahead log, which makes transactions atomic: either all changes of one reach the disk,
// or none. The transactions that are open at the same time form a group, which is committed as a
// whole; log_end returns when the group is durable. All functions but log_write, log_discard,
// log_abort and log_resume may sleep.
#pragma once
#include "fs/cache.h"

enum {
    TRANSACTION_BYTES = 64 * 1024, // what one transaction may write to a file
    TRANSACTION_FREES = 2048,      // blocks of a file that it may free
};

// Recovers what the log holds, before anything else uses the file system. Stores in *was_used
// whether anything was ever logged. Errors: -EIO, -EINVAL (log too small).
int log_mount(const struct superblock *super, bool *was_used);

// ---- Transactions ----

// Opens a transaction, or enters the one that the task has open. The caller holds no inode's lock,
// unless it already has a transaction open. Errors: -EIO; then nothing is open.
int log_begin(void);

// Ends what log_begin began. The outermost call closes the transaction and, if this has changed
// something, returns when the changes are durable; its caller holds no inode's lock. Errors: -EIO;
// then the next boot may find all changes of the group, or none.
int log_end(void);

// Notes that the open transaction has changed the block. Takes over the caller's reference.
void log_write(struct block *b);

// Notes that the block was freed, so that its contents no longer matter, and drops it from the
// cache.
void log_discard(uint32_t number);

// Gives up because a change cannot be completed: neither the group's changes nor any later ones
// reach the disk.
void log_abort(void);

// ---- Pausing ----

// Waits until no transaction is open, and lets none begin before log_resume. To the caller it is
// like a transaction that changes nothing. Errors: -EIO; then there is nothing to resume.
int log_pause(void);

void log_resume(void);
