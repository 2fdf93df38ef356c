// System calls about memory.
#include "abi/errno.h"
#include "fs/check.h"
#include "fs/file.h"
#include "proc/proc.h"
#include "sched/schedule.h"
#include "sched/stop.h"
#include "sys/syscall.h"
#include "vm/check.h"
#include "vm/fault.h"
#include "vm/usermem.h"

int64_t sys_sbrk(const struct registers *u) {
    vaddr_t old;
    int error = addrspace_move_heap(current_proc()->as, (int)u->a0, &old);
    return error ? error : (int64_t)old;
}

// Says in *r what mmap is to map, with a reference to the object.
static int choose_backing(struct region *r, unsigned flags, int fd, uint64_t size) {
    bool is_shared = flags & MAP_SHARED;
    if (flags & MAP_ANONYMOUS) {
        r->backing = is_shared ? &backing_shared : &backing_zero;
        r->promised = !is_shared && r->protection != PROT_NONE;
        if (is_shared)
            r->object = addrspace_create_shared(size);
        return is_shared && r->object == NULL ? -ENOMEM : 0;
    }
    struct file *f = syscall_file(fd);
    struct inode *ip;
    int error = f == NULL ? -EBADF : file_map(f, is_shared && r->protection & PROT_WRITE, &ip);
    if (error)
        return error;
    r->backing = is_shared ? &backing_shared_file : &backing_file;
    r->object = ip;
    r->backing->get(ip);
    return 0;
}

int64_t sys_mmap(const struct registers *u) {
    struct addrspace *as = current_proc()->as;
    vaddr_t address = u->a0;
    uint64_t length = u->a1, protection = u->a2, offset = u->a5;
    unsigned flags = (unsigned)u->a3, kind = flags & ~(unsigned)(MAP_FIXED | MAP_ANONYMOUS);
    bool is_fixed = flags & MAP_FIXED;
    if (length == 0 || protection & ~(uint64_t)PROT_ALL || offset % PAGE_SIZE != 0 ||
        (int64_t)offset < 0 || (kind != MAP_SHARED && kind != MAP_PRIVATE) ||
        (is_fixed && address % PAGE_SIZE != 0))
        return -EINVAL;
    uint64_t size = length <= USER_END ? round_up(length, PAGE_SIZE) : USER_END + PAGE_SIZE;
    if (!is_fixed)
        address = addrspace_place(as, address, size);
    if (is_fixed ? size > USER_END || address > USER_END - size : address == 0)
        return -ENOMEM;
    if (protection & PROT_WRITE)
        protection |= PROT_READ; // RISC-V has no write-only pages
    struct region r = {.start = address,
                       .end = address + size,
                       .protection = (uint8_t)protection,
                       .name = "mapping"};
    r.offset = (flags & MAP_ANONYMOUS ? 0 : offset) - address;
    r.content_end = r.end;
    int error = choose_backing(&r, flags, (int)u->a4, size);
    if (error)
        return error;
    error = is_fixed ? addrspace_replace(as, &r) : addrspace_map(as, &r);
    if (error && r.object != NULL)
        r.backing->put(r.object);
    return error ? error : (int64_t)r.start;
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

_Static_assert(PROT_READ << 2 == PAGE_READ && PROT_WRITE << 2 == PAGE_WRITE &&
                   PROT_EXEC << 2 == PAGE_EXEC && ENTRY_COW << 2 == PAGE_COW,
               "rights are shifted to become flags");

static struct pageinfo describe_page(const struct addrspace *as, vaddr_t va) {
    struct pageinfo info = {0};
    struct mapping m;
    const struct region *r = addrspace_next(as, va);
    if (r == NULL || r->start > va) {
        info.frame = r != NULL ? r->start / PAGE_SIZE : 0;
        return info;
    }
    bool is_file = r->backing == &backing_file || r->backing == &backing_shared_file;
    info.flags = PAGE_REGION | (r->backing->shared ? PAGE_SHARED : 0) | (is_file ? PAGE_FILE : 0);
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

// Describes pages of the process; of another one while the other harts stand still, so that its
// table does. Returns how many lie below USER_END, or -ESRCH.
static int describe_pages(pid_t pid, vaddr_t va, int count, struct pageinfo *info) {
    int done = -ESRCH;
    bool is_own = pid == current_proc()->pid;
    if (!is_own)
        sched_stop_others();
    const struct proc *p = is_own ? current_proc() : proc_find(pid);
    if (p != NULL && p->pid == pid && p->as != NULL) {
        for (done = 0; done < count && va < USER_END; done++, va += PAGE_SIZE)
            info[done] = describe_page(p->as, va);
    }
    if (!is_own)
        sched_resume_others();
    return done;
}

int64_t sys_pagemap(const struct registers *u) {
    pid_t pid = u->a0 == 0 ? current_proc()->pid : (pid_t)u->a0;
    vaddr_t va = u->a1, to = u->a2;
    int count = (int)u->a3, done = 0, n = PAGES_A_ROUND;
    if (va % PAGE_SIZE != 0 || count < 0)
        return -EINVAL;
    while (done < count && n == PAGES_A_ROUND) {
        struct pageinfo info[PAGES_A_ROUND];
        n = describe_pages(pid, va + (vaddr_t)done * PAGE_SIZE, count - done < n ? count - done : n,
                           info);
        if (n < 0)
            return n;
        int error = user_copy_out(current_proc()->as, to + (vaddr_t)done * sizeof *info, info,
                                  (size_t)n * sizeof *info);
        if (error)
            return error;
        done += n;
        if (done < count)
            task_preemption_point();
        if (task_is_killed())
            return -EINTR;
    }
    return done;
}
