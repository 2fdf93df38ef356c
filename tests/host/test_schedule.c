// Which hart runs a task that has been woken. The test is all harts in turn: it continues as the
// task that a hart switches to, and where a hart waits for an interrupt.
#include "test.h"

#include "arch/hart.h"
#include "arch/mmu.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "sched/stop.h"

enum { HZ = 1000000, SLICE = HZ / 100, SHORT_SLICE = HZ / 10000, HARTS = 4, TASKS = 4 };

struct spinlock sched_lock = SPINLOCK(RANK_SCHED);
static struct task tasks[TASKS];
static uint64_t now = 77, timers[HARTS], instructions;
static unsigned notified[HARTS];
static jmp_buf *left_idle;
static void (*interrupt)(void);

// ---- The machine ----

uint64_t hart_time(void) {
    return now;
}

uint64_t hart_instructions(void) {
    return instructions += 10;
}

void hart_set_timer(uint64_t deadline) {
    timers[thread_self()->hart] = deadline;
}

void sched_notify(unsigned hart) {
    CHECK(hart != thread_self()->hart);
    notified[hart]++;
}

void sched_stop_init(const unsigned *ids, unsigned count) {
    CHECK_EQUAL(HARTS, count);
    CHECK(ids != NULL);
}

void sched_go_online(void) {}

void mmu_switch(uint64_t satp) {
    test_fail(__FILE__, __LINE__, "expected one page table for all, saw %llx",
              (unsigned long long)satp);
}

void task_init(struct task *t, unsigned slot, void (*entry)(void)) {
    CHECK(slot < HARTS && entry == NULL);
    list_init(&t->link);
}

// A hart that idles waits here until the test continues on it.
void sched_wait_interrupt(void) {
    CHECK(thread_self()->ranks_held == 0);
    if (interrupt == NULL)
        longjmp(*left_idle, 1);
}

static void serve(void) {
    void (*handler)(void) = interrupt;
    interrupt = NULL;
    if (handler != NULL)
        handler();
}

// The test continues as the task that was switched to.
void thread_switch(struct thread *from, struct thread *to) {
    CHECK(from != to && to->hart == from->hart);
    to->ranks_held = 1ull << RANK_SCHED;
    from->ranks_held = 0;
    host_thread = to;
    if (from == &sched_idle_task(from->hart)->thread) {
        spin_unlock(&sched_lock);
        longjmp(*left_idle, 1);
    }
}

// ---- What the test does ----

static void start(void) {
    static const unsigned ids[HARTS] = {0, 1, 2, 3};
    clock_init(HZ);
    sched_init(ids, HARTS, serve);
    for (int i = 0; i < TASKS; i++) {
        list_init(&tasks[i].link);
        tasks[i].state = TASK_SLEEPING;
    }
}

// Lets a hart idle until it has found a task, or nothing to do after an interrupt.
static void idle(unsigned hart, void (*handler)(void)) {
    jmp_buf here;
    host_thread = &sched_idle_task(hart)->thread;
    interrupt = handler;
    left_idle = &here;
    if (setjmp(here) == 0)
        sched_idle();
}

// Puts a task on a hart that was idle, and continues there.
static void run(unsigned hart, struct task *t) {
    host_thread = &sched_idle_task(hart)->thread;
    task_start(t);
    idle(hart, NULL);
    CHECK(task_self() == t && t->state == TASK_RUNNING);
    CHECK_EQUAL(hart, t->thread.hart);
}

static unsigned notified_count(void) {
    unsigned n = 0;
    for (int i = 0; i < HARTS; i++)
        n += notified[i];
    return n;
}

TEST(one_ready_task_is_left_to_the_hart_that_woke_it) {
    start();
    idle(1, NULL);
    run(0, &tasks[0]);
    CHECK_EQUAL(now + SLICE, timers[0]);
    now += SHORT_SLICE / 2;
    task_start(&tasks[1]);
    CHECK_EQUAL(0, notified_count());
    CHECK_EQUAL(now + SHORT_SLICE, timers[0]);
}

TEST(a_short_slice_is_not_put_off) {
    start();
    idle(1, NULL);
    idle(2, NULL);
    run(0, &tasks[0]);
    task_start(&tasks[1]);
    uint64_t end = timers[0];
    now += SHORT_SLICE / 2;
    idle(1, NULL); // takes tasks[1]
    host_thread = &tasks[0].thread;
    task_start(&tasks[2]);
    CHECK_EQUAL(0, notified_count());
    CHECK_EQUAL(end, timers[0]);
}

TEST(another_hart_helps_when_a_slice_ends) {
    start();
    idle(2, NULL);
    run(0, &tasks[0]);
    task_start(&tasks[1]);
    task_yield();
    CHECK(task_self() == &tasks[1]);
    CHECK_EQUAL(1, notified[2]);
    idle(2, NULL);
    CHECK(task_self() == &tasks[0]);
}

TEST(a_second_ready_task_calls_a_hart) {
    start();
    idle(1, NULL);
    idle(3, NULL);
    run(0, &tasks[0]);
    task_start(&tasks[1]);
    task_start(&tasks[2]);
    CHECK_EQUAL(1, notified[1]);
    task_start(&tasks[3]);
    CHECK_EQUAL(1, notified[3]);
    CHECK_EQUAL(2, notified_count());
}

TEST(nobody_is_called_when_no_hart_idles) {
    start();
    run(0, &tasks[0]);
    task_start(&tasks[1]);
    task_start(&tasks[2]);
    CHECK_EQUAL(0, notified_count());
    CHECK_EQUAL(now + SLICE, timers[0]);
}

static void wake_one(void) {
    task_start(&tasks[1]);
}

static void wake_two(void) {
    task_start(&tasks[1]);
    task_start(&tasks[2]);
}

TEST(an_idle_hart_runs_what_its_interrupt_wakes) {
    start();
    idle(1, NULL);
    idle(0, wake_one);
    CHECK(task_self() == &tasks[1]);
    CHECK_EQUAL(0, notified_count());
}

TEST(an_idle_hart_calls_another_one_for_a_second_task) {
    start();
    idle(2, NULL);
    idle(0, wake_two);
    CHECK(task_self() == &tasks[1]);
    CHECK_EQUAL(1, notified[2]);
    CHECK_EQUAL(1, notified_count());
}

// Hart 0 is awake and has work for itself when hart 3 wakes a second task.
static void wake_one_and_meet_another(void) {
    task_start(&tasks[1]);
    host_thread = &tasks[0].thread; // hart 3
    task_start(&tasks[2]);
    host_thread = &sched_idle_task(0)->thread;
}

TEST(a_hart_that_is_awake_is_not_called) {
    start();
    idle(0, NULL);
    idle(2, NULL);
    run(3, &tasks[0]);
    idle(0, wake_one_and_meet_another);
    CHECK(task_self() == &tasks[1]);
    CHECK_EQUAL(0, notified[0]);
    CHECK_EQUAL(1, notified[2]);
}

TEST(idling_is_counted_up_to_the_interrupt_that_brings_work) {
    start();
    idle(0, NULL);
    uint64_t before = sched_idle_instructions();
    idle(0, wake_one);
    CHECK(sched_idle_instructions() > before);
}
