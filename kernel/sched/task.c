// Tasks: how they are prepared, and where they begin.
#include "sched/task.h"
#include "arch/address.h"
#include "arch/mmu.h"
#include "lib/panic.h"

static_assert(sizeof(struct task) <= BOOT_TASK_SIZE, "arch/entry.S reserves it");
static_assert(offsetof(struct task, thread) == 0, "tp points to the task");

struct spinlock sched_lock = SPINLOCK(RANK_SCHED);
static uint64_t kernel_satp; // [I]

void task_set_kernel_root(paddr_t root) {
    kernel_satp = mmu_satp(root);
}

void task_use_kernel_root(void) {
    task_self()->thread.satp = kernel_satp;
    mmu_switch(kernel_satp);
}

// The first switch to a task arrives here.
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
