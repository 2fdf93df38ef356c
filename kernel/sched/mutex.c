// Sleeping locks, which are handed over from task to task in the order of requests.
#include "sched/mutex.h"
#include "abi/limits.h"
#include "lib/panic.h"
#include "sched/task.h"

static_assert(PROCS_MAX * MUTEX_SHARE < MUTEX_SHARES_END, "all processes can share a mutex");

void mutex_init(struct mutex *m) {
    *m = (struct mutex){.guard = SPINLOCK(RANK_MUTEX)};
    waitq_init(&m->waiters);
}

// Changes the owner, unless it is no longer `from`. The order for a failure is stronger than needed
// because GCC 12 takes the release, which the next owner relies on, from that one alone.
static bool change_owner(struct mutex *m, uintptr_t from, uintptr_t to) {
    return __atomic_compare_exchange_n(&m->owner, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static uintptr_t owner_of(const struct mutex *m) {
    return __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
}

// Takes the lock for the running task, which wants it alone or shared, unless others hold it or
// wait for it.
static bool try(struct mutex *m, bool shared) {
    uintptr_t owner = owner_of(m);
    if (!shared)
        return owner == 0 && change_owner(m, 0, (uintptr_t)thread_self());
    while (owner < MUTEX_SHARES_END && !(owner & MUTEX_AWAITED)) {
        if (change_owner(m, owner, owner + MUTEX_SHARE))
            return true;
        owner = owner_of(m);
    }
    return false;
}

// Waits until the lock is handed over. The owner has to know of it before the task sleeps.
static void wait_for(struct mutex *m, bool shared) {
    spin_lock(&m->guard);
    while (!try(m, shared)) {
        uintptr_t owner = owner_of(m);
        bool is_told = owner & MUTEX_AWAITED;
        if (owner == 0 || (!is_told && !change_owner(m, owner, owner | MUTEX_AWAITED)))
            continue;
        task_self()->shares = shared;
        wait_sleep(&m->waiters, &m->guard);
        break; // only hand_over wakes it
    }
    spin_unlock(&m->guard);
}

// Hands the lock to the first waiter or, if that one shares it, also to those that follow and share
// it. So the caller cannot take it again first.
static void hand_over(struct mutex *m) {
    uintptr_t owner = 0;
    spin_lock(&m->guard);
    struct task *next = wait_first(&m->waiters);
    assert(next != NULL);
    if (next->shares) {
        for (; next != NULL && next->shares; next = wait_first(&m->waiters)) {
            owner += MUTEX_SHARE;
            wait_wake_first(&m->waiters);
        }
    } else {
        owner = (uintptr_t)&next->thread;
        wait_wake_first(&m->waiters);
    }
    uintptr_t awaited = waitq_has_waiters(&m->waiters) ? MUTEX_AWAITED : 0;
    __atomic_store_n(&m->owner, owner | awaited, __ATOMIC_RELEASE);
    spin_unlock(&m->guard);
}

// ---- Alone ----

void mutex_lock(struct mutex *m, enum lock_rank rank) {
    assert(rank < RANK_SLEEPING_END && !mutex_held(m));
    rank_take(rank);
    if (!try(m, false))
        wait_for(m, false);
    m->rank = rank;
}

void mutex_unlock(struct mutex *m) {
    assert(mutex_held(m));
    enum lock_rank rank = m->rank; // once the lock is free, its memory may be, too
    if (!change_owner(m, (uintptr_t)thread_self(), 0))
        hand_over(m);
    rank_drop(rank);
}

// ---- Shared ----

void mutex_lock_shared(struct mutex *m, enum lock_rank rank) {
    assert(rank < RANK_SLEEPING_END && !mutex_held(m));
    rank_take(rank);
    if (!try(m, true))
        wait_for(m, true);
}

void mutex_unlock_shared(struct mutex *m, enum lock_rank rank) {
    assert(mutex_is_shared(m));
    if (__atomic_fetch_sub(&m->owner, MUTEX_SHARE, __ATOMIC_ACQ_REL) ==
        (MUTEX_SHARE | MUTEX_AWAITED))
        hand_over(m);
    rank_drop(rank);
}
