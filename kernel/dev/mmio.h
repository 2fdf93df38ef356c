// Device registers of 32 bits, by physical address. An access is ordered with all others, to
// registers and to memory: the device sees what was written before.
#pragma once
#include "abi/types.h"
#include "arch/address.h"

// Orders accesses to devices, too, which the compilers' own fences may leave out.
static inline void mmio_fence(void) {
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

static inline uint32_t mmio_read32(paddr_t address) {
    uint32_t value = *(volatile uint32_t *)phys_to_ptr(address);
    mmio_fence();
    return value;
}

static inline void mmio_write32(paddr_t address, uint32_t value) {
    mmio_fence();
    *(volatile uint32_t *)phys_to_ptr(address) = value;
}
