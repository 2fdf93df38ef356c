// Tasks: their beginning and end.
#include "sched/task.h"
#include "arch/address.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sched/schedule.h"

_Static_assert(sizeof(struct task) <= BOOT_TASK_SIZE, "arch/entry.S reserves it");

// The page table that tasks without a user address space run with.
static uint64_t kernel_satp;

void task_set_kernel_root(paddr_t root) {
    kernel_satp = mmu_satp(root);
}

// Arriving from a switch for the first time.
static void begin(void) {
    spin_unlock(&sched_lock);
    task_self()->entry();
    panic("a task's entry returned");
}

void task_init(struct task *t, unsigned slot, void (*entry)(void)) {
    *t = (struct task){.state = TASK_NEW, .entry = entry};
    list_init(&t->link);
    list_init(&t->timer);
    t->thread.satp = kernel_satp;
    t->thread.ranks_held = 1ull << RANK_SCHED;
    thread_prepare(&t->thread, STACK_AREA + (slot + 1) * (uint64_t)STACK_SLOT, begin);
}

void task_start(struct task *t) {
    spin_lock(&sched_lock);
    sched_wake(t);
    spin_unlock(&sched_lock);
}

void task_yield(void) {
    spin_lock(&sched_lock);
    if (sched_others_wait()) {
        sched_wake(task_self());
        sched_block();
    }
    spin_unlock(&sched_lock);
}

void task_preemption_point(void) {
    assert(may_sleep());
    sched_serve_interrupts();
    task_yield();
}

void task_use_kernel_root(void) {
    task_self()->thread.satp = kernel_satp;
    mmu_switch(kernel_satp);
}

_Noreturn void task_exit(struct spinlock *held) {
    spin_lock(&sched_lock);
    spin_unlock(held);
    task_self()->state = TASK_DEAD;
    sched_block();
    panic("a dead task runs");
}

void task_wait_dead(struct task *t) {
    spin_lock(&sched_lock); // whoever made us see t dead held it until t was off its stack
    assert(t->state == TASK_DEAD);
    spin_unlock(&sched_lock);
}

void task_kill(struct task *t) {
    spin_lock(&sched_lock);
    t->killed = true;
    if (t->state == TASK_SLEEPING && t->killable)
        sched_wake(t);
    spin_unlock(&sched_lock);
}
