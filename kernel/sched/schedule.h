// The scheduler: one run queue for all harts, direct switches from task to task. sched_lock is held
// across a switch: the task that leaves takes it, the one that arrives drops it, so nobody can find
// a task queued that is still running.
#pragma once
#include "arch/hart.h"
#include "sched/task.h"

extern struct spinlock sched_lock;

// Boot, on the boot hart: the hardware ids of the harts, and what serves the interrupts that wait.
void sched_init(const unsigned *hart_ids, unsigned hart_count, void (*serve)(void));
// The task that a hart runs when there is nothing to do. Its stack is number `hart`.
struct task *sched_idle_task(unsigned hart);
// The idle loop, on the idle task.
_Noreturn void sched_idle(void);
// Serves the interrupts that wait. No lock may be held.
void sched_serve_interrupts(void);
// What instret counted while harts idled, in all.
uint64_t sched_idle_instructions(void);
// With sched_lock held, which it still is on return:
void sched_block(void);          // the running task is not queued: switches away until it is again
void sched_wake(struct task *t); // a task that sleeps, or is new, may run
bool sched_others_wait(void);    // somebody is queued
