// Address spaces.
#include "vm/addrspace.h"
#include "abi/errno.h"
#include "abi/limits.h"
#include "arch/mmu.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/pool.h"
#include "vm/cow.h"

static struct pool pool;
static bool forks_eagerly; // [I] set at boot

void addrspace_init(void) {
    pool_init(&pool, sizeof(struct addrspace), 2 * PROCS_MAX); // exec has the old and the new one
}

void addrspace_fork_eagerly(void) { forks_eagerly = true; }

struct addrspace *addrspace_create(void) {
    struct addrspace *as = pool_alloc(&pool);
    if (as == NULL) return NULL;
    if (pt_init(&as->pt) != 0) {
        pool_free(&pool, as);
        return NULL;
    }
    as->users = 1; // from here on addrspace_each finds it
    return as;
}

void addrspace_put(struct addrspace *as) {
    if (__atomic_sub_fetch(&as->users, 1, __ATOMIC_ACQ_REL) > 0) return;
    assert(thread_self()->satp != mmu_satp(pt_phys(&as->pt)));
    addrspace_unmap(as, 0, USER_END); // splits nothing, so it cannot fail
    pt_destroy(&as->pt);
    pool_free(&pool, as);
}

void addrspace_activate(struct addrspace *as) {
    thread_self()->satp = mmu_satp(pt_phys(&as->pt));
    mmu_switch(thread_self()->satp);
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

const struct region *addrspace_find(const struct addrspace *as, vaddr_t va) {
    unsigned i = find_index(as, va);
    return i < as->region_count && as->regions[i].start <= va ? &as->regions[i] : NULL;
}

static void get_object(const struct region *r) {
    if (r->backing->get != NULL) r->backing->get(r->object);
}

static void put_object(const struct region *r) {
    if (r->backing->put != NULL) r->backing->put(r->object);
}

// Regions without an object can be one if they differ in nothing but their bounds.
static bool can_merge(const struct region *low, const struct region *high) {
    return low->end == high->start && low->protection == high->protection && low->promised == high->promised &&
           low->backing == high->backing && low->object == NULL && high->object == NULL && low->name == high->name;
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

int addrspace_map(struct addrspace *as, const struct region *r) {
    if (r->start >= r->end || r->end > USER_END) return -EINVAL;
    unsigned i = find_index(as, r->start);
    if (i < as->region_count && as->regions[i].start < r->end) return -EINVAL;
    if (i > 0 && can_merge(&as->regions[i - 1], r)) {
        as->regions[i - 1].end = r->end;
        return 0;
    }
    if (as->region_count == REGIONS_MAX) return -ENOMEM;
    insert_region(as, i, r);
    return 0;
}

// Cuts the range from start to end out of region i, which overlaps it. Returns the index of the region after the hole.
static unsigned cut_region(struct addrspace *as, unsigned i, vaddr_t start, vaddr_t end) {
    struct region *r = &as->regions[i], whole = *r;
    vaddr_t hole_start = start > r->start ? start : r->start;
    vaddr_t hole_end = end < r->end ? end : r->end;
    size_t present = pt_unmap(&as->pt, hole_start, hole_end);
    if (r->promised) frame_unpromise((hole_end - hole_start) / PAGE_SIZE - present);
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

int addrspace_unmap(struct addrspace *as, vaddr_t start, vaddr_t end) {
    unsigned i = find_index(as, start);
    bool splits = i < as->region_count && as->regions[i].start < start && as->regions[i].end > end;
    if (splits && as->region_count == REGIONS_MAX) return -ENOMEM;
    while (i < as->region_count && as->regions[i].start < end) i = cut_region(as, i, start, end);
    i = find_index(as, start); // the neighbours decide which tables still serve somebody
    vaddr_t free_start = i > 0 ? round_up(as->regions[i - 1].end, pte_span(1)) : 0;
    vaddr_t free_end = i < as->region_count ? round_down(as->regions[i].start, pte_span(1)) : USER_END;
    if (free_start < free_end) pt_free_tables(&as->pt, free_start, free_end);
    return 0;
}

// Copies the pages of a private region at once: what fork did before copy-on-write.
static int copy_pages(struct addrspace *child, struct addrspace *parent, const struct region *r) {
    struct mapping m;
    for (vaddr_t va = r->start; pt_next(&parent->pt, &va, r->end, &m); va += PAGE_SIZE) {
        struct frame *copy = frame_alloc(FRAME_USER);
        if (copy == NULL) return -ENOMEM;
        frame_copy(copy, m.frame);
        if (pt_map(&child->pt, va, (struct mapping){copy, r->protection}) != 0) {
            frame_put(copy);
            return -ENOMEM;
        }
    }
    return 0;
}

static int fork_pages(struct addrspace *child, struct addrspace *parent, const struct region *r) {
    if (r->backing->shared || !(r->protection & PROT_WRITE)) return pt_share(&child->pt, &parent->pt, r->start, r->end);
    if (forks_eagerly) return copy_pages(child, parent, r);
    return cow_share(child, parent, r);
}

int addrspace_fork(struct addrspace *child, struct addrspace *parent) {
    child->heap_end = parent->heap_end;
    for (unsigned i = 0; i < parent->region_count; i++) {
        struct region r = parent->regions[i];
        r.promised = false; // the promise stays the parent's
        int error = addrspace_map(child, &r);
        if (error) return error;
        get_object(&r);
        error = fork_pages(child, parent, &parent->regions[i]);
        if (error) return error;
    }
    return 0;
}

int addrspace_map_promised(struct addrspace *as, const struct region *r) {
    assert(r->promised && r->backing == &backing_zero);
    size_t count = (r->end - r->start) / PAGE_SIZE;
    int error = frame_promise(count);
    if (error) return error;
    error = addrspace_map(as, r);
    if (error) {
        frame_unpromise(count);
        return error;
    }
    error = pt_prepare(&as->pt, r->start, r->end); // a promise is worth nothing without the tables
    if (error) addrspace_unmap(as, r->start, r->end);
    return error;
}

int addrspace_move_heap(struct addrspace *as, int64_t delta, vaddr_t *old_end) {
    vaddr_t old = as->heap_end, new = old + (uint64_t)delta;
    if (delta < 0 ? new > old : new > USER_END) return delta < 0 ? -EINVAL : -ENOMEM;
    struct region grown = {.start = round_up(old, PAGE_SIZE), .end = round_up(new, PAGE_SIZE), .promised = true};
    grown.protection = PROT_READ | PROT_WRITE;
    grown.name = "heap";
    grown.backing = &backing_zero;
    int error = 0;
    if (grown.end > grown.start)
        error = addrspace_map_promised(as, &grown) == 0 ? 0 : -ENOMEM;
    else if (grown.end < grown.start)
        error = addrspace_unmap(as, grown.end, grown.start);
    if (error) return error;
    as->heap_end = new;
    *old_end = old;
    return 0;
}

void addrspace_measure(const struct addrspace *as, uint64_t *resident, uint64_t *covered) {
    struct mapping m;
    *resident = *covered = 0;
    for (vaddr_t va = 0; pt_next(&as->pt, &va, USER_END, &m); va += PAGE_SIZE) (*resident)++;
    for (unsigned i = 0; i < as->region_count; i++) *covered += (as->regions[i].end - as->regions[i].start) / PAGE_SIZE;
}

void addrspace_each(void (*visit)(struct addrspace *as)) {
    struct addrspace *as = (struct addrspace *)pool.objects;
    for (size_t i = 0; i < pool.used_count; i++) {
        if (as[i].users > 0) visit(&as[i]);
    }
}
