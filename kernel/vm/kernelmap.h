// The upper half of every page table: RAM and devices at one offset, and the kernel stacks.
#pragma once
#include "abi/types.h"

// Boot: builds the map and switches the boot hart to it. Nothing in it is both writable and
// executable, and user mode can access none of it. Devices are below ram_start, and RAM is from
// there to ram_end. stack_count is the number of kernel stacks.
void kernelmap_init(paddr_t ram_start, paddr_t ram_end, unsigned stack_count);
