// The fuzzer's guest: runs programs that fuzz_sim.py has made, and prints how each ends.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
    uint64_t pc;
    uint64_t x[31];
    uint64_t stack; // what enter has saved
};

// A write to memory: of page tables, or of whatever.
struct change {
    uint64_t address, value;
};

// As fuzz_sim.py writes it. Behind it come the patches, the changes and the code.
struct record {
    uint64_t size; // of all of it; 0: there are no more records
    uint64_t number, is_shown;
    uint64_t privilege, pc;
    uint64_t mstatus, medeleg, mideleg, mie, mip, mcounteren, scounteren, menvcfg, satp;
    uint64_t code_offset, code_bytes;
    uint64_t patch_count;  // made before the program starts
    uint64_t change_count; // one made at each call that the program makes
    uint64_t x[31];
};

// guest.c

// Adds a value to the hash of what has happened.
void note(uint64_t value);

// registers.c: registers that both machines have, in the state in which a program finds them, and
// as it leaves them.
void registers_reset(const struct record *r);
void registers_note(void);

// print.c: the serial line.
void print(const char *text);
void print_hex(uint64_t value);
void print_named(const char *name, uint64_t value);
_Noreturn void finish(void);

#define CSR_READ(name) \
    ({ \
        uint64_t csr_value; \
        __asm__ volatile("csrr %0, " #name : "=r"(csr_value)); \
        csr_value; \
    })
#define CSR_WRITE(name, value) \
    __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define CSR_CLEAR(name, bits) __asm__ volatile("csrc " #name ", %0" ::"r"((uint64_t)(bits)))

static inline uint32_t device_read(uint64_t address) {
    return *(volatile uint32_t *)address;
}

static inline void device_write(uint64_t address, uint32_t value) {
    *(volatile uint32_t *)address = value;
}
