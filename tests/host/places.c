// The kernel's mutexes, and places before and after their calls where other tasks may run: at
// random, by a plan, or while a test holds the running task there.
#include "test.h"

#include "sched/mutex.h"
#include "sched/schedule.h"

void kernel_mutex_lock(struct mutex *m, enum lock_rank rank);
void kernel_mutex_unlock(struct mutex *m);
#define mutex_lock kernel_mutex_lock
#define mutex_unlock kernel_mutex_unlock
#include "sched/mutex.c"
#undef mutex_lock
#undef mutex_unlock

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

void mutex_lock(struct mutex *m, enum lock_rank rank) {
    if (host_before_lock != NULL)
        host_before_lock(rank);
    host_maybe_yield();
    kernel_mutex_lock(m, rank);
}

void mutex_unlock(struct mutex *m) {
    enum lock_rank rank = m->rank;
    kernel_mutex_unlock(m);
    if (host_after_unlock != NULL)
        host_after_unlock(rank);
    host_maybe_yield();
}
