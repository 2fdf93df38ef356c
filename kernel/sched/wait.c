// Wait queues: lists of sleeping tasks, guarded by sched_lock.
#include "sched/wait.h"
#include "abi/errno.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "sched/sleep.h"

void waitq_init(struct waitq *q) {
    list_init(&q->waiters);
}

// Sleeps on q with `held` dropped. sched_lock is held on entry and on return.
static void block_on(struct waitq *q, struct spinlock *held, bool killable) {
    struct task *self = task_self();
    self->state = TASK_SLEEPING;
    self->killable = killable;
    self->waits = held->rank;
    list_add_tail(&q->waiters, &self->link);
    spin_unlock(held);
    sched_block();
}

void wait_sleep(struct waitq *q, struct spinlock *held) {
    spin_lock(&sched_lock);
    block_on(q, held, false);
    spin_unlock(&sched_lock);
    spin_lock(held);
}

int wait_sleep_killable(struct waitq *q, struct spinlock *held) {
    return wait_sleep_until(q, held, UINT64_MAX);
}

int wait_sleep_until(struct waitq *q, struct spinlock *held, uint64_t tick) {
    spin_lock(&sched_lock);
    if (task_is_killed()) {
        spin_unlock(&sched_lock);
        return -EINTR;
    }
    if (tick != UINT64_MAX)
        sleep_set_deadline(clock_time_of_tick(tick));
    block_on(q, held, true);
    if (tick != UINT64_MAX)
        sleep_cancel_deadline();
    spin_unlock(&sched_lock);
    spin_lock(held);
    return task_is_killed() ? -EINTR : 0;
}

static struct task *first_waiter(const struct waitq *q) {
    return CONTAINER_OF(q->waiters.next, struct task, link);
}

struct task *wait_first(const struct waitq *q) {
    return waitq_has_waiters(q) ? first_waiter(q) : NULL;
}

void wait_wake_first(struct waitq *q) {
    spin_lock(&sched_lock);
    sched_wake(first_waiter(q));
    spin_unlock(&sched_lock);
}

void wait_wake_waiters(struct waitq *q) {
    spin_lock(&sched_lock);
    while (waitq_has_waiters(q))
        sched_wake(first_waiter(q));
    spin_unlock(&sched_lock);
}
