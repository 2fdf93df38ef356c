// The page table in use, and the TLB: the hart's cache of its entries. The TLB does not notice when
// an entry changes in memory; until it is flushed, it may hold a stale one.
#pragma once
#include "abi/types.h"
#include "arch/address.h"

#define SATP_SV39 (8ull << 60)

static inline uint64_t mmu_satp(paddr_t root) {
    return SATP_SV39 | root >> PAGE_SHIFT;
}

// Switches to another page table and flushes the TLB. Also flushes fetched instructions, because
// the thread may have loaded code on another hart.
static inline void mmu_switch(uint64_t satp) {
    __asm__ volatile("csrw satp, %0\n\tsfence.vma\n\tfence.i" ::"r"(satp) : "memory");
}

// Flushes the whole TLB.
static inline void mmu_flush(void) {
    __asm__ volatile("sfence.vma" ::: "memory");
}

// Flushes what the TLB holds for the page at va.
static inline void mmu_flush_page(vaddr_t va) {
    __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
}

// Flushes fetched instructions, after code has been written to memory.
static inline void mmu_flush_instructions(void) {
    __asm__ volatile("fence.i" ::: "memory");
}
