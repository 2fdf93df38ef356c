// Wait queues, sleeping locks, and the order of locks.
#include "test.h"

#include <string.h>

#include "abi/errno.h"
#include "lib/list.h"
#include "sched/mutex.h"
#include "sched/schedule.h"
#include "sched/wait.h"

enum { TASKS = 5, TURNS = 4, HOLDERS = 6 };

static size_t length(const struct waitq *q) {
    size_t n = 0;
    LIST_EACH (e, &q->waiters)
        n++;
    return n;
}

// ---- Locks ----

static struct mutex mutex;
static size_t tasks_left;
static uintptr_t owners[TASKS * TURNS];
static size_t owner_count;

// Holds the lock until all others wait for it, unlocks it, and asks for it again.
static void take_turns(void *argument) {
    for (int i = 0; i < TURNS; i++) {
        mutex_lock(&mutex, RANK_INODE);
        CHECK(mutex_held(&mutex));
        owners[owner_count++] = (uintptr_t)argument;
        while (length(&mutex.waiters) < tasks_left - 1)
            task_yield();
        if (i == TURNS - 1)
            tasks_left--;
        mutex_unlock(&mutex);
    }
}

TEST(mutexes_go_to_waiters_in_order) {
    mutex_init(&mutex);
    tasks_left = TASKS;
    for (uintptr_t t = 0; t < TASKS; t++)
        host_task_start(take_turns, (void *)t);
    host_task_wait_all();
    CHECK_EQUAL(TASKS * TURNS, owner_count);
    for (size_t i = TASKS; i < owner_count; i++)
        CHECK_EQUAL(owners[i - TASKS], owners[i]);
    CHECK_EQUAL(0, mutex.owner);
}

// Each task notes that it holds the lock, and how many held it with it.
static struct {
    bool shared;
    unsigned together; // tasks that held it at the end, this one included
} holders[HOLDERS];
static unsigned holder_count, holding;

static void hold_for_a_while(bool shared) {
    unsigned turn = holder_count++;
    holding++;
    while (length(&mutex.waiters) + holder_count < HOLDERS)
        task_yield(); // until all others have come
    for (int i = 0; i < TASKS; i++)
        task_yield();
    holders[turn].shared = shared;
    holders[turn].together = holding;
    CHECK(shared ? mutex_is_shared(&mutex) && !mutex_held(&mutex) : mutex_held(&mutex));
    for (int i = 0; i < TASKS; i++)
        task_yield();
    holding--;
}

static void hold_shared(void *unused) {
    (void)unused;
    mutex_lock_shared(&mutex, RANK_INODE);
    hold_for_a_while(true);
    mutex_unlock_shared(&mutex, RANK_INODE);
}

static void hold_alone(void *unused) {
    (void)unused;
    mutex_lock(&mutex, RANK_INODE);
    CHECK_EQUAL(0, holding);
    hold_for_a_while(false);
    CHECK_EQUAL(1, holding + 1);
    mutex_unlock(&mutex);
}

// Starts the task when those before it hold the mutex or wait for it.
static void start_in_order(void (*body)(void *), unsigned tasks_before) {
    host_task_start(body, NULL);
    while (holder_count + length(&mutex.waiters) <= tasks_before)
        task_yield();
}

// Two share it, one wants it alone, two more come to share it, and one more wants it alone.
static bool wants_it_alone(unsigned task) {
    return task % 3 == 2;
}

static void start_all(void *unused) {
    (void)unused;
    for (unsigned t = 0; t < HOLDERS; t++)
        start_in_order(wants_it_alone(t) ? hold_alone : hold_shared, t);
}

TEST(sharers_of_a_mutex_take_turns_with_those_who_want_it_alone) {
    mutex_init(&mutex);
    host_task_start(start_all, NULL);
    host_task_wait_all();
    CHECK_EQUAL(HOLDERS, holder_count);
    for (unsigned t = 0; t < HOLDERS; t++) {
        CHECK_EQUAL(!wants_it_alone(t), holders[t].shared);
        CHECK_EQUAL(wants_it_alone(t) ? 1 : 2, holders[t].together);
    }
    CHECK_EQUAL(0, mutex.owner);
}

