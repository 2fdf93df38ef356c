// Spin locks. Kernel code is never interrupted, so a lock is held for a short, bounded time. Each
// has a rank; a task may take a lock only of a higher rank than all it holds, which rules out
// deadlock and is checked at every lock.
#pragma once
#include "abi/types.h"
#include "arch/thread.h"

// The lock order, outermost first (docs/invariants.md says what each protects).
enum lock_rank {
    // Sleeping locks (sched/wait.h).
    RANK_TRANSACTION, // not a lock: a file system transaction is open
    RANK_REMOVAL,     // of an entry, which may be a directory's
    RANK_DIRECTORY,   // inode of a directory while one of its entries is locked as well
    RANK_INODE,
    RANK_ALLOCATE, // block and inode allocation
    RANK_BLOCK,    // not a lock: the task holds a block of the cache
    RANK_SLEEPING_END,
    // Spin locks.
    RANK_LOG = RANK_SLEEPING_END,
    RANK_PIPE,
    RANK_CONSOLE,
    RANK_INODES, // table of inodes in memory
    RANK_CACHE,
    RANK_DISK,
    RANK_PROCS,  // process table
    RANK_MUTEX,  // inside of a sleeping lock
    RANK_SCHED,  // run queue, wait queues, clock
    RANK_SHARED, // page tables of shared memory
    RANK_POOL,
    RANK_FRAMES,
    RANK_UART,
};

#define RANKS_SPINNING (~0ull << RANK_SLEEPING_END)

struct spinlock {
    struct thread *owner; // NULL: free
    enum lock_rank rank;
};

#define SPINLOCK(r) \
    { .rank = (r) }

void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_held(const struct spinlock *l);
// Notes that the running task takes or drops something of this rank; panics if it is out of order.
void rank_take(enum lock_rank rank);
void rank_drop(enum lock_rank rank);
static inline bool rank_held(enum lock_rank rank) {
    return thread_self()->ranks_held >> rank & 1;
}

// True if the running task may sleep: it holds no spin lock.
static inline bool may_sleep(void) {
    return (thread_self()->ranks_held & RANKS_SPINNING) == 0;
}
