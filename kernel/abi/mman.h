// Protection of memory, and flags of mmap.
#pragma once
enum {
    PROT_NONE = 0,
    PROT_READ = 1 << 0,
    PROT_WRITE = 1 << 1,
    PROT_EXEC = 1 << 2,
    PROT_ALL = 7,
};

enum {
    MAP_SHARED = 1 << 0, // exactly one of these two
    MAP_PRIVATE = 1 << 1,
    MAP_FIXED = 1 << 4,     // at this address, replacing what is mapped there
    MAP_ANONYMOUS = 1 << 5, // zeroes instead of a file
};

#define MAP_FAILED ((void *)-1)
