// Page faults.
#include "vm/fault.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sync/spinlock.h"
#include "vm/cow.h"

static uint64_t counts[FAULT_KINDS]; // atomic

void fault_count(enum fault_kind kind) {
    __atomic_fetch_add(&counts[kind], 1, __ATOMIC_RELAXED);
}

void fault_stat(struct memstat *stat) {
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        stat->faults[kind] = __atomic_load_n(&counts[kind], __ATOMIC_RELAXED);
}

// What the first entry for a frame of r may grant: writing only if nobody else has the frame, or
// all are meant to see it and, where that counts, it is being written.
static unsigned first_rights(const struct region *r, const struct frame *f, enum access access) {
    unsigned without_write = r->protection & ~(unsigned)PROT_WRITE;
    if (r->backing->shared)
        return r->backing->tracks_writes && access != ACCESS_WRITE ? without_write : r->protection;
    return r->protection & PROT_WRITE && frame_is_shared(f) ? without_write | ENTRY_COW
                                                            : r->protection;
}

static enum fault_kind kind_of_fill(const struct region *r) {
    if (r->backing->shared)
        return FAULT_SHARED;
    return r->object == NULL ? FAULT_ZERO_FILL : FAULT_FILE;
}

// Maps the backing's page at va, where nothing is mapped, and says how in *m.
static int page_in(struct addrspace *as, const struct region *r, vaddr_t va, enum access access,
                   struct mapping *m) {
    struct frame *f;
    int error = r->backing->get_page(r, va, &f);
    if (error)
        return error;
    *m = (struct mapping){f, first_rights(r, f, access)};
    error = pt_map(&as->pt, va, *m);
    if (error) { // never where pages are promised: their tables exist
        frame_put(f);
        return error;
    }
    if (r->protection & PROT_EXEC)
        mmu_flush_instructions();
    fault_count(kind_of_fill(r));
    return 0;
}

static int resolve(struct addrspace *as, const struct region *r, vaddr_t va, enum access access) {
    struct mapping m;
    bool present = pt_lookup(&as->pt, va, &m);
    if (!present) {
        int error = page_in(as, r, va, access, &m);
        if (error)
            return error;
    }
    if (access == ACCESS_WRITE && m.rights & ENTRY_COW)
        return cow_break(as, r, va, &m);
    if (!present)
        return 0;
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
