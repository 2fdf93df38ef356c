// A step of the walk through a page table in memory (Sv39).
// RISC-V Privileged Architecture, "Virtual Address Translation Process".
#pragma once
#include "cpu/hart.h"

#define PTE_V BIT(0)
#define PTE_R BIT(1)
#define PTE_W BIT(2)
#define PTE_X BIT(3)
#define PTE_U BIT(4)
#define PTE_G BIT(5)
#define PTE_A BIT(6)
#define PTE_D BIT(7)

enum { PTE_PPN_SHIFT = 10, LEVELS = 3, LEVEL_BITS = 9, PAGE_SHIFT = 12, TABLE_ENTRIES = 512 };

enum step {
    STEP_LEAF,
    STEP_TABLE,   // the entry points to the next table
    STEP_INVALID, // it gives no translation
    STEP_FAULT,   // the table is not in memory
};

// Returns the physical address that an entry names: of a page, or of a table.
uint64_t walk_target(uint64_t pte);

// Reads the entry for that virtual page (its number) in the table of that level, at that address.
// Stores where the entry is, and its value.
enum step walk_step(const struct system *s, uint64_t table, unsigned level, uint64_t page,
                    uint64_t *address, uint64_t *pte);
