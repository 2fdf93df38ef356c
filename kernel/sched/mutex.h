// Sleeping locks, for data that stays locked across disk transfers. Tasks get a lock in the order
// in which they asked for it.
#pragma once
#include "sched/wait.h"
#include "sync/spinlock.h"

// Locks: [g] guard, [o] only the task that holds the mutex.
struct mutex {
    struct spinlock guard;
    struct thread *owner; // [g] NULL: free
    enum lock_rank rank;  // [o] the rank with which it was taken
    struct waitq waiters; // [g]
};

#define MUTEX(m) \
    { .guard = SPINLOCK(RANK_MUTEX), .waiters = WAITQ((m).waiters) }

void mutex_init(struct mutex *m);

// The caller chooses the rank, so that a directory can be locked before one of its entries. May
// sleep.
void mutex_lock(struct mutex *m, enum lock_rank rank);

// Hands the lock to the task that has waited longest.
void mutex_unlock(struct mutex *m);

// True if the running task holds the lock.
bool mutex_held(const struct mutex *m);
