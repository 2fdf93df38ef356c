// Making processes.
#include "proc/fork.h"

#include "abi/errno.h"
#include "arch/mmu.h"
#include "lib/string.h"
#include "proc/proc.h"
#include "vm/fault.h"

static int copy_memory(struct proc *child, const struct proc *parent)
{
    child->as = addrspace_create();
    if (child->as == NULL)
        return -ENOMEM;
    child->task.thread.satp = mmu_satp(pt_phys(&child->as->pt));
    return addrspace_fork(child->as, parent->as);
}

static void share_files(struct proc *child, const struct proc *parent)
{
    for (int fd = 0; fd < OPEN_MAX; fd++) {
        if (parent->files[fd] != NULL)
            child->files[fd] = file_get(parent->files[fd]);
    }
    child->cwd = inode_get(parent->cwd);
}

int proc_fork(void)
{
    const struct proc *self = current_proc();
    struct proc *child = proc_alloc(thread_enter_user);
    if (child == NULL)
        return -EAGAIN;
    int error = copy_memory(child, self);
    if (error) {
        proc_destroy(child);
        return error;
    }
    share_files(child, self);
    child->task.thread.user = self->task.thread.user;
    child->task.thread.user.a0 = 0;
    memcpy(child->name, self->name, sizeof child->name);
    pid_t pid = child->pid; // the child may run, exit and be gone as soon as it is adopted
    proc_adopt(child);
    fault_count_fork();
    return pid;
}
