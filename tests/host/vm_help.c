// What the tests of vm have in common.
#include "vm_help.h"
#include "sched/stop.h"
#include "vm/tree.h"

uint64_t all_faults(void) {
    uint64_t sum = 0;
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        sum += faults(kind);
    return sum;
}

static void measure(const struct addrspace *as, uint64_t *resident, uint64_t *covered) {
    sched_stop_others();
    pagemap_measure(as, resident, covered);
    sched_resume_others();
}

uint64_t pages_resident(const struct addrspace *as) {
    uint64_t resident, covered;
    measure(as, &resident, &covered);
    return resident;
}

uint64_t pages_covered(const struct addrspace *as) {
    uint64_t resident, covered;
    measure(as, &resident, &covered);
    return covered;
}

struct frame *frame_at(const struct addrspace *as, vaddr_t va) {
    return mapping_at(as, va).frame;
}

struct frame *leaf_at(const struct addrspace *as, vaddr_t va) {
    const pte_t *pointer = tree_find_pointer(as->pt.root, va);
    return pointer != NULL && pte_is_table(*pointer) ? frame_of(table_of(*pointer)) : NULL;
}

static const struct frame *wanted;
static unsigned found_count;

static void find_wanted(struct addrspace *as) {
    struct mapping m;
    for (vaddr_t va = 0; pt_next(&as->pt, &va, USER_END, &m); va += PAGE)
        found_count += m.frame == wanted;
}

unsigned pages_with(const struct frame *f) {
    wanted = f;
    found_count = 0;
    sched_stop_others();
    addrspace_each(find_wanted);
    sched_resume_others();
    return found_count;
}

uint8_t load_in(struct addrspace *as, vaddr_t va) {
    space_use(as);
    return LOAD(as, va);
}

void store_in(struct addrspace *as, vaddr_t va, uint8_t byte) {
    space_use(as);
    STORE(as, va, byte);
}

struct addrspace *zero_space(size_t page_count) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    space_map(as, zero_region(ZERO, page_count, RW));
    space_use(as);
    return as;
}

struct addrspace *file_space(struct inode *ip, vaddr_t start, size_t bytes, unsigned rights) {
    struct addrspace *as = space_make();
    space_map(as, file_region(ip, 0, start, bytes, rights));
    space_use(as);
    return as;
}

struct addrspace *heap_space(vaddr_t heap_end) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    as->heap_end = heap_end;
    space_use(as);
    return as;
}

int move_heap(struct addrspace *as, int64_t delta) {
    vaddr_t old_end = 1, before = as->heap_end;
    int error = heap_move_end(as, delta, &old_end);
    CHECK_EQUAL(error ? 1 : before, old_end);
    CHECK_EQUAL(error ? before : before + (uint64_t)delta, as->heap_end);
    CHECK_SOUND();
    return error;
}

struct family family(size_t page_count) {
    struct addrspace *as = zero_space(page_count);
    for (vaddr_t i = 0; i < page_count; i++) {
        STORE(as, ZERO + i * PAGE, (uint8_t)(10 + i));
        STORE(as, ZERO + i * PAGE + PAGE - 1, (uint8_t)(10 + i));
    }
    struct addrspace *child;
    COSTS(FORK_TABLES, child = space_fork(as));
    CHECK_SOUND();
    return (struct family){as, child};
}

void end_family(struct family f) {
    space_end(f.child);
    CHECK_SOUND();
    space_end(f.parent);
    CHECK_ALL_BACK();
}
