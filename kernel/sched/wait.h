// Wait queues. The condition that tasks wait for is guarded by the spin lock `held`. A task that
// changes the condition holds that lock, and then wakes the queue, so no wake-up is lost. Waiters
// check the condition again: a wake-up may be spurious.
#pragma once
#include "lib/list.h"
#include "sync/spinlock.h"

struct task;

struct waitq {
    struct list waiters; // [s] sched_lock
};

#define WAITQ(q) \
    { LIST_INIT((q).waiters) }

void waitq_init(struct waitq *q);

// ---- Sleeping ----

// Drops `held`, sleeps until woken and takes it again. For waits that end soon in any case.
void wait_sleep(struct waitq *q, struct spinlock *held);

// As wait_sleep, for waits that may last. Returns -EINTR if the task was killed before or
// meanwhile, else 0.
int wait_sleep_killable(struct waitq *q, struct spinlock *held);

// As wait_sleep_killable, but waits at most until clock_ticks is `tick`.
int wait_sleep_until(struct waitq *q, struct spinlock *held, uint64_t tick);

// ---- Waking ----

// True if tasks sleep on q. A caller that has changed the condition under its lock needs no other
// lock to look: every task that saw the old state is on the queue by now.
static inline bool waitq_has_waiters(const struct waitq *q) {
    return __atomic_load_n(&q->waiters.next, __ATOMIC_RELAXED) != &q->waiters;
}

// Wakes the tasks that sleep on q now.
void wait_wake_waiters(struct waitq *q);

// Wakes all; an empty queue costs nothing.
static inline void wait_wake_all(struct waitq *q) {
    if (waitq_has_waiters(q))
        wait_wake_waiters(q);
}

// ---- One by one: only for queues on which all tasks sleep by wait_sleep, so that nothing else can
// wake them. The lock under which they went to sleep must be held. ----

// Returns the task that has waited longest, or NULL if none waits.
struct task *wait_first(const struct waitq *q);

// Wakes it; there must be one.
void wait_wake_first(struct waitq *q);
