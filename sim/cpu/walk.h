// Sv39 translation: the walk through the page table in memory.
// RISC-V Privileged Architecture, "Virtual Address Translation Process".
#pragma once
#include "cpu/hart.h"

enum access { ACCESS_FETCH, ACCESS_READ, ACCESS_WRITE };

#define PTE_V BIT(0)
#define PTE_R BIT(1)
#define PTE_W BIT(2)
#define PTE_X BIT(3)
#define PTE_U BIT(4)
#define PTE_G BIT(5)
#define PTE_A BIT(6)
#define PTE_D BIT(7)

enum { PTE_PPN_SHIFT = 10, LEVELS = 3, LEVEL_BITS = 9, PAGE_SHIFT = 12 };

// Returns the privilege with which an access of that kind is made.
enum privilege access_privilege(const struct hart *h, enum access access);

// True if accesses with that privilege go through the page table.
bool is_translated(const struct hart *h, enum privilege privilege);

// Translates va. Returns false, with the exception in h, if the access is not allowed.
bool walk(struct hart *h, uint64_t va, enum access access, enum privilege privilege, uint64_t *pa);
