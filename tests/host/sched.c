// Stands in for the scheduler on the host. Each task is a thread, of which one runs at a time, so
// that code that sleeps can be tested with several tasks, repeatably. host_random chooses the task
// that runs next. A test fails when every task sleeps and host_idle cannot wake one. Wait queues
// and mutexes are the kernel's own.
#include "test.h"

#include <pthread.h>

#include "lib/list.h"
#include "lib/panic.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "sched/sleep.h"

struct host_task {
    struct task task; // first: host_thread points here
    pthread_cond_t chosen;
    void (*body)(void *);
    void *argument;
};

bool (*host_idle)(void);
int *host_plan;
struct spinlock sched_lock = SPINLOCK(RANK_SCHED);
static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static struct task *first_task; // of the thread that started the others; not a host_task
static pthread_cond_t first_chosen = PTHREAD_COND_INITIALIZER;
static struct task *runnable[1024];
static size_t runnable_count;
static size_t alive_count;
static struct task *main_task; // sleeping in host_task_wait_all

static void make_runnable(struct task *t) {
    assert(runnable_count < ARRAY_SIZE(runnable));
    t->state = TASK_RUNNABLE;
    t->killable = false;
    runnable[runnable_count++] = t;
}

static pthread_cond_t *chosen(struct task *t) {
    return t == first_task ? &first_chosen : &((struct host_task *)t)->chosen;
}

// Gives the processor to a runnable task and returns when the caller, which is `self`, is chosen.
static void leave(struct task *self) {
    while (runnable_count == 0)
        if (host_idle == NULL || !host_idle())
            test_fail(__FILE__, __LINE__, "expected a task that can run, saw all asleep");
    size_t i = host_plan != NULL ? 0 : host_random((uint32_t)runnable_count);
    struct task *next = runnable[i];
    runnable[i] = runnable[--runnable_count];
    next->state = TASK_RUNNING;
    if (next == self)
        return;
    host_thread = &next->thread;
    pthread_cond_signal(chosen(next));
    while (self != NULL && host_thread != &self->thread)
        pthread_cond_wait(chosen(self), &baton);
}

static void *thread_main(void *argument) {
    struct host_task *t = argument;
    pthread_mutex_lock(&baton);
    while (host_thread != &t->task.thread)
        pthread_cond_wait(&t->chosen, &baton);
    t->body(t->argument);
    assert(t->task.thread.ranks_held == 0);
    if (--alive_count == 0 && main_task != NULL)
        make_runnable(main_task);
    leave(NULL);
    free(t);
    pthread_mutex_unlock(&baton);
    return NULL;
}

// The first thread has the baton from the first call on.
static void baton_take(void) {
    static bool taken;
    if (taken)
        return;
    pthread_mutex_lock(&baton);
    first_task = task_self();
    taken = true;
}

void host_task_start(void (*body)(void *), void *argument) {
    struct host_task *t = calloc(1, sizeof *t);
    pthread_t thread;
    baton_take();
    t->body = body;
    t->argument = argument;
    list_init(&t->task.link);
    pthread_cond_init(&t->chosen, NULL);
    alive_count++;
    make_runnable(&t->task);
    if (pthread_create(&thread, NULL, thread_main, t) != 0)
        test_fail(__FILE__, __LINE__, "expected a thread, saw none");
    pthread_detach(thread);
}

void host_task_wait_all(void) {
    main_task = task_self();
    if (alive_count > 0)
        leave(main_task);
    main_task = NULL;
}

void task_yield(void) {
    if (runnable_count == 0)
        return;
    make_runnable(task_self());
    leave(task_self());
}

void task_preemption_point(void) {
    task_yield();
}

void task_kill(struct task *t) {
    spin_lock(&sched_lock);
    t->killed = true;
    if (t->state == TASK_SLEEPING && t->killable)
        sched_wake(t);
    spin_unlock(&sched_lock);
}

void sched_wake(struct task *t) {
    assert(spin_held(&sched_lock));
    list_remove(&t->link);
    make_runnable(t);
}

// No other task runs before the caller leaves, so the lock can be dropped before that.
void sched_block(void) {
    assert((thread_self()->ranks_held & RANKS_SPINNING) == 1ull << RANK_SCHED);
    spin_unlock(&sched_lock);
    leave(task_self());
    spin_lock(&sched_lock);
}

// Without the kernel's clock.c and sleep.c time does not pass by itself: host_idle may let it pass,
// and wake the queue.
__attribute__((weak)) uint64_t clock_time_of_tick(uint64_t tick) {
    return tick;
}

__attribute__((weak)) void sleep_set_deadline(uint64_t deadline) {
    (void)deadline;
}

__attribute__((weak)) void sleep_cancel_deadline(void) {}
