// Protection of memory.
#pragma once
enum {
    PROT_NONE = 0,
    PROT_READ = 1 << 0,
    PROT_WRITE = 1 << 1,
    PROT_EXEC = 1 << 2,
    PROT_ALL = 7,
};
