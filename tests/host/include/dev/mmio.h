// Host stand-in for kernel/dev/mmio.h: registers are those of a device that the test models.
#pragma once

#include "abi/types.h"
#include "arch/address.h"

uint32_t mmio_read32(paddr_t address);
void mmio_write32(paddr_t address, uint32_t value);

static inline void mmio_fence(void) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
