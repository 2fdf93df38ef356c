// Sleeping, with a counter that the test moves: an idle hart lets time pass until its timer rings.
#include "test.h"

#include "abi/errno.h"
#include "arch/hart.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "sched/sleep.h"
#include "sched/wait.h"

enum { HZ = 1000, TENTH = HZ / 10, START = 7777, SLEEPERS = 5 };

static uint64_t now = START, timer;
static unsigned slices, woken_count;
static struct task *sleeper;

uint64_t hart_time(void) {
    return now;
}

void hart_set_timer(uint64_t deadline) {
    timer = deadline;
}

void sched_start_slice(void) {
    CHECK(spin_held(&sched_lock));
    slices++;
}

static void prepare_idle(void) {
    spin_lock(&sched_lock);
    clock_prepare_idle();
    spin_unlock(&sched_lock);
    CHECK(timer > now && timer <= now + TENTH);
}

static bool wait_for_timer(void) {
    prepare_idle();
    now = timer;
    sleep_interrupt();
    return true;
}

// ---- Sleeping for a time ----

// Tasks fall asleep at different times, so their deadlines are not a multiple of a tenth apart.
static void sleep_some(void *ticks) {
    now += TENTH / 4;
    uint64_t deadline = now + (uintptr_t)ticks * TENTH;
    CHECK_EQUAL(0, sleep_ticks((uintptr_t)ticks));
    CHECK_EQUAL(deadline, now);
    woken_count++;
}

TEST(sleepers_wake_at_their_deadlines) {
    static const uintptr_t ticks[SLEEPERS] = {5, 3, 3, 1, 9};
    clock_init(HZ);
    host_idle = wait_for_timer;
    for (unsigned i = 0; i < SLEEPERS; i++)
        host_task_start(sleep_some, (void *)ticks[i]);
    host_task_wait_all();
    CHECK_EQUAL(SLEEPERS, woken_count);
    CHECK(slices > 0);
}

// ---- Being killed ----

static void sleep_until_killed(void *unused) {
    (void)unused;
    sleeper = task_self();
    CHECK_EQUAL(-EINTR, sleep_ticks(1000));
}

static bool kill_sleeper(void) {
    task_kill(sleeper);
    return true;
}

TEST(killed_sleepers_leave_no_alarm) {
    clock_init(HZ);
    host_idle = kill_sleeper;
    host_task_start(sleep_until_killed, NULL);
    host_task_wait_all();
    CHECK_EQUAL(START, now);
    now += 1000 * TENTH - TENTH / 2; // half a tenth before the deadline that it had
    prepare_idle();
    CHECK_EQUAL(now + TENTH, timer);
}

// ---- Waiting until a tick ----

static struct spinlock lock = SPINLOCK(RANK_PIPE);
static struct waitq queue = WAITQ(queue);

static void wait_until_tick(void *tick) {
    spin_lock(&lock);
    CHECK_EQUAL(0, wait_sleep_until(&queue, &lock, (uintptr_t)tick));
    spin_unlock(&lock);
    CHECK_EQUAL((uintptr_t)tick, clock_ticks());
    CHECK_EQUAL(START + (uintptr_t)tick * TENTH, now);
}

TEST(waiters_wake_at_their_tick) {
    clock_init(HZ);
    now += TENTH / 3;
    host_idle = wait_for_timer;
    host_task_start(wait_until_tick, (void *)4);
    host_task_wait_all();
    CHECK(list_is_empty(&queue.waiters));
}
