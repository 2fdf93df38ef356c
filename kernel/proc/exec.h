// Replacing a process's program.
#pragma once
#include "abi/limits.h"
#include "abi/memory.h"
#include "abi/types.h"

// The arguments of a program: strings, one after another, each with its final zero.
struct arguments {
    unsigned count;
    size_t bytes;
    uint16_t start[ARGS_MAX]; // of each string in text
    char *text;               // the caller's buffer, ARGUMENT_BYTES long
};

// Together with alignment and the pointers to them, the arguments fill at most a page.
enum { ARGUMENT_BYTES = PAGE_BYTES - (ARGS_MAX + 2) * 8 };

// Appends a string. Errors: -E2BIG.
int arguments_add(struct arguments *a, const char *text);

// Replaces the running process's program. Returns the number of arguments, which main gets in a0.
// May sleep. Errors (the old program continues): those of path_lookup, -EACCES (not a file),
// -ENOEXEC, -ENOMEM, -EFAULT (the file was truncated meanwhile).
int proc_exec(const char *path, const struct arguments *a);
