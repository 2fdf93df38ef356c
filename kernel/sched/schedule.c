// The scheduler.
#include "sched/schedule.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sched/clock.h"

struct spinlock sched_lock = SPINLOCK(RANK_SCHED);

// Locks: [s] sched_lock, [I] set at boot.
static struct list run_queue = LIST_INIT(run_queue); // [s]
static struct task idle_tasks[HARTS_MAX];
static unsigned hart_ids[HARTS_MAX];   // [I]
static unsigned hart_count;            // [I]
static void (*serve_interrupts)(void); // [I]
static unsigned harts_idle;            // [s] bit set: waiting for an interrupt, not yet notified
static uint64_t idle_instructions;     // [s] what instret counted meanwhile
static unsigned harts_online;          // atomic bit set: in the idle loop, or past it

// Stopping: odd while harts are to be stopped; a stopped hart has noted the number it stopped for.
// One that waits for an interrupt counts as stopped: it looks at the number before it does anything
// else.
#define STOPPED_FOR_ANY UINT64_MAX
static uint64_t stop_number;            // atomic
static uint64_t stop_time, next_stop;   // of the stop going on; when there may be another
static uint64_t stopped_for[HARTS_MAX]; // atomic

void sched_init(const unsigned *ids, unsigned count, void (*serve)(void)) {
    hart_count = count;
    serve_interrupts = serve;
    for (unsigned i = 0; i < count; i++) {
        hart_ids[i] = ids[i];
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
    hart_notify(hart_ids[hart]);
}

void sched_serve_interrupts(void) {
    serve_interrupts();
}

_Noreturn void sched_idle(void) {
    unsigned bit = 1u << thread_self()->hart;
    __atomic_fetch_or(&harts_online, bit, __ATOMIC_SEQ_CST);
    sched_stop_here(); // somebody may have stopped those that were online
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
        __atomic_store_n(&stopped_for[thread_self()->hart], STOPPED_FOR_ANY, __ATOMIC_SEQ_CST);
        hart_wait();
        __atomic_store_n(&stopped_for[thread_self()->hart], 0, __ATOMIC_SEQ_CST);
        sched_stop_here();
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
    return idle_instructions;
}

static bool is_stopped(unsigned hart, uint64_t number) {
    uint64_t noted = __atomic_load_n(&stopped_for[hart], __ATOMIC_SEQ_CST);
    return noted == number || noted == STOPPED_FOR_ANY;
}

void sched_stop_others(void) {
    assert(may_sleep());
    while (hart_count > 1 && hart_time() < next_stop)
        sched_stop_here(); // the others run as long as they stood still
    uint64_t number = __atomic_load_n(&stop_number, __ATOMIC_SEQ_CST);
    while (number % 2 != 0 || !__atomic_compare_exchange_n(&stop_number, &number, number + 1, false,
                                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        sched_stop_here(); // somebody else was first
        number = __atomic_load_n(&stop_number, __ATOMIC_SEQ_CST);
    }
    stop_time = hart_time();
    unsigned others =
        __atomic_load_n(&harts_online, __ATOMIC_SEQ_CST) & ~(1u << thread_self()->hart);
    for (unsigned i = 0; i < hart_count; i++) {
        if (others >> i & 1 && !is_stopped(i, number + 1))
            hart_notify(hart_ids[i]);
    }
    for (unsigned i = 0; i < hart_count; i++) {
        while (others >> i & 1 && !is_stopped(i, number + 1))
            continue;
    }
}

void sched_resume_others(void) {
    next_stop = hart_time() + (hart_time() - stop_time);
    __atomic_fetch_add(&stop_number, 1, __ATOMIC_SEQ_CST);
}

void sched_stop_here(void) {
    uint64_t number;
    while ((number = __atomic_load_n(&stop_number, __ATOMIC_SEQ_CST)) % 2 != 0) {
        __atomic_store_n(&stopped_for[thread_self()->hart], number, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&stop_number, __ATOMIC_SEQ_CST) == number)
            continue;
    }
}
