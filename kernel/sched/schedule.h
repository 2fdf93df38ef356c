// The scheduler: one run queue for all harts, and direct switches from task to task.
#pragma once
#include "sched/task.h"

// ---- Boot ----

// Called on the boot hart, with the hardware ids of all harts and the function that serves pending
// interrupts.
void sched_init(const unsigned *hart_ids, unsigned hart_count, void (*serve)(void));

// Returns the task that a hart runs when there is no other. Its kernel stack is number `hart`.
struct task *sched_idle_task(unsigned hart);

// The idle loop, which each hart runs on its idle task.
_Noreturn void sched_idle(void);

// Returns how many instructions all harts have executed while idle.
uint64_t sched_idle_instructions(void);

// ---- The life of a task ----

// Puts a new task on the run queue.
void task_start(struct task *t);

// Lets other tasks run if any are ready.
void task_yield(void);

// For calls that take long: serves pending interrupts, takes part in a stop if there is one, and
// lets other tasks run. The caller holds no spin lock, and what it works on is in a consistent
// state.
void task_preemption_point(void);

// Marks t killed; if it sleeps killably, it wakes and its wait_... call returns -EINTR.
void task_kill(struct task *t);

// Ends the running task and drops `held`, which the caller holds. A hart that takes that lock
// afterwards may reuse the task's memory, but must first call task_wait_dead, which waits until the
// task is off its kernel stack.
_Noreturn void task_exit(struct spinlock *held);

// Waits until t, which the caller has seen exiting, is off its kernel stack.
void task_wait_dead(struct task *t);

// ---- Switching, with sched_lock held ----

// Switches away from the running task, which has already put itself on the queue that it waits in,
// if any. Returns when it has been woken and its turn has come.
void sched_block(void);

// Puts a task that sleeps, is new or yields on the run queue, and notifies an idle hart if one is
// needed.
void sched_wake(struct task *t);

// The timer interrupt: charges the running task for its time and starts a new time slice.
void sched_start_slice(void);
