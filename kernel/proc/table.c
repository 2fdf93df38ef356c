// The table of processes.
#include "proc/table.h"
#include "arch/hart.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "sched/stop.h"
#include "vm/pagemap.h"

enum { PID_MAX = INT32_MAX - 1 };

static_assert(offsetof(struct proc, task) == 0, "task_self is the process");
static_assert((int)TASK_RUNNING == PROCESS_RUNNING && (int)TASK_RUNNABLE == PROCESS_RUNNABLE &&
                  (int)TASK_SLEEPING == PROCESS_SLEEPING,
              "proc_describe reports them as they are");

struct spinlock proc_table_lock = SPINLOCK(RANK_PROCS);

// Locks: [I] set at boot, [p] proc_table_lock.
static struct proc *table; // [I] PROCS_MAX entries
static pid_t last_pid;     // [p]
static bool pids_repeat;   // [p] pids have wrapped around

void proc_init(void) {
    table = frame_set_aside(PROCS_MAX * sizeof *table);
    for (unsigned i = 0; i < PROCS_MAX; i++)
        table[i].pid = 0; // the slot is free
}

const struct proc *proc_running(void) {
    const struct proc *p = current_proc();
    return table != NULL && p >= table && p < table + PROCS_MAX ? p : NULL;
}

static void assert_table_is_stable(void) {
    assert(spin_held(&proc_table_lock) || sched_is_stopped());
}

struct proc *proc_find(pid_t pid) {
    assert_table_is_stable();
    for (unsigned i = 0; i < PROCS_MAX && pid > 0; i++) {
        if (table[i].pid == pid)
            return &table[i];
    }
    return NULL;
}

struct proc *proc_next(pid_t from) {
    assert_table_is_stable();
    struct proc *found = NULL;
    for (unsigned i = 0; i < PROCS_MAX; i++) {
        struct proc *p = &table[i];
        if (p->pid >= from && p->pid > 0 && (found == NULL || p->pid < found->pid))
            found = p;
    }
    return found;
}

// Returns the next pid that no process has. Until pids wrap around, no process can have it.
static pid_t take_pid(void) {
    do {
        if (last_pid == PID_MAX) {
            pids_repeat = true;
            last_pid = 1;
        }
        last_pid++;
    } while (pids_repeat && proc_find(last_pid) != NULL);
    return last_pid;
}

static struct proc *find_free_slot(void) {
    for (unsigned i = 0; i < PROCS_MAX; i++) {
        if (table[i].pid == 0)
            return &table[i];
    }
    return NULL;
}

struct proc *proc_alloc(void (*entry)(void)) {
    spin_lock(&proc_table_lock);
    struct proc *p = find_free_slot();
    if (p != NULL) {
        memset(&p->task + 1, 0, sizeof *p - sizeof p->task); // task_init clears the task
        task_init(&p->task, HARTS_MAX + (unsigned)(p - table), entry);
        list_init(&p->children);
        list_init(&p->sibling);
        waitq_init(&p->child_changed);
        p->pid = take_pid();
    }
    spin_unlock(&proc_table_lock);
    return p;
}

// Tells what a task waits for, judging by the lock that guards its condition.
static enum process_wait describe_wait(enum lock_rank rank) {
    switch (rank) {
    case RANK_PIPE:
        return WAITS_FOR_PIPE;
    case RANK_PROCS:
        return WAITS_FOR_CHILD;
    case RANK_CONSOLE:
        return WAITS_FOR_KEYS;
    case RANK_SCHED:
        return WAITS_FOR_TIME;
    default:
        return WAITS_FOR_FILES;
    }
}

static enum process_state state_of(const struct proc *p) {
    if (p->zombie)
        return PROCESS_ZOMBIE;
    if (p->task.state == TASK_NEW)
        return PROCESS_RUNNABLE;
    return (enum process_state)p->task.state;
}

void proc_describe(const struct proc *p, struct procinfo *info) {
    assert(sched_is_stopped());
    *info = (struct procinfo){.pid = p->pid, .state = state_of(p)};
    if (p->parent != NULL)
        info->parent = p->parent->pid;
    if (p->as != NULL) {
        pagemap_measure(p->as, &info->pages_resident, &info->pages_region);
        info->heap_end = p->as->heap_end;
    }
    string_copy(info->name, p->name, sizeof info->name);
    info->waits_for = describe_wait(p->task.waits);
    info->run_microseconds = clock_microseconds(p->task.run_time);
    info->pc = p->task.thread.user.pc;
    info->fault_address = p->last_fault.address;
    info->fault_repeats = p->last_fault.repeats;
}
