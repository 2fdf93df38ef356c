// What fstat reports and what reading a directory gives.
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

enum { NAME_BYTES = 14 }; // longer names are cut

struct dirent {
    uint16_t inum;         // 0: free entry
    char name[NAME_BYTES]; // filled up with zeros
};
