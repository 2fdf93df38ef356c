// Time. Sleepers wait in a list, the next one to wake first. A hart that runs programs has its
// timer set to the end of a time slice, an idle one to the first sleeper's deadline.
#include "sched/clock.h"
#include "abi/errno.h"
#include "abi/limits.h"
#include "arch/hart.h"
#include "sched/schedule.h"

enum { SLICES_PER_SECOND = 100, MICROSECONDS_PER_SECOND = 1000000 };

// Locks: [I] set at boot, [s] sched_lock, [h] only the hart itself.
static uint64_t frequency;                         // [I]
static uint64_t start_time;                        // [I]
static struct list sleepers = LIST_INIT(sleepers); // [s]
static bool slice_runs[HARTS_MAX];                 // [h] the timer is set to the end of a slice

void clock_init(uint64_t frequency_hz) {
    frequency = frequency_hz;
    start_time = hart_time();
}

uint64_t clock_ticks(void) {
    return (hart_time() - start_time) / (frequency / TICKS_PER_SECOND);
}

static void start_slice(void) {
    slice_runs[thread_self()->hart] = true;
    hart_set_timer(hart_time() + frequency / SLICES_PER_SECOND);
}

void clock_charge(struct task *t) {
    uint64_t now = hart_time(), slice = frequency / SLICES_PER_SECOND;
    t->run_time += now - t->run_start < slice ? now - t->run_start : slice;
    t->run_start = now;
}

uint64_t clock_microseconds(uint64_t time) {
    return time * MICROSECONDS_PER_SECOND / frequency;
}

void clock_start_slice(void) {
    if (!slice_runs[thread_self()->hart])
        start_slice();
}

static struct task *first_sleeper(void) {
    return CONTAINER_OF(sleepers.next, struct task, timer);
}

// An idle hart looks around every tenth of a second even if nobody sleeps: under QEMU's instruction
// counting, a hart that waits without a deadline would stop the clock for ever.
void clock_prepare_idle(void) {
    uint64_t deadline = hart_time() + frequency / TICKS_PER_SECOND;
    if (!list_is_empty(&sleepers) && first_sleeper()->deadline < deadline)
        deadline = first_sleeper()->deadline;
    slice_runs[thread_self()->hart] = false;
    hart_set_timer(deadline);
}

void clock_interrupt(void) {
    spin_lock(&sched_lock);
    while (!list_is_empty(&sleepers) && first_sleeper()->deadline <= hart_time()) {
        struct task *t = first_sleeper();
        list_remove(&t->timer);
        if (t->state == TASK_SLEEPING)
            sched_wake(t);
    }
    clock_charge(task_self());
    start_slice();
    spin_unlock(&sched_lock);
}

static void add_sleeper(struct task *t) {
    struct list *position = sleepers.next;
    while (position != &sleepers &&
           CONTAINER_OF(position, struct task, timer)->deadline <= t->deadline)
        position = position->next;
    list_add_tail(position, &t->timer);
}

void clock_set_alarm(uint64_t tick) {
    struct task *self = task_self();
    self->deadline = start_time + tick * (frequency / TICKS_PER_SECOND);
    add_sleeper(self);
}

void clock_cancel_alarm(void) {
    spin_lock(&sched_lock);
    list_remove(&task_self()->timer);
    spin_unlock(&sched_lock);
}

int clock_sleep(uint64_t ticks) {
    struct task *self = task_self();
    spin_lock(&sched_lock);
    self->deadline = hart_time() + ticks * frequency / TICKS_PER_SECOND;
    while (!task_is_killed() && hart_time() < self->deadline) {
        add_sleeper(self);
        self->state = TASK_SLEEPING;
        self->killable = true;
        self->waits = RANK_SCHED;
        sched_block();
        list_remove(&self->timer);
    }
    spin_unlock(&sched_lock);
    return task_is_killed() ? -EINTR : 0;
}
