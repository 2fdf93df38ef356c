// System calls about memory.
#include "abi/errno.h"
#include "fs/check.h"
#include "proc/proc.h"
#include "sched/schedule.h"
#include "sched/stop.h"
#include "sys/syscall.h"
#include "vm/check.h"
#include "vm/faultcount.h"
#include "vm/heap.h"
#include "vm/mmap.h"
#include "vm/pagemap.h"
#include "vm/usermem.h"

int64_t sys_sbrk(const struct registers *u) {
    vaddr_t old;
    int error = heap_move_end(current_proc()->as, (int)u->a0, &old);
    return error ? error : (int64_t)old;
}

int64_t sys_mmap(const struct registers *u) {
    struct mmap_request request = {.address = u->a0,
                                   .length = u->a1,
                                   .protection = u->a2,
                                   .flags = (unsigned)u->a3,
                                   .file = u->a3 & MAP_ANONYMOUS ? NULL : syscall_file((int)u->a4),
                                   .offset = u->a5};
    vaddr_t start;
    int error = mmap_create(current_proc()->as, &request, &start);
    return error ? error : (int64_t)start;
}

int64_t sys_munmap(const struct registers *u) {
    vaddr_t start = u->a0;
    uint64_t length = u->a1;
    if (start % PAGE_SIZE != 0 || length == 0 || length > USER_END || start > USER_END - length)
        return -EINVAL;
    return addrspace_unmap(current_proc()->as, start, round_up(start + length, PAGE_SIZE));
}

int64_t sys_memstat(const struct registers *u) {
    struct memstat stat = {0};
    uint64_t violations = 0;
    if (u->a1 & ~(uint64_t)(MEMSTAT_CHECK | MEMSTAT_CHECK_FILES))
        return -EINVAL;
    int error = u->a1 & MEMSTAT_CHECK_FILES ? fs_check(&violations) : 0;
    if (error)
        return error;
    if (u->a1 & MEMSTAT_CHECK)
        violations += vm_check();
    stat.violations = violations;
    frame_stat(&stat);
    fault_stat(&stat);
    stat.forks = proc_fork_count();
    stat.idle_instructions = sched_idle_instructions();
    return user_copy_out(current_proc()->as, u->a0, &stat, sizeof stat);
}

// Describes pages of that process. Stops the other harts meanwhile if they could change what is
// looked at. Returns how many of the pages are below USER_END. Errors: -ESRCH.
static int describe_pages(pid_t pid, vaddr_t va, int count, struct pageinfo *info) {
    const struct proc *self = current_proc();
    if (pid == self->pid && !pagemap_looks_around(self->as, va, count))
        return pagemap_describe(self->as, va, count, info);
    sched_stop_others();
    const struct proc *p = proc_find(pid);
    bool is_there = p != NULL && p->as != NULL;
    int done = is_there ? pagemap_describe(p->as, va, count, info) : -ESRCH;
    sched_resume_others();
    return done;
}

enum { BATCH_PAGES = 64 };

int64_t sys_pagemap(const struct registers *u) {
    pid_t pid = u->a0 == 0 ? current_proc()->pid : (pid_t)u->a0;
    vaddr_t va = u->a1, to = u->a2;
    int count = (int)u->a3, done = 0;
    if (va % PAGE_SIZE != 0 || count < 0)
        return -EINVAL;
    while (done < count) {
        struct pageinfo info[BATCH_PAGES];
        int wanted = (int)min((uint64_t)(count - done), BATCH_PAGES);
        int n = describe_pages(pid, va + (vaddr_t)done * PAGE_SIZE, wanted, info);
        if (n < 0)
            return n;
        int error = user_copy_out(current_proc()->as, to + (vaddr_t)done * sizeof *info, info,
                                  (size_t)n * sizeof *info);
        if (error)
            return error;
        done += n;
        if (n < wanted || done == count)
            break;
        task_preemption_point();
        if (task_is_killed())
            return -EINTR;
    }
    return done;
}
