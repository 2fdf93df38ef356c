// The kernel's mutexes, and places before and after their calls where other tasks may run: at
// random, by a plan, or while a test holds the running task there.
#include "test.h"

#include "sched/mutex.h"
#include "sched/schedule.h"

void kernel_mutex_lock(struct mutex *m, enum lock_rank rank);
void kernel_mutex_unlock(struct mutex *m);
void kernel_mutex_lock_shared(struct mutex *m, enum lock_rank rank);
void kernel_mutex_unlock_shared(struct mutex *m, enum lock_rank rank);
#define mutex_lock kernel_mutex_lock
#define mutex_unlock kernel_mutex_unlock
#define mutex_lock_shared kernel_mutex_lock_shared
#define mutex_unlock_shared kernel_mutex_unlock_shared
#include "sched/mutex.c"
#undef mutex_lock
#undef mutex_unlock
#undef mutex_lock_shared
#undef mutex_unlock_shared

bool host_yields;
void (*host_before_lock)(unsigned rank);
void (*host_after_unlock)(unsigned rank);

// True if the running task is at one of the places that host_plan names.
static bool is_planned(void) {
    if (host_plan == NULL || *host_plan < 0 || (*host_plan)-- > 0)
        return false;
    host_plan++;
    return true;
}

void host_maybe_yield(void) {
    if (!may_sleep())
        return;
    if (is_planned() || (host_yields && host_random(2) == 0))
        task_yield();
}

static void before_lock(enum lock_rank rank) {
    if (host_before_lock != NULL)
        host_before_lock(rank);
    host_maybe_yield();
}

static void after_unlock(enum lock_rank rank) {
    if (host_after_unlock != NULL)
        host_after_unlock(rank);
    host_maybe_yield();
}

void mutex_lock(struct mutex *m, enum lock_rank rank) {
    before_lock(rank);
    kernel_mutex_lock(m, rank);
}

void mutex_unlock(struct mutex *m) {
    enum lock_rank rank = m->rank;
    kernel_mutex_unlock(m);
    after_unlock(rank);
}

void mutex_lock_shared(struct mutex *m, enum lock_rank rank) {
    before_lock(rank);
    kernel_mutex_lock_shared(m, rank);
}

void mutex_unlock_shared(struct mutex *m, enum lock_rank rank) {
    kernel_mutex_unlock_shared(m, rank);
    after_unlock(rank);
}
