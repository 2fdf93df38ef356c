// Host stand-in for kernel/arch/address.h: RAM is an array, "physical" addresses start at
// HOST_RAM_BASE.
#pragma once

#include "abi/types.h"
#include "arch/number.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE (1 << PAGE_SHIFT)
#define USER_END 0x4000000000
#define KERNEL_START 0xffffffc000000000
#define STACK_AREA 0xffffffc3c0000000
#define STACK_SLOT 0x4000
#define STACK_SIZE 0x2000
#define HOST_RAM_BASE 0x80000000ul

extern char *host_ram; // see host_ram_init in test.h

static inline void *phys_to_ptr(paddr_t pa) {
    return host_ram + (pa - HOST_RAM_BASE);
}

static inline paddr_t ptr_to_phys(const void *p) {
    return (paddr_t)((const char *)p - host_ram) + HOST_RAM_BASE;
}
