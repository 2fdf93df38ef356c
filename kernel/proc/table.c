// The table of processes. Processes are found by a hash of their pid. Slots that were never used
// are handed out in order, freed ones from a list.
#include "proc/table.h"
#include "arch/hart.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "sched/stop.h"
#include "vm/pagemap.h"

enum { PID_MAX = INT32_MAX - 1, BUCKETS = PROCS_MAX };

static_assert(offsetof(struct proc, task) == 0, "task_self is the process");
static_assert((int)TASK_RUNNING == PROCESS_RUNNING && (int)TASK_RUNNABLE == PROCESS_RUNNABLE &&
                  (int)TASK_SLEEPING == PROCESS_SLEEPING,
              "proc_describe reports them as they are");

struct spinlock proc_table_lock = SPINLOCK(RANK_PROCS);

// Locks: [I] set at boot, [p] proc_table_lock.
static struct proc *table;            // [I] slot_count entries
static unsigned slot_count;           // [I]
static unsigned used_count;           // [p] slots that were ever used
static struct proc *free_slots;       // [p] of these
static struct proc *buckets[BUCKETS]; // [p] heads of the hash chains
static pid_t last_pid;                // [p]
static bool pids_repeat;              // [p] pids have wrapped around

void proc_init(unsigned process_count) {
    slot_count = process_count;
    table = frame_set_aside(slot_count * sizeof *table);
}

const struct proc *proc_running(void) {
    const struct proc *p = current_proc();
    return table != NULL && p >= table && p < table + slot_count ? p : NULL;
}

static void assert_table_is_stable(void) {
    assert(spin_held(&proc_table_lock) || sched_is_stopped());
}

// Returns the link that points to the process with that pid, or the one at the end of its hash
// chain.
static struct proc **link_to(pid_t pid) {
    struct proc **link = &buckets[(unsigned)pid % BUCKETS];
    while (*link != NULL && (*link)->pid != pid)
        link = &(*link)->next;
    return link;
}

struct proc *proc_find(pid_t pid) {
    assert_table_is_stable();
    return *link_to(pid);
}

struct proc *proc_next(pid_t from) {
    assert_table_is_stable();
    struct proc *found = NULL;
    for (unsigned i = 0; i < used_count; i++) {
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

// Returns a slot with undefined contents, or NULL.
static struct proc *take_slot(void) {
    struct proc *p = free_slots;
    if (p != NULL)
        free_slots = p->next;
    else if (used_count < slot_count)
        p = &table[used_count++];
    return p;
}

struct proc *proc_alloc(void (*entry)(void)) {
    spin_lock(&proc_table_lock);
    struct proc *p = take_slot();
    if (p != NULL) {
        memset(&p->task + 1, 0, sizeof *p - sizeof p->task); // task_init clears the task
        task_init(&p->task, HARTS_MAX + (unsigned)(p - table), entry);
        list_init(&p->children);
        list_init(&p->sibling);
        waitq_init(&p->child_changed);
        p->pid = take_pid();
        *link_to(p->pid) = p;
    }
    spin_unlock(&proc_table_lock);
    return p;
}

void proc_free(struct proc *p) {
    assert(spin_held(&proc_table_lock));
    *link_to(p->pid) = p->next;
    p->pid = 0;
    p->next = free_slots;
    free_slots = p;
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
