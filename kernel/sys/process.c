// System calls about processes.
#include "abi/errno.h"
#include "dev/power.h"
#include "proc/exec.h"
#include "proc/proc.h"
#include "sched/clock.h"
#include "sched/sleep.h"
#include "sched/stop.h"
#include "sys/syscall.h"
#include "vm/usermem.h"

int64_t sys_fork(const struct registers *u) {
    return proc_fork();
}

int64_t sys_vfork(const struct registers *u) {
    return proc_vfork();
}

int64_t sys_exit(const struct registers *u) {
    proc_exit((int)u->a0);
}

// Resolves the address for the status first: if it is bad, the caller must not lose its child.
int64_t sys_wait(const struct registers *u) {
    struct spans s;
    int status, error = 0;
    s.size = 0;
    if (u->a0 != 0)
        error = user_spans_all(current_proc()->as, u->a0, sizeof status, ACCESS_WRITE, &s);
    if (error)
        return error;
    int pid = proc_wait(&status);
    if (pid > 0)
        spans_fill(&s, &status, s.size);
    return pid;
}

int64_t sys_kill(const struct registers *u) {
    return proc_kill((pid_t)u->a0);
}

int64_t sys_getpid(const struct registers *u) {
    return current_proc()->pid;
}

int64_t sys_sleep(const struct registers *u) {
    int ticks = (int)u->a0;
    return sleep_ticks(ticks < 0 ? 0 : (uint64_t)ticks);
}

int64_t sys_uptime(const struct registers *u) {
    return (int64_t)clock_ticks();
}

// Copies in the strings to which the array at `address` points. A null pointer ends the array.
static int read_arguments(struct arguments *a, vaddr_t address) {
    struct addrspace *as = current_proc()->as;
    for (unsigned i = 0; i < ARGS_MAX; i++) {
        vaddr_t string;
        int error = user_copy_in(as, &string, address + i * sizeof string, sizeof string);
        if (error || string == 0)
            return error;
        char *text = a->text + a->bytes;
        int64_t length = user_copy_string(as, text, string, ARGUMENT_BYTES - a->bytes);
        if (length < 0)
            return length == -ENAMETOOLONG ? -E2BIG : (int)length;
        error = arguments_add(a, text);
        if (error)
            return error;
    }
    return -E2BIG;
}

int64_t sys_exec(const struct registers *u) {
    char path[PATH_BYTES];
    int error = syscall_path(path, u->a0);
    if (error)
        return error;
    struct frame *f = frame_alloc(FRAME_KERNEL);
    if (f == NULL)
        return -ENOMEM;
    struct arguments a = {.text = frame_ptr(f)};
    error = read_arguments(&a, u->a1);
    if (error == 0)
        error = proc_exec(path, &a);
    frame_put(f);
    if (error < 0 || task_is_killed())
        return error;
    assert(thread_self()->ranks_held == 0);
    thread_enter_user(); // with all registers as the new program gets them
}

int64_t sys_procinfo(const struct registers *u) {
    struct procinfo info;
    sched_stop_others();
    const struct proc *p = proc_next((pid_t)u->a0);
    if (p != NULL)
        proc_describe(p, &info);
    sched_resume_others();
    if (p == NULL)
        return -ESRCH;
    int error = user_copy_out(current_proc()->as, u->a1, &info, sizeof info);
    return error ? error : info.pid;
}

int64_t sys_poweroff(const struct registers *u) {
    power_off((int)u->a0);
}
