// mmap: turns a program's request into a region, and chooses a place for it.
#pragma once
#include "vm/addrspace.h"

struct file;

struct mmap_request {
    vaddr_t address;     // the place with MAP_FIXED, else a hint
    uint64_t length;     // bytes
    uint64_t protection; // PROT_ bits
    unsigned flags;      // MAP_ bits
    struct file *file;   // unless MAP_ANONYMOUS; NULL: a bad descriptor
    uint64_t offset;     // in the file
};

// Maps what the request asks for, and stores its address in *start. May sleep. Errors: -EINVAL (the
// request makes no sense), -ENOMEM, and for a file -EBADF (there is none) and the errors of
// file_map.
int mmap_create(struct addrspace *as, const struct mmap_request *request, vaddr_t *start);

// Returns the address for a new region of that size: `hint` if it is page-aligned and free, else
// the highest possible address, or 0 if there is no room.
vaddr_t mmap_place(const struct addrspace *as, vaddr_t hint, uint64_t size);
