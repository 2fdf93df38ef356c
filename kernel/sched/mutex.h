// Sleeping locks, for data that stays locked across disk transfers. Tasks get a lock in the order
// in which they asked for it.
#pragma once
#include "sched/wait.h"
#include "sync/spinlock.h"

// As long as nobody has to wait, taking and dropping the lock changes only `owner`. Locks: [g]
// guard, [o] only the task that holds the mutex.
struct mutex {
    uintptr_t owner;     // atomic: the thread that holds it, plus MUTEX_AWAITED; 0: free
    enum lock_rank rank; // [o] the rank with which it was taken
    struct spinlock guard;
    struct waitq waiters; // [g]
};

enum { MUTEX_AWAITED = 1 }; // tasks wait, so the owner has to hand it over

#define MUTEX(m) \
    { .guard = SPINLOCK(RANK_MUTEX), .waiters = WAITQ((m).waiters) }

void mutex_init(struct mutex *m);

// The caller chooses the rank, so that a directory can be locked before one of its entries. May
// sleep.
void mutex_lock(struct mutex *m, enum lock_rank rank);

// Hands the lock to the task that has waited longest.
void mutex_unlock(struct mutex *m);

// True if the running task holds the lock.
static inline bool mutex_held(const struct mutex *m) {
    uintptr_t owner = __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
    return (owner & ~(uintptr_t)MUTEX_AWAITED) == (uintptr_t)thread_self();
}
