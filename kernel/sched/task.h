// Tasks: what the scheduler runs. A process embeds one; each hart has one for idling.
#pragma once
#include "abi/types.h"
#include "arch/thread.h"
#include "lib/list.h"
#include "sync/spinlock.h"

// The first three have the values of enum process_state.
enum task_state { TASK_RUNNING, TASK_RUNNABLE, TASK_SLEEPING, TASK_DEAD, TASK_NEW };

// Guards the states of tasks, the run queue, the wait queues and the list of sleepers. It is held
// across a switch: the task that leaves takes it, the one that arrives drops it. So no other hart
// can pick up a queued task that is still on its stack.
extern struct spinlock sched_lock;

// Locks: [I] never changes, [s] sched_lock, [o] only the task itself, while it runs.
struct task {
    struct thread thread;  // first, because tp points here
    enum task_state state; // [s]
    bool killable;         // [s] sleeping, and task_kill may wake it
    bool killed;           // [s] set once; read without the lock
    enum lock_rank waits;  // [s] sleeping: rank of the lock that guards what it waits for
    bool shares;           // sleeping for a mutex: it wants to share it; locks: the mutex's guard
    uint64_t run_start;    // [s] running: since when
    uint64_t run_time;     // [s] how long it had run before that
    struct list link;      // [s] in the run queue or a wait queue
    struct list timer;     // [s] in the list of sleepers
    uint64_t deadline;     // [s] when the timer wakes it
    void (*entry)(void);   // [I]
    unsigned log_depth;    // [o] fs/log: how many transactions are open, one inside the other
    bool log_changed;      // [o] fs/log: they have changed something
};

static inline struct task *task_self(void) {
    return (struct task *)thread_self();
}

// True if t has been killed; it ends soon.
static inline bool task_was_killed(const struct task *t) {
    return __atomic_load_n(&t->killed, __ATOMIC_RELAXED);
}

// The same for the running task.
static inline bool task_is_killed(void) {
    return task_was_killed(task_self());
}

// Boot: sets the page table for tasks that have no address space of their own.
void task_set_kernel_root(paddr_t root);

// Prepares t to run entry on kernel stack number `slot`, with the kernel's page table.
void task_init(struct task *t, unsigned slot, void (*entry)(void));

// Switches the running task from its address space to the kernel's page table.
void task_use_kernel_root(void);
