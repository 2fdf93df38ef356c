// Host stand-in for kernel/arch/mmu.h: the hart of small_machine.c has a TLB that holds entries
// until it is flushed.
#pragma once

#include "abi/types.h"
#include "arch/address.h"

#define SATP_SV39 (8ull << 60)

static inline uint64_t mmu_satp(paddr_t root) {
    return SATP_SV39 | root >> PAGE_SHIFT;
}

void mmu_switch(uint64_t satp);
void mmu_flush(void);
void mmu_flush_page(vaddr_t va);
void mmu_flush_instructions(void);
