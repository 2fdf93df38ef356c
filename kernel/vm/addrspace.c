// Address spaces. The regions are sorted, so a lookup is a binary search.
#include "vm/addrspace.h"
#include "abi/errno.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/pool.h"
#include "sched/stop.h"
#include "vm/backing_zero.h"

enum { SHARED_MAX = 128 }; // objects of shared memory

static struct pool spaces, objects;

void addrspace_init(unsigned processes) {
    pool_init(&spaces, sizeof(struct addrspace), 2 * processes); // exec needs an old and a new one
    pool_init(&objects, sizeof(struct addrspace), SHARED_MAX);
}

static struct addrspace *create(struct pool *pool) {
    struct addrspace *as = pool_alloc(pool);
    if (as == NULL)
        return NULL;
    if (pt_init(&as->pt) != 0) {
        pool_free(pool, as);
        return NULL;
    }
    as->pool = pool;
    as->users = 1;
    as->heap_end = 0;
    as->region_count = 0;
    as->last_found = 0;
    return as;
}

struct addrspace *addrspace_create(void) {
    return create(&spaces);
}

struct addrspace *addrspace_create_shared(uint64_t size) {
    struct addrspace *as = create(&objects);
    if (as != NULL && addrspace_map_zero(as, 0, size, PROT_READ, "shared") != 0) {
        addrspace_put(as);
        return NULL;
    }
    return as;
}

struct addrspace *addrspace_get(struct addrspace *as) {
    __atomic_fetch_add(&as->users, 1, __ATOMIC_RELAXED);
    return as;
}

void addrspace_activate(struct addrspace *as) {
    thread_self()->satp = mmu_satp(pt_phys(&as->pt));
    mmu_switch(thread_self()->satp);
}

static void each_of(const struct pool *pool, void (*visit)(struct addrspace *as)) {
    struct addrspace *as;
    for (size_t i = 0; (as = pool_at(pool, i)) != NULL; i++) {
        if (as->pt.root != NULL)
            visit(as);
    }
}

void addrspace_each(void (*visit)(struct addrspace *as)) {
    assert(sched_is_stopped());
    each_of(&spaces, visit);
    each_of(&objects, visit);
}

