// The scheduler: one run queue for all harts, direct switches from task to task.
#pragma once
#include "sched/task.h"

// ---- Boot ----

// On the boot hart: the hardware ids of the harts, and what serves pending interrupts.
void sched_init(const unsigned *hart_ids, unsigned hart_count, void (*serve)(void));

// The task that a hart runs when there is no other. Its stack is number `hart`.
struct task *sched_idle_task(unsigned hart);

// The idle loop, on the idle task.
_Noreturn void sched_idle(void);

// How many instructions all harts have executed while they idled.
uint64_t sched_idle_instructions(void);

// ---- The life of a task ----

// Puts a new task on the run queue.
void task_start(struct task *t);

// Lets other tasks run if any are queued.
void task_yield(void);

// For calls that take long: serves pending interrupts, takes part in a stop if there is one, and
// lets other tasks run. The caller holds no lock, and what it works on is consistent.
void task_preemption_point(void);

// Marks t killed; if it sleeps killably, it wakes and its wait_... call returns -EINTR.
void task_kill(struct task *t);

// Ends the running task; its memory may be reused after task_wait_dead. Drops `held`, which the
// caller holds; a hart that takes that lock afterwards waits in task_wait_dead until the task is
// off its stack.
_Noreturn void task_exit(struct spinlock *held);

// Waits until t, which another hart has seen exiting, is off its stack.
void task_wait_dead(struct task *t);

// ---- Switching, with sched_lock held ----

// Switches away from the running task, which has already put itself on the queue that it waits in,
// if any. Returns when it has been woken and its turn has come.
void sched_block(void);

// Lets a task run that sleeps, or is new.
void sched_wake(struct task *t);

// The timer interrupt: charges the running task for its time and starts a new time slice.
void sched_start_slice(void);
