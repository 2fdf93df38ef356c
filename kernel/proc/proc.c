// Processes.
#include "proc/proc.h"
#include "abi/errno.h"
#include "arch/hart.h"
#include "arch/mmu.h"
#include "dev/console.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "vm/pagemap.h"

struct spinlock proc_table_lock = SPINLOCK(RANK_PROCS);

static struct proc *table;            // [I] PROCS_MAX entries
static pid_t last_pid;                // [p]
static bool pids_repeat;              // [p]
static struct proc *first;            // [I] process 1
static void (*last_exit)(int status); // [I]
static uint64_t forks;                // [p]

const struct proc *proc_running(void) {
    const struct proc *p = current_proc();
    return table != NULL && p >= table && p < table + PROCS_MAX ? p : NULL;
}

// A pid nobody has: the next one, and once the numbers have started again the next that is free.
static pid_t take_pid(void) {
    const struct proc *holder = NULL;
    do {
        pids_repeat |= last_pid == INT32_MAX - 1;
        last_pid = last_pid == INT32_MAX - 1 ? 2 : last_pid + 1;
        if (pids_repeat)
            holder = proc_find(last_pid);
    } while (holder != NULL && holder->pid == last_pid);
    return last_pid;
}

// A process in the making: a free slot with a new pid, known to nobody yet, or NULL.
static struct proc *proc_alloc(void (*entry)(void)) {
    spin_lock(&proc_table_lock);
    struct proc *p = table;
    while (p < table + PROCS_MAX && p->pid != 0)
        p++;
    p = p < table + PROCS_MAX ? p : NULL;
    if (p != NULL) {
        memset(p, 0, sizeof *p);
        task_init(&p->task, HARTS_MAX + (unsigned)(p - table), entry);
        list_init(&p->children);
        list_init(&p->sibling);
        waitq_init(&p->child_changed);
        p->pid = take_pid();
    }
    spin_unlock(&proc_table_lock);
    return p;
}

void proc_leave_space(struct proc *p, struct addrspace *as) {
    addrspace_put(as);
    if (!p->borrows)
        return;
    spin_lock(&proc_table_lock);
    p->borrows = false;
    wait_wake_all(&p->parent->child_changed);
    spin_unlock(&proc_table_lock);
}

// Gives back what a process owns; it may own only a part.
static void release(struct proc *p) {
    for (int fd = 0; fd < OPEN_MAX; fd++) {
        if (p->files[fd] != NULL)
            file_put(p->files[fd]);
        p->files[fd] = NULL;
    }
    if (p->cwd != NULL)
        inode_put(p->cwd);
    p->cwd = NULL;
    struct addrspace *as = p->as;
    p->as = NULL;
    if (as != NULL)
        proc_leave_space(p, as);
}

// Unmakes a process that never ran, at whatever stage. May sleep.
static void proc_destroy(struct proc *p) {
    release(p);
    spin_lock(&proc_table_lock);
    p->pid = 0;
    spin_unlock(&proc_table_lock);
}

void proc_start_first(void (*entry)(void)) {
    first = proc_alloc(entry);
    task_start(&first->task);
}

// Gives the child, which is being made, a copy of what self has; it may borrow the address space.
static int copy_proc(struct proc *child, struct proc *self, bool borrows) {
    child->as = borrows ? addrspace_get(self->as) : addrspace_create();
    if (child->as == NULL)
        return -ENOMEM;
    int error = borrows ? 0 : addrspace_fork(child->as, self->as);
    if (error)
        return error;
    for (int fd = 0; fd < OPEN_MAX; fd++) {
        if (self->files[fd] != NULL)
            child->files[fd] = file_get(self->files[fd]);
    }
    child->cwd = inode_get(self->cwd);
    child->task.thread.satp = mmu_satp(pt_phys(&child->as->pt));
    child->task.thread.user = self->task.thread.user;
    child->task.thread.user.a0 = 0;
    memcpy(child->name, self->name, sizeof child->name);
    return 0;
}

// Starts the child that borrows self's address space and waits until it leaves it. Meanwhile self
// is not in it: so whoever comes back to it, on whatever hart, forgets old translations.
static void lend_space(struct proc *self, struct proc *child) {
    task_use_kernel_root();
    task_start(&child->task);
    spin_lock(&proc_table_lock);
    while (child->borrows)
        wait_sleep(&self->child_changed, &proc_table_lock);
    spin_unlock(&proc_table_lock);
    addrspace_activate(self->as);
}

