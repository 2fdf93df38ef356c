// Sleeping locks, for what is held across disk transfers.
#pragma once

#include "sched/wait.h"
#include "sync/spinlock.h"

struct mutex {
    struct spinlock guard;
    struct thread *owner; // [guard]
    enum lock_rank rank;  // [o] as which it was taken
    struct waitq waiters;
};

void mutex_init(struct mutex *m);

// May sleep. The rank is the caller's to say, so that a directory can be locked before its entry.
void mutex_lock(struct mutex *m, enum lock_rank rank);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m);
