// How processes begin and end.
#include "proc/proc.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "dev/console.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "sched/schedule.h"
#include "vm/fork.h"

// Locks: [I] set at boot, [p] proc_table_lock.
static struct proc *first;            // [I] process 1
static void (*last_exit)(int status); // [I]
static uint64_t forks;                // [p]

// ---- What a process owns ----

void proc_leave_space(struct proc *p, struct addrspace *as) {
    assert(p == current_proc() || p->task.state == TASK_NEW);
    addrspace_put(as);
    if (!p->borrows)
        return;
    spin_lock(&proc_table_lock);
    p->borrows = false;
    wait_wake_all(&p->parent->child_changed);
    spin_unlock(&proc_table_lock);
}

// Releases what a process owns. A process that is being made may own only a part of it.
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

// Destroys a process that has never run, however little of it has been made. May sleep.
static void proc_destroy(struct proc *p) {
    release(p);
    spin_lock(&proc_table_lock);
    proc_free(p);
    spin_unlock(&proc_table_lock);
}

// ---- The first process ----

void proc_start_first(void (*entry)(void), void (*when_it_exits)(int status)) {
    last_exit = when_it_exits;
    first = proc_alloc(entry);
    task_start(&first->task);
}

// ---- Fork ----

// How a new child gets an address space: a copy of the parent's, or the parent's own.
typedef int give_space_t(struct proc *child, struct proc *self);

static int copy_space(struct proc *child, struct proc *self) {
    child->as = addrspace_create();
    if (child->as == NULL)
        return -ENOMEM;
    return fork_space(child->as, self->as);
}

static int lend_space(struct proc *child, struct proc *self) {
    child->as = addrspace_get(self->as);
    return 0;
}

// Gives the child, which already has its address space, a copy of everything else that self has.
static void copy_rest(struct proc *child, struct proc *self) {
    for (int fd = 0; fd < OPEN_MAX; fd++) {
        if (self->files[fd] != NULL)
            child->files[fd] = file_get(self->files[fd]);
    }
    child->cwd = inode_get(self->cwd);
    child->task.thread.satp = mmu_satp(pt_phys(&child->as->pt));
    child->task.thread.user = self->task.thread.user;
    child->task.thread.user.a0 = 0;
    memcpy(child->name, self->name, sizeof child->name);
}

// Starts the child, which borrows self's address space, and waits until the child leaves it.
// Meanwhile self uses the kernel's page table. So the switch back to the space flushes the TLB of
// whichever hart self runs on by then.
static void run_borrower(struct proc *self, struct proc *child) {
    task_use_kernel_root();
    task_start(&child->task);
    spin_lock(&proc_table_lock);
    while (child->borrows)
        wait_sleep(&self->child_changed, &proc_table_lock);
    spin_unlock(&proc_table_lock);
    addrspace_activate(self->as);
}

// Adds the child to self's children. Errors: -EINTR if self has been killed, so that no child
// escapes when a whole job is killed.
static int enter_family(struct proc *child, struct proc *self) {
    spin_lock(&proc_table_lock);
    int error = task_is_killed() ? -EINTR : 0;
    if (error == 0) {
        forks++;
        child->parent = self;
        child->borrows = child->as == self->as;
        list_add_tail(&self->children, &child->sibling);
    }
    spin_unlock(&proc_table_lock);
    return error;
}

// Makes a child of the running process, but does not start it. Returns its pid or an error.
static int make_child(struct proc **made, give_space_t *give_space) {
    struct proc *self = current_proc(), *child = proc_alloc(thread_enter_user);
    if (child == NULL)
        return -EAGAIN;
    int error = give_space(child, self);
    if (error == 0) {
        copy_rest(child, self);
        error = enter_family(child, self);
    }
    if (error) {
        proc_destroy(child);
        return error;
    }
    *made = child;
    return child->pid;
}

int proc_fork(void) {
    struct proc *child;
    int pid = make_child(&child, copy_space);
    if (pid > 0)
        task_start(&child->task); // from here on it may run, exit and be gone
    return pid;
}

int proc_vfork(void) {
    struct proc *child;
    int pid = make_child(&child, lend_space);
    if (pid > 0)
        run_borrower(current_proc(), child);
    return pid;
}

uint64_t proc_fork_count(void) {
    spin_lock(&proc_table_lock);
    uint64_t n = forks;
    spin_unlock(&proc_table_lock);
    return n;
}

// ---- Exit and wait ----

static struct proc *proc_of_sibling(struct list *link) {
    return CONTAINER_OF(link, struct proc, sibling);
}

// Makes process 1 the parent of self's children. Zombies come first in a list of children.
static void give_children_away(struct proc *self) {
    assert(spin_held(&proc_table_lock));
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
    console_wake_readers(); // a child may be in the background now, where it must not read
    spin_lock(&proc_table_lock);
    self->exit_status = status;
    self->zombie = true;
    list_remove(&self->sibling);
    list_add_head(&self->parent->children, &self->sibling);
    wait_wake_all(&self->parent->child_changed);
    task_exit(&proc_table_lock);
}

// Returns the first child that has exited, or NULL.
static struct proc *first_zombie(const struct proc *self) {
    assert(spin_held(&proc_table_lock));
    if (list_is_empty(&self->children))
        return NULL;
    struct proc *child = proc_of_sibling(self->children.next);
    return child->zombie ? child : NULL;
}

// Frees the slot of a zombie; returns its pid and stores its status.
static int reap(struct proc *child, int *status) {
    assert(spin_held(&proc_table_lock) && child->zombie);
    int pid = child->pid;
    *status = child->exit_status;
    list_remove(&child->sibling);
    task_wait_dead(&child->task);
    proc_free(child);
    return pid;
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
    int pid = child != NULL ? reap(child, status) : error;
    spin_unlock(&proc_table_lock);
    return pid;
}

int proc_kill(pid_t pid) {
    spin_lock(&proc_table_lock);
    struct proc *p = proc_find(pid);
    int error = 0;
    if (p == NULL)
        error = -ESRCH;
    else if (p == first)
        error = -EPERM;
    else
        task_kill(&p->task);
    spin_unlock(&proc_table_lock);
    return error;
}
