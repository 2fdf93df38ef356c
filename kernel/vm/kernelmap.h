// The upper half of every page table: RAM and devices at one offset, and the kernel stacks.
#pragma once
#include "abi/types.h"

// Boot: builds the map (nothing in it is writable and executable, nothing is for user mode) and
// switches the boot hart to it. Devices lie below ram_start, RAM up to ram_end; stack_count stacks.
void kernelmap_init(paddr_t ram_start, paddr_t ram_end, unsigned stack_count);
