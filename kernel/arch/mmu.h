// The page table in use and the translations that the hart remembers of it.
#pragma once
#include "abi/types.h"
#include "arch/address.h"

#define SATP_SV39 (8ull << 60)

static inline uint64_t mmu_satp(paddr_t root) {
    return SATP_SV39 | root >> PAGE_SHIFT;
}

// Uses another page table. Forgets all translations, and instructions fetched ahead, because the
// thread may have loaded code on another hart.
static inline void mmu_switch(uint64_t satp) {
    __asm__ volatile("csrw satp, %0\n\tsfence.vma\n\tfence.i" ::"r"(satp) : "memory");
}

static inline void mmu_flush(void) {
    __asm__ volatile("sfence.vma" ::: "memory");
}
static inline void mmu_flush_page(vaddr_t va) {
    __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
}

// After code was written to memory.
static inline void mmu_flush_instructions(void) {
    __asm__ volatile("fence.i" ::: "memory");
}
