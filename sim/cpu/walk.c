// The walk through a page table, a step at a time.
#include "cpu/walk.h"
#include "cpu/physical.h"

#define PTE_PPN ((UINT64_C(1) << 44) - 1)
#define PTE_RESERVED (UINT64_C(0x3ff) << 54)

uint64_t walk_target(uint64_t pte) {
    return (pte >> PTE_PPN_SHIFT & PTE_PPN) << PAGE_SHIFT;
}

static bool is_well_formed(uint64_t pte) {
    return (pte & PTE_V) && !(pte & PTE_RESERVED) && ((pte & PTE_R) || !(pte & PTE_W));
}

static bool is_aligned(uint64_t pte, unsigned level) {
    uint64_t inside = (UINT64_C(1) << (PAGE_SHIFT + LEVEL_BITS * level)) - 1;
    return (walk_target(pte) & inside) == 0;
}

// Steps 2 to 4, and 8.
enum step walk_step(const struct system *s, uint64_t table, unsigned level, uint64_t page,
                    uint64_t *address, uint64_t *pte) {
    *address = table + (page >> LEVEL_BITS * level) % TABLE_ENTRIES * 8;
    if (!bus_is_memory(&s->bus, *address, 8))
        return STEP_FAULT;
    *pte = physical_read(s, *address, 8);
    if (!is_well_formed(*pte))
        return STEP_INVALID;
    if (*pte & (PTE_R | PTE_X))
        return is_aligned(*pte, level) ? STEP_LEAF : STEP_INVALID;
    bool is_pointer = level > 0 && !(*pte & (PTE_A | PTE_D | PTE_U));
    return is_pointer ? STEP_TABLE : STEP_INVALID;
}