// The index of the first region that ends above va.
static unsigned find_index(const struct addrspace *as, vaddr_t va) {
    unsigned low = 0, high = as->region_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (as->regions[middle].end > va)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct region *addrspace_next(const struct addrspace *as, vaddr_t va) {
    unsigned i = find_index(as, va);
    return i < as->region_count ? &as->regions[i] : NULL;
}

const struct region *addrspace_find(struct addrspace *as, vaddr_t va) {
    if (as->last_found < as->region_count && region_covers(&as->regions[as->last_found], va))
        return &as->regions[as->last_found];
    const struct region *r = addrspace_next(as, va);
    if (r == NULL || r->start > va)
        return NULL;
    as->last_found = (unsigned)(r - as->regions);
    return r;
}

static void get_object(const struct region *r) {
    if (r->backing->get != NULL)
        r->backing->get(r->object);
}

static void put_object(const struct region *r) {
    if (r->backing->put != NULL)
        r->backing->put(r->object);
}

// Frees those tables for addresses from start to end that no region needs.
static void free_tables(struct addrspace *as, vaddr_t start, vaddr_t end) {
    vaddr_t va = round_down(start, pte_span(1)), last = round_up(end, pte_span(1));
    for (unsigned i = find_index(as, va); va < last; i++) {
        bool is_last = i == as->region_count;
        vaddr_t hole_end = is_last ? last : round_down(as->regions[i].start, pte_span(1));
        if (va < hole_end)
            pt_free_tables(&as->pt, va, min(hole_end, last));
        if (is_last)
            return;
        va = round_up(as->regions[i].end, pte_span(1));
    }
}

// Reserves frames for that many pages of r, or gives them back if the number is negative. Errors:
// -ENOMEM.
static int reserve_frames(const struct region *r, int64_t pages) {
    if (!r->promised)
        return r->backing->reserve != NULL ? r->backing->reserve(pages) : 0;
    if (pages >= 0)
        return frame_promise((size_t)pages);
    frame_unpromise((size_t)-pages);
    return 0;
}

// Gives back what is reserved for the pages of r from start to end. Of promised pages, those that
// have been touched have used it up.
static void unreserve(const struct region *r, vaddr_t start, vaddr_t end, size_t touched) {
    int64_t used_up = r->promised ? (int64_t)touched : 0;
    reserve_frames(r, used_up - (int64_t)((end - start) / PAGE_SIZE));
}

// Reserves what the region's pages need. Promised and shared regions also get their page tables
// now: the first touch of a page that was granted must not fail for lack of a table.
static int reserve(struct addrspace *as, const struct region *r) {
    if (!r->promised && !r->backing->shared)
        return 0; // frames and tables are found when its pages are touched
    int64_t pages = (int64_t)((r->end - r->start) / PAGE_SIZE);
    int error = reserve_frames(r, pages);
    if (error)
        return error;
    error = pt_prepare(&as->pt, r->start, r->end);
    if (error) {
        reserve_frames(r, -pages);
        free_tables(as, r->start, r->end);
    }
    return error;
}

static void write_back(struct addrspace *as, const struct region *r, vaddr_t start, vaddr_t end) {
    if (r->backing->write_back != NULL)
        r->backing->write_back(r, &as->pt, start, end);
}

static void insert_region(struct addrspace *as, unsigned i, const struct region *r) {
    memmove(&as->regions[i + 1], &as->regions[i], (as->region_count - i) * sizeof *r);
    as->regions[i] = *r;
    as->region_count++;
}

static void remove_region(struct addrspace *as, unsigned i) {
    as->region_count--;
    memmove(&as->regions[i], &as->regions[i + 1], (as->region_count - i) * sizeof as->regions[0]);
}

// Cuts the range from start to end out of region i, which overlaps it. Returns the index of the
// region after the hole.
static unsigned cut_region(struct addrspace *as, unsigned i, vaddr_t start, vaddr_t end) {
    struct region *r = &as->regions[i], whole = *r;
    vaddr_t hole_start = max(start, r->start), hole_end = min(end, r->end);
    write_back(as, r, hole_start, hole_end);
    unreserve(r, hole_start, hole_end, pt_unmap(&as->pt, hole_start, hole_end));
    if (hole_start == whole.start && hole_end == whole.end) {
        remove_region(as, i);
        put_object(&whole);
        return i;
    }
    if (hole_start == whole.start) {
        r->start = hole_end;
        return i + 1;
    }
    r->end = hole_start;
    if (hole_end < whole.end) {
        struct region tail = whole;
        tail.start = hole_end;
        get_object(&tail);
        insert_region(as, i + 1, &tail);
    }
    return i + 1;
}

static void cut_range(struct addrspace *as, vaddr_t start, vaddr_t end) {
    unsigned i = find_index(as, start);
    while (i < as->region_count && as->regions[i].start < end)
        i = cut_region(as, i, start, end);
}

// Merges region i with the next one if possible.
static void join_next(struct addrspace *as, unsigned i) {
    if (i + 1 >= as->region_count || !regions_can_merge(&as->regions[i], &as->regions[i + 1]))
        return;
    as->regions[i].end = as->regions[i + 1].end;
    remove_region(as, i + 1);
}

// Adds a region where there is none. It takes a place in the list first, even if it is merged.
static void add_region(struct addrspace *as, const struct region *r) {
    assert(r->start % PAGE_SIZE == 0 && r->end % PAGE_SIZE == 0);
    assert(!(r->protection & PROT_WRITE) || r->protection & PROT_READ);
    unsigned i = find_index(as, r->start);
    insert_region(as, i, r);
    join_next(as, i);
    if (i > 0)
        join_next(as, i - 1);
}

int addrspace_map(struct addrspace *as, const struct region *r) {
    if (r->start >= r->end || r->end > USER_END)
        return -EINVAL;
    unsigned i = find_index(as, r->start);
    if (i < as->region_count && as->regions[i].start < r->end)
        return -EINVAL;
    bool joins = (i > 0 && regions_can_merge(&as->regions[i - 1], r)) ||
                 (i < as->region_count && regions_can_merge(r, &as->regions[i]));
    if (!joins && as->region_count == REGIONS_MAX)
        return -ENOMEM;
    int error = reserve(as, r);
    if (error == 0)
        add_region(as, r);
    return error;
}

int addrspace_inherit(struct addrspace *as, const struct region *r) {
    assert(as->region_count < REGIONS_MAX);
    struct region *copy = &as->regions[as->region_count];
    *copy = *r;
    copy->promised = false;
    int error = reserve(as, copy);
    if (error)
        return error;
    get_object(copy);
    as->region_count++;
    return 0;
}

int addrspace_map_zero(struct addrspace *as, vaddr_t start, vaddr_t end, unsigned protection,
                       const char *name) {
    struct region r = {
        start, end, (uint8_t)protection, .promised = true, .name = name, .backing = &backing_zero};
    return addrspace_map(as, &r);
}

int addrspace_replace(struct addrspace *as, const struct region *r) {
    assert(r->start < r->end && r->end <= USER_END);
    if (as->region_count + 2 > REGIONS_MAX)
        return -ENOMEM;
    int error = reserve(as, r);
    if (error)
        return error;
    cut_range(as, r->start, r->end);
    add_region(as, r);
    return 0;
}

int addrspace_unmap(struct addrspace *as, vaddr_t start, vaddr_t end) {
    assert(start % PAGE_SIZE == 0 && end % PAGE_SIZE == 0);
    unsigned i = find_index(as, start);
    bool splits = i < as->region_count && as->regions[i].start < start && as->regions[i].end > end;
    if (splits && as->region_count == REGIONS_MAX)
        return -ENOMEM;
    cut_range(as, start, end);
    free_tables(as, start, end);
    return 0;
}

// ---- The end of a space ----

void addrspace_put(struct addrspace *as) {
    const struct region *end = as->regions + as->region_count;
    if (__atomic_sub_fetch(&as->users, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (const struct region *r = as->regions; r < end; r++)
        write_back(as, r, r->start, r->end);
    for (const struct region *r = as->regions; r < end; r++)
        unreserve(r, r->start, r->end, r->promised ? pt_count(&as->pt, r->start, r->end) : 0);
    pt_destroy(&as->pt); // after this, the checker takes the slot for a free one
    for (const struct region *r = as->regions; r < end; r++)
        put_object(r);
    pool_free(as->pool, as);
}
