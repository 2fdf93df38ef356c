// Sleeping locks, which are handed over from task to task in the order of requests.
#include "sched/mutex.h"
#include "lib/panic.h"
#include "sched/task.h"

void mutex_init(struct mutex *m) {
    *m = (struct mutex){.guard = SPINLOCK(RANK_MUTEX)};
    waitq_init(&m->waiters);
}

void mutex_lock(struct mutex *m, enum lock_rank rank) {
    assert(rank < RANK_SLEEPING_END && !mutex_held(m));
    rank_take(rank);
    spin_lock(&m->guard);
    if (m->owner == NULL)
        m->owner = thread_self();
    while (m->owner != thread_self())
        wait_sleep(&m->waiters, &m->guard);
    m->rank = rank;
    spin_unlock(&m->guard);
}

void mutex_unlock(struct mutex *m) {
    assert(mutex_held(m));
    enum lock_rank rank = m->rank;
    spin_lock(&m->guard);
    // The first waiter becomes the owner here, so that the caller cannot take the lock again first.
    struct task *next = wait_wake_first(&m->waiters);
    m->owner = next != NULL ? &next->thread : NULL;
    spin_unlock(&m->guard);
    rank_drop(rank);
}

bool mutex_held(const struct mutex *m) {
    return __atomic_load_n(&m->owner, __ATOMIC_RELAXED) == thread_self();
}
