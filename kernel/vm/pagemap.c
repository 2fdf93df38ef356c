// Describes and counts pages.
#include "vm/pagemap.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sched/stop.h"
#include "sync/spinlock.h"

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

static void assert_unchanging(const struct addrspace *as) {
    assert(thread_self()->satp == mmu_satp(pt_phys(&as->pt)) || sched_is_stopped());
}

int pagemap_describe(const struct addrspace *as, vaddr_t va, int count, struct pageinfo *info) {
    int done = 0;
    assert_unchanging(as);
    for (; done < count && va < USER_END; va += PAGE_SIZE)
        info[done++] = describe_page(as, va);
    return done;
}

void pagemap_measure(const struct addrspace *as, uint64_t *resident, uint64_t *covered) {
    struct mapping m;
    assert_unchanging(as);
    *resident = *covered = 0;
    for (vaddr_t va = 0; pt_next(&as->pt, &va, USER_END, &m); va += PAGE_SIZE)
        (*resident)++;
    for (unsigned i = 0; i < as->region_count; i++)
        *covered += (as->regions[i].end - as->regions[i].start) / PAGE_SIZE;
}
