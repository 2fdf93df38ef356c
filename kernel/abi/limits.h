// Limits that programs may run into.
#pragma once
enum {
    PATH_BYTES = 128, // a path with its final zero
    ARGS_MAX = 32,    // exec: arguments, the final null pointer included
    OPEN_MAX = 16,    // open files of a process
    PROCS_MAX = 512,  // processes at a time; fewer with less than 64 MiB of memory
    TICKS_PER_SECOND = 10,
};
