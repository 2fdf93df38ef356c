// Tasks with a deadline are in a list, the earliest deadline first.
#include "sched/sleep.h"
#include "abi/errno.h"
#include "arch/hart.h"
#include "lib/panic.h"
#include "sched/clock.h"
#include "sched/schedule.h"

static struct list sleepers = LIST_INIT(sleepers); // [s] sched_lock

static struct task *sleeper_of(struct list *link) {
    return CONTAINER_OF(link, struct task, timer);
}

// Sets the alarm again: the earliest deadline may have changed.
static void update_alarm(void) {
    clock_set_alarm(list_is_empty(&sleepers) ? UINT64_MAX : sleeper_of(sleepers.next)->deadline);
}

void sleep_set_deadline(uint64_t deadline) {
    assert(spin_held(&sched_lock));
    struct task *self = task_self();
    self->deadline = deadline;
    struct list *position = sleepers.next;
    while (position != &sleepers && sleeper_of(position)->deadline <= deadline)
        position = position->next;
    list_add_tail(position, &self->timer);
    update_alarm();
}

void sleep_cancel_deadline(void) {
    assert(spin_held(&sched_lock));
    list_remove(&task_self()->timer);
    update_alarm();
}

void sleep_interrupt(void) {
    spin_lock(&sched_lock);
    LIST_EACH (link, &sleepers) {
        struct task *t = sleeper_of(link);
        if (t->deadline > hart_time())
            break;
        list_remove(link);
        if (t->state == TASK_SLEEPING)
            sched_wake(t);
    }
    update_alarm();
    sched_start_slice();
    spin_unlock(&sched_lock);
}

int sleep_ticks(uint64_t ticks) {
    struct task *self = task_self();
    uint64_t deadline = hart_time() + clock_from_ticks(ticks);
    spin_lock(&sched_lock);
    while (!task_is_killed() && hart_time() < deadline) {
        self->state = TASK_SLEEPING;
        self->killable = true;
        self->waits = RANK_SCHED;
        sleep_set_deadline(deadline);
        sched_block();
        sleep_cancel_deadline();
    }
    spin_unlock(&sched_lock);
    return task_is_killed() ? -EINTR : 0;
}
