// Device registers, by physical address. An access of 32 bits keeps its place among all others, to
// registers and to memory: the device sees what was written before. Accesses of 8 bits keep their
// places among each other.
#pragma once

#include "abi/types.h"
#include "arch/address.h"

// The compilers' own fences may leave out devices.
static inline void mmio_fence(void)
{
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

static inline uint32_t mmio_read32(paddr_t address)
{
    uint32_t value = *(volatile uint32_t *)phys_to_ptr(address);
    mmio_fence();
    return value;
}

static inline void mmio_write32(paddr_t address, uint32_t value)
{
    mmio_fence();
    *(volatile uint32_t *)phys_to_ptr(address) = value;
}

static inline uint8_t mmio_read8(paddr_t address)
{
    return *(volatile uint8_t *)phys_to_ptr(address);
}

static inline void mmio_write8(paddr_t address, uint8_t value)
{
    *(volatile uint8_t *)phys_to_ptr(address) = value;
}
