// The walk through the page table.
#include "cpu/walk.h"
#include "cpu/access.h"

#define PTE_PPN ((UINT64_C(1) << 44) - 1)
#define PTE_RESERVED (UINT64_C(0x3ff) << 54)

enum privilege access_privilege(const struct hart *h, enum access access) {
    if (access != ACCESS_FETCH && (h->r.status & STATUS_MPRV))
        return (h->r.status & STATUS_MPP) >> STATUS_MPP_SHIFT;
    return h->r.privilege;
}

bool is_translated(const struct hart *h, enum privilege privilege) {
    return privilege != MACHINE && (h->r.satp & SATP_MODE) == SATP_SV39;
}

static bool page_fault(struct hart *h, uint64_t va, enum access access) {
    static const uint32_t causes[] = {FETCH_PAGE_FAULT, LOAD_PAGE_FAULT, STORE_PAGE_FAULT};
    return access_fails(h, causes[access], va);
}

static bool access_fault(struct hart *h, uint64_t va, enum access access) {
    static const uint32_t causes[] = {FETCH_FAULT, LOAD_FAULT, STORE_FAULT};
    return access_fails(h, causes[access], va);
}

// Steps 5 to 7: the rights that a leaf entry gives.
static bool is_allowed(const struct hart *h, uint64_t pte, enum access access, enum privilege p) {
    if (p == USER && !(pte & PTE_U))
        return false;
    if (p == SUPERVISOR && (pte & PTE_U) && (access == ACCESS_FETCH || !(h->r.status & STATUS_SUM)))
        return false;
    switch (access) {
    case ACCESS_FETCH:
        return (pte & PTE_X) != 0;
    case ACCESS_READ:
        return (pte & PTE_R) || ((h->r.status & STATUS_MXR) && (pte & PTE_X));
    default:
        return (pte & PTE_W) != 0;
    }
}

static bool is_well_formed(uint64_t pte) {
    return (pte & PTE_V) && !(pte & PTE_RESERVED) && ((pte & PTE_R) || !(pte & PTE_W));
}

// Step 9: sets A and, if the page is written, D.
static bool mark_used(struct hart *h, uint64_t address, uint64_t pte, enum access access) {
    uint64_t wanted = pte | PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);
    return wanted == pte || memory_write(h->system, address, 8, wanted);
}

bool walk(struct hart *h, uint64_t va, enum access access, enum privilege privilege, uint64_t *pa) {
    if ((uint64_t)(SIGNED(va << 25) >> 25) != va) // bits 63 to 39 are copies of bit 38
        return page_fault(h, va, access);
    uint64_t table = (h->r.satp & SATP_PPN) << PAGE_SHIFT;
    for (int level = LEVELS - 1; level >= 0; level--) {
        unsigned shift = PAGE_SHIFT + LEVEL_BITS * level;
        uint64_t address = table + (va >> shift & 0x1ff) * 8;
        if (!bus_is_memory(&h->system->bus, address, 8))
            return access_fault(h, va, access);
        uint64_t pte = memory_read(h->system, address, 8);
        uint64_t ppn = pte >> PTE_PPN_SHIFT & PTE_PPN;
        if (!is_well_formed(pte))
            return page_fault(h, va, access);
        if (!(pte & (PTE_R | PTE_X))) {
            if (pte & (PTE_A | PTE_D | PTE_U))
                return page_fault(h, va, access);
            table = ppn << PAGE_SHIFT;
            continue;
        }
        uint64_t inside = (UINT64_C(1) << shift) - 1;
        if ((ppn << PAGE_SHIFT & inside) != 0 || !is_allowed(h, pte, access, privilege))
            return page_fault(h, va, access);
        if (!mark_used(h, address, pte, access))
            return access_fault(h, va, access);
        *pa = (ppn << PAGE_SHIFT & ~inside) | (va & inside);
        return true;
    }
    return page_fault(h, va, access);
}
