// Processes: the table of them, their family tree, and how they end.
#pragma once
#include "abi/limits.h"
#include "abi/memory.h"
#include "fs/file.h"
#include "sched/task.h"
#include "sched/wait.h"
#include "vm/addrspace.h"

enum { NAME_SIZE = 16 };

// Locks: [I] never changes while the process lives, [p] proc_table_lock, [o] only the process
// itself, while it runs.
struct proc {
    struct task task;     // first: task_self() is the process
    pid_t pid;            // [p] 0: the slot is free
    bool zombie;          // [p] has exited; its parent has not waited yet
    int exit_status;      // [p] of a zombie
    struct proc *parent;  // [p] NULL for process 1
    bool orphan;          // [p] process 1 is its parent because that has ended
    struct list children; // [p]
    struct list sibling;  // [p] in the parent's list
    struct waitq
        child_changed;    // [p] here it waits for a child: to exit, or to leave its address space
    struct addrspace *as; // [o] NULL once it has exited
    bool borrows;         // [p] as is the parent's, which waits
    struct file *files[OPEN_MAX]; // [o]
    struct inode *cwd;            // [o]
    char name[NAME_SIZE];         // [o] of its program
    struct last_fault {           // [o] the last page fault in user mode
        vaddr_t pc, address;
        uint64_t repeats; // the same again, with no system call in between
    } last_fault;
};

static inline struct proc *current_proc(void) {
    return (struct proc *)task_self();
}

// The same, but NULL while the hart idles or starts.
const struct proc *proc_running(void);

extern struct spinlock proc_table_lock;

// Boot. Says what is to be called with the exit status when process 1 ends.
void proc_init(void (*last_exit)(int status));
// Makes process 1 and starts it at entry, in the kernel.
void proc_start_first(void (*entry)(void));
// Makes a copy of the running process whose fork returns 0; returns the child's pid. Errors:
// -EAGAIN (too many processes), -ENOMEM, -EINTR (the caller was killed); nothing has changed. A
// child that borrows runs in the caller's address space, and the caller sleeps until the child
// leaves it, by exec or exit; even if the caller is killed meanwhile.
int proc_fork(bool borrows);
// Drops the address space that p, the running process or one that never ran, no longer uses; a
// parent that lent it goes on. May sleep.
void proc_leave_space(struct proc *p, struct addrspace *as);
uint64_t proc_fork_count(void); // since boot
// Ends the running process. Its children become those of process 1. May sleep.
_Noreturn void proc_exit(int status);
// Waits until a child has exited; returns its pid and stores its status. May sleep. Errors:
// -ECHILD, -EINTR.
int proc_wait(int *status);
// Errors: -ESRCH, -EPERM (process 1).
int proc_kill(pid_t pid);
// The process with the lowest pid from first on, or NULL. proc_table_lock must be held, or the
// other harts stopped.
struct proc *proc_find(pid_t first);
// What procinfo and Ctrl-P report. The other harts must be stopped unless p is the running process.
void proc_describe(const struct proc *p, struct procinfo *info);
