// Processes: how they begin and end, and their family tree.
#pragma once
#include "proc/table.h"

// Boot: makes process 1 and starts it at entry, in the kernel. When it exits, when_it_exits is
// called with its status.
void proc_start_first(void (*entry)(void), void (*when_it_exits)(int status));

// ---- Fork ----

// Makes a child that is a copy of the running process, except that its fork returns 0. Returns the
// child's pid. Errors: -EAGAIN (too many processes), -ENOMEM, -EINTR (the caller was killed);
// nothing has changed.
int proc_fork(void);

// As proc_fork, but the child runs in the caller's address space. The caller sleeps, even if it is
// killed meanwhile, until the child leaves the address space by exec or exit.
int proc_vfork(void);

// Drops the address space `as`, which p no longer uses, and wakes the parent if the space was lent.
// p is the running process, or one that has never run. May sleep.
void proc_leave_space(struct proc *p, struct addrspace *as);

// Returns how many children have been made since boot.
uint64_t proc_fork_count(void);

// ---- Exit and wait ----

// Ends the running process. Its children become those of process 1. May sleep.
_Noreturn void proc_exit(int status);

// Waits until a child has exited; returns its pid and stores its status. May sleep. Errors:
// -ECHILD, -EINTR.
int proc_wait(int *status);

// Kills a process. Errors: -ESRCH, -EPERM (process 1).
int proc_kill(pid_t pid);
