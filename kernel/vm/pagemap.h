// What each page of an address space is: the answer to the system call pagemap.
#pragma once
#include "vm/addrspace.h"

// Describes up to count pages from va (page-aligned) on; returns how many of them are below
// USER_END. The space is the running process's, or the other harts are stopped.
int pagemap_describe(const struct addrspace *as, vaddr_t va, int count, struct pageinfo *info);
