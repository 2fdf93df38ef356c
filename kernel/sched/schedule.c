// The scheduler.
#include "sched/schedule.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sched/clock.h"
#include "sched/stop.h"

struct spinlock sched_lock = SPINLOCK(RANK_SCHED);

// Locks: [s] sched_lock, [I] set at boot.
static struct list run_queue = LIST_INIT(run_queue); // [s]
static struct task idle_tasks[HARTS_MAX];
static void (*serve_interrupts)(void); // [I]
static unsigned harts_idle;            // [s] bit set: waiting for an interrupt, not yet notified
static uint64_t idle_instructions;     // [s] what instret counted meanwhile

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

bool sched_others_wait(void) {
    return !list_is_empty(&run_queue);
}
static bool is_idle(const struct task *t) {
    return t == &idle_tasks[t->thread.hart];
}

// Switches to the first task of the queue, or to the idle task.
static void switch_away(void) {
    struct task *self = task_self(), *next = &idle_tasks[self->thread.hart];
    if (!list_is_empty(&run_queue)) {
        next = CONTAINER_OF(run_queue.next, struct task, link);
        list_remove(&next->link);
        next->thread.hart = self->thread.hart;
        clock_start_slice();
    }
    next->state = TASK_RUNNING;
    if (next == self)
        return;
    clock_charge(self);
    next->run_start = self->run_start;
    if (next->thread.satp != self->thread.satp)
        mmu_switch(next->thread.satp);
    sched_lock.owner = &next->thread; // a task that waits here holds the lock in its ranks_held
    thread_switch(&self->thread, &next->thread);
}

void sched_block(void) {
    assert(spin_held(&sched_lock));
    assert((thread_self()->ranks_held & RANKS_SPINNING) == 1ull << RANK_SCHED);
    switch_away();
}

void sched_wake(struct task *t) {
    assert(spin_held(&sched_lock));
    bool served_here = is_idle(task_self()) && list_is_empty(&run_queue);
    list_remove(&t->link);
    t->state = TASK_RUNNABLE;
    list_add_tail(&run_queue, &t->link);
    if (harts_idle == 0 || served_here)
        return;
    unsigned hart = 0;
    while (!(harts_idle >> hart & 1))
        hart++;
    harts_idle &= ~(1u << hart);
    sched_notify(hart);
}

void sched_serve_interrupts(void) {
    serve_interrupts();
}

_Noreturn void sched_idle(void) {
    unsigned bit = 1u << thread_self()->hart;
    sched_join_stops();
    for (;;) {
        uint64_t before = hart_instructions();
        spin_lock(&sched_lock);
        if (sched_others_wait()) {
            switch_away();
            spin_unlock(&sched_lock);
            continue;
        }
        harts_idle |= bit;
        clock_prepare_idle();
        spin_unlock(&sched_lock);
        sched_wait_interrupt();
        uint64_t waited = hart_instructions() - before;
        spin_lock(&sched_lock);
        harts_idle &= ~bit;
        spin_unlock(&sched_lock);
        serve_interrupts();
        spin_lock(&sched_lock); // a wake-up that nothing came of counts as waiting
        idle_instructions += sched_others_wait() ? waited : hart_instructions() - before;
        spin_unlock(&sched_lock);
    }
}

uint64_t sched_idle_instructions(void) {
    spin_lock(&sched_lock);
    uint64_t n = idle_instructions;
    spin_unlock(&sched_lock);
    return n;
}
