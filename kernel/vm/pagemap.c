// Descriptions of pages.
#include "vm/pagemap.h"

static_assert(PROT_READ << 2 == PAGE_READ && PROT_WRITE << 2 == PAGE_WRITE &&
                  PROT_EXEC << 2 == PAGE_EXEC && ENTRY_COW << 2 == PAGE_COW,
              "rights are shifted to become flags");

static uint32_t flags_of(const struct region *r) {
    return PAGE_REGION | (r->backing->shared ? PAGE_SHARED : 0) |
           (r->backing->maps_file ? PAGE_FILE : 0);
}

static struct pageinfo describe_page(const struct addrspace *as, vaddr_t va) {
    struct mapping m;
    const struct region *r = addrspace_next(as, va);
    if (r == NULL)
        return (struct pageinfo){0};
    if (r->start > va)
        return (struct pageinfo){.frame = r->start / PAGE_SIZE};
    if (!pt_lookup(&as->pt, va, &m))
        return (struct pageinfo){.flags = flags_of(r) | (uint32_t)r->protection << 2};
    return (struct pageinfo){.flags = flags_of(r) | PAGE_PRESENT | m.rights << 2,
                             .sharers = m.frame->count,
                             .frame = frame_phys(m.frame) / PAGE_SIZE};
}

int pagemap_describe(const struct addrspace *as, vaddr_t va, int count, struct pageinfo *info) {
    int done = 0;
    for (; done < count && va < USER_END; va += PAGE_SIZE)
        info[done++] = describe_page(as, va);
    return done;
}
