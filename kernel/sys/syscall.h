// System calls: dispatch, and what the implementations share. An implementation (sys_...) reads its
// arguments from the caller's registers, checks them, does its work with functions of lower layers,
// and returns a result or a negative error number. It may sleep.
#pragma once
#include "abi/limits.h"
#include "abi/syscall.h"
#include "proc/table.h"

#define DECLARE_CALL(number, name) int64_t sys_##name(const struct registers *u);
SYSCALLS(DECLARE_CALL)

// Performs the running process's system call and sets its a0, and a1 after an error.
void syscall_dispatch(void);

// Copies in a path. Errors: those of user_copy_string.
int syscall_path(char path[PATH_BYTES], vaddr_t address);

// Returns the running process's open file of that descriptor, or NULL.
static inline struct file *syscall_file(int fd) {
    return fd >= 0 && fd < OPEN_MAX ? current_proc()->files[fd] : NULL;
}
