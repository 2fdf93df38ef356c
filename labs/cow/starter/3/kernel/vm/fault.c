// Page faults.
#include "vm/fault.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sync/spinlock.h"

static uint64_t counts[FAULT_KINDS]; // atomic

void fault_count(enum fault_kind kind) {
    __atomic_fetch_add(&counts[kind], 1, __ATOMIC_RELAXED);
}

void fault_stat(struct memstat *stat) {
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        stat->faults[kind] = __atomic_load_n(&counts[kind], __ATOMIC_RELAXED);
}

// What the first entry for a page of r may grant: all that the region allows, but writing not
// before somebody writes where that counts.
static unsigned first_rights(const struct region *r, enum access access) {
    bool waits = r->backing->tracks_writes && access != ACCESS_WRITE;
    return waits ? r->protection & ~(unsigned)PROT_WRITE : r->protection;
}

static enum fault_kind kind_of_fill(const struct region *r) {
    if (r->backing->shared)
        return FAULT_SHARED;
    return r->object == NULL ? FAULT_ZERO_FILL : FAULT_FILE;
}

// Maps the backing's page at va, where nothing is mapped.
static int page_in(struct addrspace *as, const struct region *r, vaddr_t va, enum access access) {
    struct frame *f;
    int error = r->backing->get_page(r, va, &f);
    if (error)
        return error;
    error = pt_map(&as->pt, va, (struct mapping){f, first_rights(r, access)});
    if (error) { // never where pages are promised: their tables exist
        frame_put(f);
        return error;
    }
    if (r->protection & PROT_EXEC)
        mmu_flush_instructions();
    fault_count(kind_of_fill(r));
    return 0;
}

// Not written yet: a write to a page that is shared until somebody writes.
static int resolve(struct addrspace *as, const struct region *r, vaddr_t va, enum access access) {
    struct mapping m;
    if (!pt_lookup(&as->pt, va, &m))
        return page_in(as, r, va, access);
    bool is_change =
        access == ACCESS_WRITE && !(m.rights & PROT_WRITE); // the first of a page of a shared file
    pt_protect(&as->pt, va, is_change ? r->protection : m.rights); // flushes
    fault_count(is_change ? FAULT_SHARED : FAULT_STALE);
    return 0;
}

int vm_fault(struct addrspace *as, vaddr_t va, enum access access) {
    assert(thread_self()->ranks_held == 0);
    const struct region *r = addrspace_find(as, va);
    int error = -EFAULT;
    if (r != NULL && region_allows(r, access))
        error = resolve(as, r, round_down(va, PAGE_SIZE), access);
    if (error == -EFAULT)
        fault_count(FAULT_REFUSED);
    else if (error == -ENOMEM)
        fault_count(FAULT_NO_MEMORY);
    return error;
}
