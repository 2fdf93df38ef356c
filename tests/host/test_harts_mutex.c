// Two harts and a mutex. While the first hart asks for the mutex, the second one, which holds it or
// shares it, drops it: before another one of the first hart's memory accesses in each run. All such
// places are tried. The first hart must always get the mutex, whether it has to sleep or not.
#include "test.h"

#include "observed.h"
#include "sched/mutex.h"
#include "sched/schedule.h"

struct spinlock sched_lock = SPINLOCK(RANK_SCHED);
static struct task first_hart, second_hart;
static struct mutex mutex;
static bool second_shares;
static volatile bool second_holds; // volatile: the compiler does not see that accesses change it
static int accesses_left;          // of the first hart, before the second one drops the mutex
static bool is_asleep;

NOT_OBSERVED static void drop_on_second(void) {
    host_thread = &second_hart.thread;
    second_holds = false;
    if (second_shares)
        mutex_unlock_shared(&mutex, RANK_INODE);
    else
        mutex_unlock(&mutex);
    host_thread = &first_hart.thread;
}

// The second hart needs a spin lock only if it has to hand the mutex over, and would spin as long
// as the first one holds that lock.
NOT_OBSERVED static bool is_free(void) {
    bool is_awaited = mutex.owner & MUTEX_AWAITED;
    return !is_awaited || (mutex.guard.owner == NULL && sched_lock.owner == NULL);
}

NOT_OBSERVED void observed_access(void) {
    if (second_holds && is_free() && accesses_left-- <= 0)
        drop_on_second();
}

// The first hart sleeps: time for the second one, if it has not dropped the mutex yet.
NOT_OBSERVED void sched_block(void) {
    is_asleep = true;
    spin_unlock(&sched_lock);
    if (second_holds)
        drop_on_second();
    if (is_asleep)
        test_fail(__FILE__, __LINE__, "expected the mutex to be handed over, saw a sleeper left");
    spin_lock(&sched_lock);
}

NOT_OBSERVED void sched_wake(struct task *t) {
    CHECK(t == &first_hart && t->state == TASK_SLEEPING);
    list_remove(&t->link);
    t->state = TASK_RUNNING;
    is_asleep = false;
}

// Only for tasks with a deadline.
uint64_t clock_time_of_tick(uint64_t tick) {
    return tick;
}

void sleep_set_deadline(uint64_t deadline) {
    (void)deadline;
}

void sleep_cancel_deadline(void) {}

static void lock(bool shared) {
    if (shared)
        mutex_lock_shared(&mutex, RANK_INODE);
    else
        mutex_lock(&mutex, RANK_INODE);
}

// Returns whether the first hart's call had that many accesses before which the mutex was dropped.
static bool try_place(bool first_shares, int accesses) {
    mutex_init(&mutex);
    list_init(&first_hart.link);
    host_thread = &second_hart.thread;
    lock(second_shares);
    host_thread = &first_hart.thread;
    accesses_left = accesses;
    second_holds = true;
    lock(first_shares);
    bool is_within = accesses_left < 0;
    if (second_holds)
        drop_on_second();
    CHECK(first_shares ? mutex_is_shared(&mutex) : mutex_held(&mutex));
    CHECK(!(mutex.owner & MUTEX_AWAITED));
    if (first_shares)
        mutex_unlock_shared(&mutex, RANK_INODE);
    else
        mutex_unlock(&mutex);
    CHECK_EQUAL(0, mutex.owner);
    CHECK_EQUAL(0, first_hart.thread.ranks_held);
    return is_within;
}

TEST(a_mutex_that_is_dropped_meanwhile_is_taken) {
    for (int kinds = 0; kinds < 4; kinds++) {
        int places = 0;
        second_shares = kinds & 1;
        while (try_place(kinds & 2, places))
            places++;
        CHECK(places > 1); // else the code is not observed
    }
}
