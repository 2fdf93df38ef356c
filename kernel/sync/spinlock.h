// Spin locks. Kernel code is never interrupted, so a lock is held for a short, bounded time. Each
// has a rank, and a task may only take a lock whose rank is higher than those of all locks that it
// holds. This order rules out deadlock; it is checked each time a lock is taken.
#pragma once
#include "abi/types.h"
#include "arch/thread.h"
#include "lib/panic.h"

// The lock order, outermost first: X(name, what it guards). docs/invariants.md says more.
// clang-format off
#define RANKS(X) \
    X(TRANSACTION, "no lock: a file system transaction is open") \
    X(REMOVAL, "the removal of a directory entry") \
    X(DIRECTORY, "the inode of a directory, while one of its entries is locked, too") \
    X(INODE, "an inode") \
    X(ALLOCATE, "which blocks and inodes are free") \
    X(BLOCK, "no lock: the task holds a block of the cache") \
    X(LOG, "the log; this and all below are spin locks") \
    X(PIPE, "a pipe") \
    X(CONSOLE, "the console") \
    X(INODES, "the table of inodes in memory") \
    X(NAMES, "the index of directories") \
    X(CACHE, "the block cache") \
    X(DISK, "the disk's queue") \
    X(PROCS, "the process table") \
    X(MUTEX, "the inside of a sleeping lock") \
    X(SCHED, "run queue, wait queues, sleepers") \
    X(SHARED, "page tables of shared memory") \
    X(TABLES, "owners of shared leaf tables") \
    X(POOL, "a pool of objects") \
    X(FRAMES, "free frames") \
    X(UART, "output")
// clang-format on

enum lock_rank {
#define RANK(name, guards) RANK_##name,
    RANKS(RANK)
#undef RANK
        RANK_SLEEPING_END = RANK_LOG,
};

#define RANKS_SPINNING (~0ull << RANK_SLEEPING_END)

struct spinlock {
    struct thread *owner; // NULL: free
    enum lock_rank rank;  // [I]
};

#define SPINLOCK(r) \
    { .rank = (r) }

// ---- Ranks ----

// True if the running task holds a lock of this rank.
static inline bool rank_held(enum lock_rank rank) {
    return thread_self()->ranks_held >> rank & 1;
}

// Panics: the running task must not take a lock of this rank now.
_Noreturn void rank_refuse(enum lock_rank rank);

// Notes that the running task takes a lock (or what counts as one) of this rank. Panics if that is
// out of order.
static inline void rank_take(enum lock_rank rank) {
    struct thread *self = thread_self();
    if (self->ranks_held >> rank != 0)
        rank_refuse(rank);
    self->ranks_held |= 1ull << rank;
}

// Notes that the running task drops it.
static inline void rank_drop(enum lock_rank rank) {
    assert(rank_held(rank));
    thread_self()->ranks_held &= ~(1ull << rank);
}

// True if the running task may sleep: it holds no spin lock.
static inline bool may_sleep(void) {
    return (thread_self()->ranks_held & RANKS_SPINNING) == 0;
}

// ---- Locks ----

// True if the running task holds the lock.
static inline bool spin_held(const struct spinlock *l) {
    return __atomic_load_n(&l->owner, __ATOMIC_RELAXED) == thread_self();
}

static inline bool spin_try(struct spinlock *l) {
    struct thread *free = NULL;
    return __atomic_compare_exchange_n(&l->owner, &free, thread_self(), false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static inline void spin_lock(struct spinlock *l) {
    rank_take(l->rank);
    while (!spin_try(l))
        continue;
}

static inline void spin_unlock(struct spinlock *l) {
    assert(spin_held(l));
    enum lock_rank rank = l->rank; // once the lock is free, its memory may be, too
    __atomic_store_n(&l->owner, NULL, __ATOMIC_RELEASE);
    thread_self()->ranks_held &= ~(1ull << rank);
}
