// Wait queues. The condition waited for is guarded by the caller's spin lock; whoever changes it
// holds that lock and then wakes the queue, so no wake-up is lost. Waiters check the condition
// again: a return promises nothing.
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

void wait_wake_all(struct waitq *q);
