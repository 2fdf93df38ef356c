// Describes the pages of an address space, for the system calls pagemap and procinfo. The space
// must be the running process's, or the other harts must be stopped.
#pragma once
#include "vm/addrspace.h"

// True if pagemap_describe has to look at other spaces, too, because they may share one of the
// pages. Then the other harts must be stopped also if the space is the running process's.
bool pagemap_looks_around(const struct addrspace *as, vaddr_t va, int count);

// Describes up to count pages from va (page-aligned) on; returns how many of them are below
// USER_END.
int pagemap_describe(const struct addrspace *as, vaddr_t va, int count, struct pageinfo *info);

// Counts the present pages, and the pages that regions cover.
void pagemap_measure(const struct addrspace *as, uint64_t *resident, uint64_t *covered);
