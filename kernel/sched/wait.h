// Wait queues, and sleeping locks made of them. The condition waited for is guarded by the caller's
// spin lock; whoever changes it holds that lock and then wakes the queue, so no wake-up is lost.
// Waiters check the condition again: a return promises nothing.
#pragma once
#include "lib/list.h"
#include "sync/spinlock.h"

struct waitq {
    struct list waiters; // [s]
};

#define WAITQ(q) \
    { LIST_INIT((q).waiters) }

void waitq_init(struct waitq *q);
// Drops `held`, sleeps until woken, takes it again. For waits that end soon whatever happens.
void wait_sleep(struct waitq *q, struct spinlock *held);
// The same for waits that may last: -EINTR if the task was killed before or meanwhile, else 0.
int wait_sleep_killable(struct waitq *q, struct spinlock *held);
// The same, but not longer than until clock_ticks is `tick`.
int wait_sleep_until(struct waitq *q, struct spinlock *held, uint64_t tick);
void wait_wake_all(struct waitq *q);
// A sleeping lock, for what is held across disk transfers. Waiters get it in the order in which
// they came.
struct mutex {
    struct spinlock guard;
    struct thread *owner; // [guard]
    enum lock_rank rank;  // [o] as which it was taken
    struct waitq waiters;
};

#define MUTEX(m) \
    { .guard = SPINLOCK(RANK_MUTEX), .waiters = WAITQ((m).waiters) }

void mutex_init(struct mutex *m);
// May sleep. The rank is the caller's to say, so that a directory can be locked before its entry.
void mutex_lock(struct mutex *m, enum lock_rank rank);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m);
