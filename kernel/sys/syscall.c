// Dispatch of system calls.
#include "sys/syscall.h"
#include "abi/errno.h"
#include "proc/proc.h"
#include "vm/usermem.h"

#define TABLE_ENTRY(number, name) [number] = sys_##name,

static int64_t (*const calls[])(const struct registers *u) = {SYSCALLS(TABLE_ENTRY)};

void syscall_dispatch(void) {
    const struct registers *u = &thread_self()->user;
    int64_t result = -ENOSYS;
    if (u->a7 < ARRAY_SIZE(calls) && calls[u->a7] != NULL)
        result = calls[u->a7](u);
    if (result < 0) {
        thread_self()->user.a1 = (uint64_t)-result;
        result = -1;
    }
    thread_self()->user.a0 = (uint64_t)result;
}

int syscall_path(char path[PATH_BYTES], vaddr_t address) {
    int64_t length = user_copy_string(current_proc()->as, path, address, PATH_BYTES);
    return length < 0 ? (int)length : 0;
}