TEST(sharing_a_mutex_checks_holder_and_rank) {
    mutex_init(&mutex);
    CHECK_PANICS(mutex_unlock_shared(&mutex, RANK_INODE));
    mutex_lock(&mutex, RANK_INODE);
    CHECK_PANICS(mutex_lock_shared(&mutex, RANK_INODE));
    CHECK_PANICS(mutex_unlock_shared(&mutex, RANK_INODE));
    mutex_unlock(&mutex);
    mutex_lock_shared(&mutex, RANK_INODE);
    CHECK_PANICS(mutex_lock_shared(&mutex, RANK_INODE));
    CHECK_PANICS(mutex_unlock(&mutex));
    mutex_unlock_shared(&mutex, RANK_INODE);
    CHECK_EQUAL(0, thread_self()->ranks_held);
}

TEST(mutexes_check_owner_and_rank) {
    struct mutex other;
    mutex_init(&mutex);
    mutex_init(&other);
    CHECK_PANICS(mutex_unlock(&mutex));
    mutex_lock(&mutex, RANK_INODE);
    CHECK_PANICS(mutex_lock(&other, RANK_INODE));
    CHECK_PANICS(mutex_lock(&other, RANK_DIRECTORY));
    mutex_lock(&other, RANK_ALLOCATE);
    mutex_unlock(&mutex);
    CHECK(mutex_held(&other) && !mutex_held(&mutex));
    mutex_unlock(&other);
    CHECK_EQUAL(0, thread_self()->ranks_held);
}

TEST(lock_order_panic_names_all_locks_held) {
    struct spinlock log = SPINLOCK(RANK_LOG), cache = SPINLOCK(RANK_CACHE);
    rank_take(RANK_TRANSACTION);
    spin_lock(&log);
    spin_lock(&cache);
    mutex_init(&mutex);
    CHECK_PANICS(mutex_lock(&mutex, RANK_INODE));
    const char *expected = "lock order: INODE taken while holding TRANSACTION, LOG, CACHE: ";
    CHECK(strncmp(host_printed, expected, strlen(expected)) == 0);
}

TEST(lock_order_panic_has_room_for_all_ranks) {
    thread_self()->ranks_held = (2ull << RANK_UART) - 1;
    CHECK_PANICS(rank_take(RANK_UART));
    CHECK(strstr(host_printed, "POOL, FRAMES, UART: is an unlock missing before a return?") !=
          NULL);
}

// ---- Wait queues ----

static struct spinlock lock = SPINLOCK(RANK_PIPE);
static struct waitq queue = WAITQ(queue);
static struct task *sleepers[TASKS];
static int results[TASKS];
static bool is_open;

// Waits until the gate is open, or the task is killed.
static void pass_gate(void *argument) {
    uintptr_t number = (uintptr_t)argument;
    sleepers[number] = task_self();
    spin_lock(&lock);
    while (!is_open && results[number] == 0) {
        results[number] = wait_sleep_killable(&queue, &lock);
        CHECK_EQUAL(task_is_killed() ? -EINTR : 0, results[number]);
    }
    CHECK(spin_held(&lock));
    spin_unlock(&lock);
}

static void kill_one_and_open(void *unused) {
    (void)unused;
    while (length(&queue) < TASKS)
        task_yield();
    spin_lock(&lock);
    task_kill(sleepers[2]);
    CHECK_EQUAL(TASKS - 1, length(&queue));
    wait_wake_all(&queue); // spurious: the gate is still shut
    CHECK_EQUAL(0, length(&queue));
    spin_unlock(&lock);
    while (length(&queue) < TASKS - 1)
        task_yield();
    spin_lock(&lock);
    is_open = true;
    wait_wake_all(&queue);
    spin_unlock(&lock);
}

TEST(sleepers_wake_when_woken_or_killed) {
    for (uintptr_t t = 0; t < TASKS; t++)
        host_task_start(pass_gate, (void *)t);
    host_task_start(kill_one_and_open, NULL);
    host_task_wait_all();
    for (uintptr_t t = 0; t < TASKS; t++)
        CHECK_EQUAL(t == 2 ? -EINTR : 0, results[t]);
}

static void killed_before(void *unused) {
    (void)unused;
    task_self()->killed = true;
    spin_lock(&lock);
    CHECK_EQUAL(-EINTR, wait_sleep_killable(&queue, &lock));
    CHECK(spin_held(&lock));
    spin_unlock(&lock);
}

TEST(killed_tasks_do_not_sleep) {
    host_task_start(killed_before, NULL);
    host_task_wait_all();
    CHECK_EQUAL(0, length(&queue));
}

TEST(sleeping_with_a_spin_lock_panics) {
    struct spinlock outer = SPINLOCK(RANK_LOG);
    spin_lock(&outer);
    spin_lock(&lock);
    CHECK_PANICS(wait_sleep(&queue, &lock));
}
