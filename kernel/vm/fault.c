// Page faults: finds the region, then the entry, and repairs what is missing.
#include "vm/fault.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sync/spinlock.h"
#include "vm/cow.h"
#include "vm/faultcount.h"

// Returns what the first entry for a frame of r grants. A page whose backing tracks writes stays
// read-only until it is written. A copy-on-write page is writable if this entry is the only user of
// the frame.
static unsigned first_rights(const struct region *r, const struct frame *f, enum access access) {
    if (r->backing->tracks_writes && access != ACCESS_WRITE)
        return r->protection & ~(unsigned)PROT_WRITE;
    if (!region_is_cow(r))
        return r->protection;
    return frame_is_shared(f) ? rights_marked(r) : rights_writable(r);
}

// Maps the backing's page at va, where nothing is mapped, and stores the new entry in *m.
static int page_in(struct addrspace *as, const struct region *r, vaddr_t va, enum access access,
                   struct mapping *m) {
    struct frame *f;
    int error = r->backing->get_page(r, va, &f);
    if (error)
        return error;
    *m = (struct mapping){.frame = f, .rights = first_rights(r, f, access)};
    error = pt_map(&as->pt, va, *m);
    if (error) {
        assert(!r->promised); // reserve() in addrspace.c has made their tables
        frame_put(f);
        return error;
    }
    if (r->protection & PROT_EXEC)
        mmu_flush_instructions();
    fault_count(r->backing->fill_kind);
    return 0;
}

// The first write to a page whose backing tracks writes: from now on its entry allows writing,
// which records that the page is dirty.
static void note_first_write(struct addrspace *as, const struct region *r, vaddr_t va) {
    pt_protect(&as->pt, va, r->protection);
    fault_count(FAULT_SHARED);
}

// The entry allows the access: the fault is spurious, because the hart's TLB had a stale entry.
// Writing the entry again flushes it from the TLB.
static void drop_stale_entry(struct addrspace *as, vaddr_t va, const struct mapping *m) {
    pt_protect(&as->pt, va, m->rights);
    fault_count(FAULT_STALE);
}

// The region allows the access. Finds out why it faulted nevertheless, and repairs the cause.
static int resolve(struct addrspace *as, const struct region *r, vaddr_t va, enum access access) {
    struct mapping m;
    bool present = pt_lookup(&as->pt, va, &m);
    if (!present) {
        int error = page_in(as, r, va, access, &m);
        if (error)
            return error;
    }
    if (access == ACCESS_WRITE && m.rights & ENTRY_COW)
        return cow_break(&as->pt, r, va, &m);
    if (!present)
        return 0;
    if (access == ACCESS_WRITE && !(m.rights & PROT_WRITE))
        note_first_write(as, r, va);
    else
        drop_stale_entry(as, va, &m);
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
