// Replacing a process's program.
#pragma once
#include "abi/limits.h"
#include "abi/memory.h"
#include "abi/types.h"

// The arguments of a program: strings one after another, with their final zeros.
struct arguments {
    unsigned count;
    size_t bytes;
    uint16_t start[ARGS_MAX]; // of each string in text
    char *text;               // ARGUMENT_BYTES of memory, the caller's
};

// With the pointers to them and alignment, arguments fill at most a page.
enum { ARGUMENT_BYTES = PAGE_BYTES - (ARGS_MAX + 2) * 8 };

// Appends a string. Errors: -E2BIG.
int arguments_add(struct arguments *a, const char *text);

// Replaces the running process's program. Returns the number of arguments, to be its main's first.
// May sleep. Errors (the old program continues): as path_lookup, -EACCES (not a file), -ENOEXEC,
// -ENOMEM, -EFAULT (the file was cut meanwhile).
int proc_exec(const char *path, const struct arguments *a);
