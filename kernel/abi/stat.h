// What fstat reports, and the entries that a program reads from a directory.
#pragma once
#include "abi/types.h"

enum file_type { T_DIR = 1, T_FILE = 2, T_DEVICE = 3 };

enum { DEVICE_CONSOLE = 1 }; // major number

struct stat {
    int dev;
    uint32_t ino;
    int16_t type; // enum file_type
    int16_t nlink;
    uint64_t size; // bytes
};

enum { NAME_BYTES = 14 }; // the rest of longer names is ignored

struct dirent {
    uint16_t inum;         // 0: the entry is free
    char name[NAME_BYTES]; // padded with zeros
};