// Makes the child known as self's; false if self was killed, so that no child
// escapes when a whole job is killed.
static bool enter_family(struct proc *child, struct proc *self, bool borrows) {
    spin_lock(&proc_table_lock);
    bool enters = !task_is_killed();
    if (enters) {
        forks++;
        child->parent = self;
        child->borrows = borrows;
        list_add_tail(&self->children, &child->sibling);
    }
    spin_unlock(&proc_table_lock);
    return enters;
}

int proc_fork(bool borrows) {
    struct proc *self = current_proc(), *child = proc_alloc(thread_enter_user);
    if (child == NULL)
        return -EAGAIN;
    int error = copy_proc(child, self, borrows);
    if (error) {
        proc_destroy(child);
        return error;
    }
    pid_t pid = child->pid; // it may run, exit and be gone as soon as it can
    if (!enter_family(child, self, borrows)) {
        proc_destroy(child);
        return -EINTR;
    }
    if (borrows)
        lend_space(self, child);
    else
        task_start(&child->task);
    return pid;
}

static struct proc *proc_of_sibling(struct list *link) {
    return CONTAINER_OF(link, struct proc, sibling);
}

// Gives self's children to process 1. Zombies come first in a list of children.
static void give_children_away(struct proc *self) {
    LIST_EACH (link, &self->children) {
        struct proc *child = proc_of_sibling(link);
        list_remove(link);
        child->parent = first;
        child->orphan = true;
        if (child->zombie) {
            list_add_head(&first->children, link);
            wait_wake_all(&first->child_changed);
        } else {
            list_add_tail(&first->children, link);
        }
    }
}

_Noreturn void proc_exit(int status) {
    struct proc *self = current_proc();
    task_use_kernel_root();
    release(self);
    if (self == first)
        last_exit(status);
    spin_lock(&proc_table_lock);
    give_children_away(self);
    spin_unlock(&proc_table_lock);
    console_wake_readers(); // some may be in the background now, where they must not read
    spin_lock(&proc_table_lock);
    self->exit_status = status;
    self->zombie = true;
    list_remove(&self->sibling);
    list_add_head(&self->parent->children, &self->sibling);
    wait_wake_all(&self->parent->child_changed);
    task_exit(&proc_table_lock);
}

// The first child that has exited, or NULL.
static struct proc *first_zombie(const struct proc *self) {
    if (list_is_empty(&self->children))
        return NULL;
    struct proc *child = proc_of_sibling(self->children.next);
    return child->zombie ? child : NULL;
}

int proc_wait(int *status) {
    struct proc *self = current_proc(), *child;
    int error = 0;
    spin_lock(&proc_table_lock);
    while ((child = first_zombie(self)) == NULL && error == 0) {
        if (list_is_empty(&self->children))
            error = -ECHILD;
        else
            error = wait_sleep_killable(&self->child_changed, &proc_table_lock);
    }
    if (child != NULL) {
        error = child->pid;
        *status = child->exit_status;
        list_remove(&child->sibling);
        task_wait_dead(&child->task);
        child->pid = 0;
    }
    spin_unlock(&proc_table_lock);
    return error;
}

uint64_t proc_fork_count(void) {
    return forks;
}

struct proc *proc_find(pid_t from) {
    struct proc *found = NULL;
    for (unsigned i = 0; i < PROCS_MAX; i++) {
        struct proc *p = &table[i];
        if (p->pid >= from && p->pid > 0 && (found == NULL || p->pid < found->pid))
            found = p;
    }
    return found;
}

int proc_kill(pid_t pid) {
    spin_lock(&proc_table_lock);
    struct proc *p = pid > 0 ? proc_find(pid) : NULL;
    int error = p == NULL || p->pid != pid ? -ESRCH : p == first ? -EPERM : 0;
    if (error == 0)
        task_kill(&p->task);
    spin_unlock(&proc_table_lock);
    return error;
}

// The lock that guards what a task waits for tells what it is.
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

void proc_describe(const struct proc *p, struct procinfo *info) {
    int state = p->task.state == TASK_NEW ? TASK_RUNNABLE : p->task.state;
    *info = (struct procinfo){.pid = p->pid, .state = p->zombie ? PROCESS_ZOMBIE : state};
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

void proc_init(void (*when_last_exits)(int status)) {
    table = frame_set_aside(PROCS_MAX * sizeof *table);
    memset(table, 0, PROCS_MAX * sizeof *table);
    last_exit = when_last_exits;
}
