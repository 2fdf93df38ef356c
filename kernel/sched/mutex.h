// Sleeping locks, for data that stays locked across disk transfers. One task holds a lock alone, to
// change the data, or many share it, to read them. Tasks that have to wait get it in the order in
// which they asked for it.
#pragma once
#include "sched/wait.h"
#include "sync/spinlock.h"

// As long as nobody has to wait, taking and dropping the lock changes only `owner`. Locks: [g]
// guard, [o] only the task that holds the mutex alone.
struct mutex {
    uintptr_t owner;     // atomic: the thread that holds it, or SHARE for each task that shares it,
                         // plus AWAITED; 0: free
    enum lock_rank rank; // [o] the rank with which it was taken
    struct spinlock guard;
    struct waitq waiters; // [g]
};

enum {
    MUTEX_AWAITED = 1, // tasks wait, so the last owner has to hand it over
    MUTEX_SHARE = 2,
    MUTEX_SHARES_END = 4096, // more than all tasks, and less than any address of a thread
};

#define MUTEX(m) \
    { .guard = SPINLOCK(RANK_MUTEX), .waiters = WAITQ((m).waiters) }

void mutex_init(struct mutex *m);

// The caller chooses the rank, so that a directory can be locked before one of its entries. May
// sleep.
void mutex_lock(struct mutex *m, enum lock_rank rank);

// Hands the lock to the task that has waited longest, or to several that share it.
void mutex_unlock(struct mutex *m);

// As mutex_lock and mutex_unlock, to share the lock. The rank must be the same.
void mutex_lock_shared(struct mutex *m, enum lock_rank rank);
void mutex_unlock_shared(struct mutex *m, enum lock_rank rank);

// True if the running task holds the lock alone.
static inline bool mutex_held(const struct mutex *m) {
    uintptr_t owner = __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
    return (owner & ~(uintptr_t)MUTEX_AWAITED) == (uintptr_t)thread_self();
}

// True if tasks share the lock: for assertions, as it does not say which.
static inline bool mutex_is_shared(const struct mutex *m) {
    uintptr_t owner = __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
    return owner >= MUTEX_SHARE && owner < MUTEX_SHARES_END;
}
