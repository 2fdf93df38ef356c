// Sleeping locks.
#include "sched/mutex.h"

#include "lib/panic.h"

void mutex_init(struct mutex *m) {
    *m = (struct mutex){.guard = SPINLOCK(RANK_MUTEX)};
    waitq_init(&m->waiters);
}

void mutex_lock(struct mutex *m, enum lock_rank rank) {
    assert(rank < RANK_SLEEPING_END);
    rank_take(rank);
    spin_lock(&m->guard);
    while (m->owner != NULL) wait_sleep(&m->waiters, &m->guard);
    m->owner = thread_self();
    m->rank = rank;
    spin_unlock(&m->guard);
}

void mutex_unlock(struct mutex *m) {
    assert(mutex_held(m));
    enum lock_rank rank = m->rank;
    spin_lock(&m->guard);
    m->owner = NULL;
    wait_wake_all(&m->waiters);
    spin_unlock(&m->guard);
    rank_drop(rank);
}

bool mutex_held(const struct mutex *m) { return __atomic_load_n(&m->owner, __ATOMIC_RELAXED) == thread_self(); }
