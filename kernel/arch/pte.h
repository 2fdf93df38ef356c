// Page-table entries of Sv39 (privileged specification 1.12, section 4.4).
//
//   63      54 53                    10 9   8   7 6 5 4 3 2 1 0
//   | unused  | physical page number   |  RSW  |D|A|G|U|X|W|R|V|
//
// Of the two bits that are reserved for software, bit 8 is the copy-on-write bit.
#pragma once
#include "abi/types.h"
#include "arch/address.h"

typedef struct {
    uint64_t bits;
} pte_t;

enum {
    PTE_V = 1,
    PTE_R = 2,
    PTE_W = 4,
    PTE_X = 8,
    PTE_U = 16,
    PTE_G = 32,
    PTE_A = 64,
    PTE_D = 128,
    PTE_COW = 256
};

enum { PTE_SOFTWARE = 3 << 8 }; // RSW: the hardware ignores these
#define PTE_PAGE_NUMBER (((1ull << 44) - 1) << 10)

enum {
    TABLE_ENTRIES = 512,
    USER_ENTRIES = TABLE_ENTRIES / 2, // of the root; the others are the kernel's
    TABLE_LEVELS = 3,
    ROOT_LEVEL = TABLE_LEVELS - 1
};

static inline pte_t pte_make(paddr_t pa, uint64_t flags) {
    return (pte_t){pa >> 2 | flags};
}

static inline paddr_t pte_phys(pte_t pte) {
    return pte.bits >> 10 << PAGE_SHIFT;
}

// A valid entry without R, W and X points to the next table.
static inline bool pte_is_table(pte_t pte) {
    return (pte.bits & (PTE_V | PTE_R | PTE_W | PTE_X)) == PTE_V;
}

// Returns how many bytes of addresses one entry of a table of that level covers (level 0: leaf
// tables).
static inline uint64_t pte_span(int level) {
    return (uint64_t)PAGE_SIZE << 9 * level;
}

static inline unsigned pte_index(vaddr_t va, int level) {
    return va >> (PAGE_SHIFT + 9 * level) & (TABLE_ENTRIES - 1);
}
