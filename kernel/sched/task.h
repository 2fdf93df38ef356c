// Tasks: what the scheduler runs. A process embeds one; each hart has one for idling.
#pragma once
#include "abi/types.h"
#include "arch/thread.h"
#include "lib/list.h"
#include "sync/spinlock.h"

enum task_state {
    TASK_RUNNING,
    TASK_RUNNABLE,
    TASK_SLEEPING,
    TASK_DEAD,
    TASK_NEW
}; // as enum process_state

// Locks: [s] sched_lock, [o] only the task itself, while it runs.
struct task {
    struct thread thread;  // first: tp points here
    enum task_state state; // [s]
    bool killable;         // [s] sleeping, and task_kill may wake it
    bool killed;           // [s] set once; read without the lock
    enum lock_rank waits;  // [s] sleeping: rank of the lock that guards what it waits for
    uint64_t run_start;    // [s] running: since when
    uint64_t run_time;     // [s] that it has run until then
    struct list link;      // [s] in the run queue or a wait queue
    struct list timer;     // [s] in the clock's list
    uint64_t deadline;     // [s] when the clock wakes it
    void (*entry)(void);   // [I]
    unsigned log_depth;    // [o] fs/log: transactions open, one inside the other
    bool log_changed;      // [o] fs/log: they changed something
};

static inline struct task *task_self(void) {
    return (struct task *)thread_self();
}

// Boot: the page table that tasks run with until they have one of their own.
void task_set_kernel_root(paddr_t root);
// Leaves the running task's own page table.
void task_use_kernel_root(void);
// Prepares t to run entry on kernel stack number slot, in the kernel's address space.
void task_init(struct task *t, unsigned slot, void (*entry)(void));
// Puts a new task on the run queue.
void task_start(struct task *t);
// Lets others run if any wait.
void task_yield(void);

// For calls that take long: serves the interrupts that wait, stops if another hart asks for it, and
// lets others run. The caller holds no lock, and what it works on is whole.
void task_preemption_point(void);

// Ends the running task; its memory may be reused after task_wait_dead. Drops `held`, which the
// caller holds, once nobody can find the task running.
_Noreturn void task_exit(struct spinlock *held);
void task_wait_dead(struct task *t);
// Marks t killed; if it sleeps killably, it wakes and its wait_... call returns -EINTR.
void task_kill(struct task *t);
static inline bool task_is_killed(void) {
    return task_self()->killed;
}
