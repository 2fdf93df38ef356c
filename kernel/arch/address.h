// The memory map: what virtual addresses are used for and how they relate to physical ones.
//
//   0x00000000_00000000 .. USER_END     the running process
//   KERNEL_START + pa                   all RAM and all devices, at one offset
//   STACK_AREA                          kernel stacks, each with an unmapped gap below it
//
// The upper half is the same in every page table.
#pragma once
#define PAGE_SHIFT 12
#define PAGE_SIZE (1 << PAGE_SHIFT)
#define USER_END 0x4000000000
#define KERNEL_START 0xffffffc000000000 // kernel.ld repeats it, and checks that the two agree
#define STACK_AREA 0xffffffc3c0000000   // 15 GiB above KERNEL_START
#define STACK_SLOT 0x4000               // a stack fills the upper half of its slot
#define STACK_SIZE 0x2000

#ifndef __ASSEMBLER__

#include "abi/types.h"
#include "arch/number.h"

// The kernel's pointer to physical memory, and back.
static inline void *phys_to_ptr(paddr_t pa) {
    return (void *)(pa + KERNEL_START);
}

static inline paddr_t ptr_to_phys(const void *p) {
    return (paddr_t)p - KERNEL_START;
}

#endif
