// The table of processes: what a process is, how it is found, and what is reported about it.
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
    struct task task;     // first, so that task_self() is the process
    pid_t pid;            // [p] 0: the slot is free
    struct proc *next;    // [p] with the same hash of the pid, or the next free slot
    bool zombie;          // [p] has exited; its parent has not waited yet
    int exit_status;      // [p] of a zombie
    struct proc *parent;  // [p] NULL for process 1
    bool orphan;          // [p] its own parent has ended: process 1 is its parent instead
    struct list children; // [p]
    struct list sibling;  // [p] in the parent's list
    // [p] It waits here for a child to exit, or to leave its address space.
    struct waitq child_changed;
    struct addrspace *as; // [o] NULL after exit, and in process 1 before its program starts
    // [p] `as` is the parent's, and the parent waits. The process itself reads it without the lock.
    bool borrows;
    struct file *files[OPEN_MAX]; // [o]
    struct inode *cwd;            // [o]
    char name[NAME_SIZE];         // [o] of its program
    struct last_fault {           // [o] the last page fault in user mode
        vaddr_t pc, address;
        uint64_t repeats; // how often it recurred without a system call in between
    } last_fault;
};

static inline struct proc *current_proc(void) {
    return (struct proc *)task_self();
}

extern struct spinlock proc_table_lock;

// Boot: sets aside the memory for a table of so many processes.
void proc_init(unsigned process_count);

// ---- Lookup ----

// As current_proc, but NULL while the hart idles or starts.
const struct proc *proc_running(void);

// Returns the process with that pid, or NULL. proc_table_lock must be held, or the other harts must
// be stopped.
struct proc *proc_find(pid_t pid);

// Returns the process with the lowest pid from `from` on, or NULL. Locks: as proc_find.
struct proc *proc_next(pid_t from);

// Stores what procinfo and Ctrl-P report about p. The other harts must be stopped.
void proc_describe(const struct proc *p, struct procinfo *info);

// ---- Making a process ----

// Returns a new process, which has a pid but no family yet and will start at entry, or NULL if the
// table is full.
struct proc *proc_alloc(void (*entry)(void));

// Frees the slot of a process that has never run, or that has ended and left its family. Locks:
// proc_table_lock must be held.
void proc_free(struct proc *p);
