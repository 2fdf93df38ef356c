// Sleeping locks, which are handed over from task to task in the order of requests.
#include "sched/mutex.h"
#include "lib/panic.h"
#include "sched/task.h"

void mutex_init(struct mutex *m) {
    *m = (struct mutex){.guard = SPINLOCK(RANK_MUTEX)};
    waitq_init(&m->waiters);
}

// Changes the owner, unless it is no longer `from`.
static bool change_owner(struct mutex *m, uintptr_t from, uintptr_t to) {
    return __atomic_compare_exchange_n(&m->owner, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

// Waits for the lock. The owner has to know of it before the task sleeps.
static void wait_for(struct mutex *m) {
    spin_lock(&m->guard);
    while (!mutex_held(m)) {
        uintptr_t owner = __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
        if (owner == 0)
            change_owner(m, 0, (uintptr_t)thread_self());
        else if (change_owner(m, owner, owner | MUTEX_AWAITED))
            wait_sleep(&m->waiters, &m->guard);
    }
    spin_unlock(&m->guard);
}

// Makes the first waiter the owner, so that the caller cannot take the lock again first.
static void hand_over(struct mutex *m) {
    spin_lock(&m->guard);
    struct task *next = wait_wake_first(&m->waiters);
    assert(next != NULL);
    uintptr_t awaited = waitq_has_waiters(&m->waiters) ? MUTEX_AWAITED : 0;
    __atomic_store_n(&m->owner, (uintptr_t)&next->thread | awaited, __ATOMIC_RELEASE);
    spin_unlock(&m->guard);
}

void mutex_lock(struct mutex *m, enum lock_rank rank) {
    assert(rank < RANK_SLEEPING_END && !mutex_held(m));
    rank_take(rank);
    if (!change_owner(m, 0, (uintptr_t)thread_self()))
        wait_for(m);
    m->rank = rank;
}

void mutex_unlock(struct mutex *m) {
    assert(mutex_held(m));
    enum lock_rank rank = m->rank; // once the lock is free, its memory may be, too
    if (!change_owner(m, (uintptr_t)thread_self(), 0))
        hand_over(m);
    rank_drop(rank);
}
