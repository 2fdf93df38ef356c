// mmap: the region that a program's request becomes, and where it goes.
#pragma once
#include "vm/addrspace.h"

struct file;

struct mmap_request {
    vaddr_t address;     // with MAP_FIXED the place, else a hint
    uint64_t length;     // bytes
    uint64_t protection; // PROT_ bits
    unsigned flags;      // MAP_ bits
    struct file *file;   // without MAP_ANONYMOUS; NULL: the program named none
    uint64_t offset;     // in the file
};

// Maps what the request asks for and stores where. May sleep. Errors: -EINVAL (the request makes no
// sense), -ENOMEM, and if a file was to be mapped -EBADF, -ENODEV and -EACCES as file_map.
int mmap_create(struct addrspace *as, const struct mmap_request *request, vaddr_t *start);

// Where a new region of that size can be: at `hint`, if that is page-aligned and free, else as high
// as possible. 0: nowhere.
vaddr_t mmap_place(const struct addrspace *as, vaddr_t hint, uint64_t size);
