// The scheduler: the run queue, the context switch, and the idle loop.
#include "sched/schedule.h"
#include "arch/address.h"
#include "arch/hart.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sched/clock.h"
#include "sched/stop.h"

// Locks: [I] set at boot, [s] sched_lock.
static struct list run_queue = LIST_INIT(run_queue); // [s]
static struct task idle_tasks[HARTS_MAX];            // locks: see struct task
static void (*serve_interrupts)(void);               // [I]
static unsigned harts_idle;                          // [s] bit set: harts to notify of work
static uint64_t idle_instructions;                   // [s] counted by instret while idle

void sched_init(const unsigned *ids, unsigned count, void (*serve)(void)) {
    sched_stop_init(ids, count);
    serve_interrupts = serve;
    for (unsigned i = 0; i < count; i++) {
        task_init(&idle_tasks[i], i, NULL);
        idle_tasks[i].thread.hart = i;
        idle_tasks[i].thread.ranks_held = 0;
        idle_tasks[i].state = TASK_RUNNING;
    }
}

struct task *sched_idle_task(unsigned hart) {
    return &idle_tasks[hart];
}

// ---- Switching ----

// Charges the running task for the time since it was last charged. More than a time slice counts as
// one, because then the machine itself was not running.
static void charge(struct task *self) {
    uint64_t now = hart_time();
    self->run_time += min(now - self->run_start, clock_slice());
    self->run_start = now;
}

void sched_start_slice(void) {
    assert(spin_held(&sched_lock));
    charge(task_self());
    clock_start_slice();
}

// Switches to the first task of the queue, or to the idle task.
static void switch_away(void) {
    struct task *self = task_self();
    struct task *next = &idle_tasks[self->thread.hart];
    if (!list_is_empty(&run_queue)) {
        next = CONTAINER_OF(run_queue.next, struct task, link);
        list_remove(&next->link);
        next->thread.hart = self->thread.hart;
        clock_ensure_slice();
    }
    next->state = TASK_RUNNING;
    if (next == self)
        return;
    charge(self);
    next->run_start = self->run_start;
    if (next->thread.satp != self->thread.satp)
        mmu_switch(next->thread.satp);
    sched_lock.owner = &next->thread; // its ranks_held already says that it holds the lock
    thread_switch(&self->thread, &next->thread);
}

void sched_block(void) {
    assert(spin_held(&sched_lock));
    assert((thread_self()->ranks_held & RANKS_SPINNING) == 1ull << RANK_SCHED);
    switch_away();
}

static bool is_idle(const struct task *t) {
    return t == &idle_tasks[t->thread.hart];
}

// Calls one of the harts that idle, if any does, to look at the queue.
static void notify_idle_hart(void) {
    if (harts_idle == 0)
        return;
    unsigned hart = 0;
    while (!(harts_idle >> hart & 1))
        hart++;
    harts_idle &= ~(1u << hart);
    sched_notify(hart);
}

// A task that is ready alone is left to this hart, which in most cases becomes free soon, because
// the running task waits for the other: a parent for its child, a reader for a writer. To wake
// another hart would take longer. If the running task goes on, its time slice soon ends, and then
// there are two.
void sched_wake(struct task *t) {
    assert(spin_held(&sched_lock));
    bool is_alone = list_is_empty(&run_queue), was_idle = is_idle(task_self());
    if (was_idle) // it serves an interrupt, and looks at the queue next
        harts_idle &= ~(1u << thread_self()->hart);
    list_remove(&t->link);
    t->state = TASK_RUNNABLE;
    list_add_tail(&run_queue, &t->link);
    if (!is_alone)
        notify_idle_hart();
    else if (harts_idle != 0 && !was_idle)
        clock_shorten_slice();
}

// ---- Idling ----

_Noreturn void sched_idle(void) {
    unsigned bit = 1u << thread_self()->hart;
    sched_go_online();
    uint64_t counted_to = hart_instructions(), woken_at = counted_to;
    for (;;) {
        spin_lock(&sched_lock);
        harts_idle &= ~bit;
        bool has_work = !list_is_empty(&run_queue);
        uint64_t idle_to = has_work ? woken_at : hart_instructions();
        idle_instructions += idle_to - counted_to; // an interrupt that brings no work counts, too
        counted_to = idle_to;
        if (has_work) {
            switch_away();
            counted_to = hart_instructions();
        }
        harts_idle |= bit;
        clock_prepare_idle();
        spin_unlock(&sched_lock);
        sched_wait_interrupt();
        woken_at = hart_instructions();
        serve_interrupts();
    }
}

uint64_t sched_idle_instructions(void) {
    spin_lock(&sched_lock);
    uint64_t n = idle_instructions;
    spin_unlock(&sched_lock);
    return n;
}

// ---- The life of a task ----

void task_start(struct task *t) {
    spin_lock(&sched_lock);
    sched_wake(t);
    spin_unlock(&sched_lock);
}

void task_yield(void) {
    spin_lock(&sched_lock);
    if (!list_is_empty(&run_queue)) {
        sched_wake(task_self());
        sched_block();
    }
    spin_unlock(&sched_lock);
}

void task_preemption_point(void) {
    assert(may_sleep());
    serve_interrupts();
    task_yield();
}

void task_kill(struct task *t) {
    spin_lock(&sched_lock);
    __atomic_store_n(&t->killed, true, __ATOMIC_RELAXED);
    if (t->state == TASK_SLEEPING && t->killable)
        sched_wake(t);
    spin_unlock(&sched_lock);
}

_Noreturn void task_exit(struct spinlock *held) {
    spin_lock(&sched_lock);
    spin_unlock(held);
    task_self()->state = TASK_DEAD;
    sched_block();
    panic("a dead task runs");
}

void task_wait_dead(struct task *t) {
    // t holds sched_lock from the moment it can be seen exiting until it is off its stack.
    spin_lock(&sched_lock);
    assert(t->state == TASK_DEAD);
    spin_unlock(&sched_lock);
}
