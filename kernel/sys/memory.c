// System calls about memory.
#include "abi/errno.h"
#include "proc/proc.h"
#include "sched/schedule.h"
#include "sys/syscall.h"
#include "vm/check.h"
#include "vm/fault.h"
#include "vm/usermem.h"

int64_t sys_sbrk(const struct registers *u) {
    vaddr_t old;
    int error = addrspace_move_heap(current_proc()->as, (int)u->a0, &old);
    return error ? error : (int64_t)old;
}

int64_t sys_memstat(const struct registers *u) {
    struct memstat stat = {0};
    if (u->a1 & ~(uint64_t)MEMSTAT_CHECK) return -EINVAL;
    if (u->a1 & MEMSTAT_CHECK) stat.violations = vm_check();
    frame_stat(&stat);
    fault_stat(&stat);
    stat.forks = proc_fork_count();
    stat.idle_instructions = sched_idle_instructions();
    return user_copy_out(current_proc()->as, u->a0, &stat, sizeof stat);
}

_Static_assert(PROT_READ << 2 == PAGE_READ && PROT_WRITE << 2 == PAGE_WRITE && PROT_EXEC << 2 == PAGE_EXEC &&
                   ENTRY_COW << 2 == PAGE_COW,
               "rights are shifted to become flags");

static struct pageinfo describe_page(const struct addrspace *as, vaddr_t va) {
    struct pageinfo info = {0};
    struct mapping m;
    const struct region *r = addrspace_find(as, va);
    if (r == NULL) return info;
    info.flags = PAGE_REGION | (r->backing->shared ? PAGE_SHARED : 0) | (r->object != NULL ? PAGE_FILE : 0);
    if (pt_lookup(&as->pt, va, &m)) {
        info.flags |= PAGE_PRESENT;
        info.sharers = m.frame->count;
        info.frame = frame_phys(m.frame) / PAGE_SIZE;
    } else {
        m.rights = r->protection;
    }
    info.flags |= m.rights << 2;
    return info;
}

enum { PAGES_A_ROUND = 64 };

// Describes pages of the process; of another one while the other harts stand still, so that its table does. Returns how
// many lie below USER_END, or -ESRCH.
static int describe_pages(pid_t pid, vaddr_t va, int count, struct pageinfo *info) {
    int done = -ESRCH;
    bool is_own = pid == current_proc()->pid;
    if (!is_own) sched_stop_others();
    const struct proc *p = is_own ? current_proc() : proc_find(pid);
    if (p != NULL && p->pid == pid && p->as != NULL) {
        for (done = 0; done < count && va < USER_END; done++, va += PAGE_SIZE) info[done] = describe_page(p->as, va);
    }
    if (!is_own) sched_resume_others();
    return done;
}

int64_t sys_pagemap(const struct registers *u) {
    pid_t pid = u->a0 == 0 ? current_proc()->pid : (pid_t)u->a0;
    vaddr_t va = u->a1, to = u->a2;
    int count = (int)u->a3, done = 0, n = PAGES_A_ROUND;
    if (va % PAGE_SIZE != 0 || count < 0) return -EINVAL;
    while (done < count && n == PAGES_A_ROUND) {
        struct pageinfo info[PAGES_A_ROUND];
        n = describe_pages(pid, va + (vaddr_t)done * PAGE_SIZE, count - done < n ? count - done : n, info);
        if (n < 0) return n;
        int error =
            user_copy_out(current_proc()->as, to + (vaddr_t)done * sizeof *info, info, (size_t)n * sizeof *info);
        if (error) return error;
        done += n;
    }
    return done;
}
