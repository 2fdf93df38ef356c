// Describes and counts pages.
#include "vm/pagemap.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "sched/stop.h"
#include "vm/tree.h"

static_assert(PROT_READ << 2 == PAGE_READ && PROT_WRITE << 2 == PAGE_WRITE &&
                  PROT_EXEC << 2 == PAGE_EXEC && ENTRY_COW << 2 == PAGE_COW,
              "rights are shifted to become flags");

static uint32_t flags_of(const struct region *r) {
    return PAGE_REGION | (r->backing->shared ? PAGE_SHARED : 0) |
           (r->backing->maps_file ? PAGE_FILE : 0);
}

// ---- Sharers ----

// The page whose sharers are counted. The others are stopped, so one at a time is.
static struct {
    const struct frame *frame;
    const void *object; // of its region
    uint64_t place;     // in the object; its address if there is none
    uint32_t mark;      // that tables which have been counted bear
    uint32_t more;      // sharers that have no entry of their own
} page;

// Returns what is to be added to an address in r to get a page's place, which is the same in all
// regions that map the page. Without an object it is the address: regions that have been merged
// have the offset of only one of them.
static uint64_t offset_of(const struct region *r) {
    return r->object != NULL ? r->offset : 0;
}

// Returns the leaf table in which r, a region of the space, maps the page, or NULL.
static const pte_t *leaf_of_page(const struct addrspace *as, const struct region *r) {
    vaddr_t va = page.place - offset_of(r);
    if (r->object != page.object || va < r->start || va >= r->end)
        return NULL;
    const pte_t *pointer = tree_find_pointer(as->pt.root, va);
    if (pointer == NULL || !pte_is_table(*pointer))
        return NULL;
    const pte_t *leaf = table_of(*pointer);
    pte_t pte = leaf[pte_index(va, 0)];
    bool maps_it = pte.bits & PTE_V && frame_of_phys(pte_phys(pte)) == page.frame;
    return maps_it ? leaf : NULL;
}

// If r, a region of the space, maps the page, counts the other owners of its table. Counts each
// table once.
static void count_owners_in(const struct addrspace *as, const struct region *r) {
    const pte_t *leaf = leaf_of_page(as, r);
    if (leaf == NULL || frame_of(leaf)->seen == page.mark)
        return;
    frame_of(leaf)->seen = page.mark;
    page.more += frame_of(leaf)->count - 1;
}

// Does so for all regions of the space that may map the page: without an object, it has the same
// address everywhere.
static void count_owners(struct addrspace *as) {
    if (page.object == NULL) {
        const struct region *r = addrspace_find(as, page.place);
        if (r != NULL)
            count_owners_in(as, r);
        return;
    }
    for (unsigned i = 0; i < as->region_count; i++)
        count_owners_in(as, &as->regions[i]);
}

// True if no entry but this one maps the page, and no other space shares its table.
static bool is_only_here(const struct mapping *m) {
    return !mapping_is_shared(m) && m->frame->use != FRAME_CACHE;
}

bool pagemap_looks_around(const struct addrspace *as, vaddr_t va, int count) {
    struct mapping m;
    for (; count > 0 && va < USER_END; count--, va += PAGE_SIZE) {
        if (pt_lookup(&as->pt, va, &m) && !is_only_here(&m))
            return true;
    }
    return false;
}

// Returns how many entries map the page at va in r, plus one if a slot of the block cache holds it.
// An entry counts once for each owner of its table.
static uint32_t count_sharers(const struct region *r, vaddr_t va, const struct frame *f) {
    enum { FIRST_MARK = 1u << 31 }; // more than the checker counts in `seen`
    assert(sched_is_stopped());
    page.frame = f;
    page.object = r->object;
    page.place = va + offset_of(r);
    page.mark = page.mark < FIRST_MARK ? FIRST_MARK : page.mark + 1;
    page.more = 0;
    addrspace_each(count_owners);
    return f->count + page.more;
}

// ---- Pages ----

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
                             .sharers = is_only_here(&m) ? 1 : count_sharers(r, va, m.frame),
                             .frame = frame_phys(m.frame) / PAGE_SIZE};
}

static void assert_unchanging(const struct addrspace *as) {
    assert(tree_is_active(as->pt.root) || sched_is_stopped());
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
