// Control and status registers of S-mode (RISC-V privileged specification 1.12, chapter 4).
#pragma once
#include "abi/types.h"

#define csr_read(name) \
    ({ \
        uint64_t value_; \
        __asm__ volatile("csrr %0, " #name : "=r"(value_)); \
        value_; \
    })
#define csr_write(name, value) \
    __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define csr_clear(name, bits) \
    __asm__ volatile("csrc " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")

#define STIMECMP "0x14d" // a number, because older assemblers do not know the name

enum {
    SSTATUS_SPP = 1 << 8,  // the trap came from S-mode
    SSTATUS_FS = 3 << 13,  // floating-point registers can be used
    SSTATUS_VS = 3 << 9,   // vector registers can be used
    SSTATUS_SUM = 1 << 18, // the kernel can access user pages
    COUNTERS_ALL = 7,      // scounteren: user mode may read cycle, time, instret
};

// scause: the top bit tells interrupts from exceptions.
#define CAUSE_INTERRUPT (1ull << 63)

enum interrupt { INTERRUPT_SOFTWARE = 1, INTERRUPT_TIMER = 5, INTERRUPT_EXTERNAL = 9 };

enum exception {
    CAUSE_FETCH_MISALIGNED,
    CAUSE_FETCH_ACCESS_FAULT,
    CAUSE_ILLEGAL_INSTRUCTION,
    CAUSE_BREAKPOINT,
    CAUSE_LOAD_MISALIGNED,
    CAUSE_LOAD_ACCESS_FAULT,
    CAUSE_STORE_MISALIGNED,
    CAUSE_STORE_ACCESS_FAULT,
    CAUSE_USER_ECALL,
    CAUSE_FETCH_PAGE_FAULT = 12,
    CAUSE_LOAD_PAGE_FAULT = 13,
    CAUSE_STORE_PAGE_FAULT = 15,
    CAUSES,
};
