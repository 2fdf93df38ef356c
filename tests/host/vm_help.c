// What the tests of vm have in common.
#include "vm_help.h"
#include "sched/stop.h"

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
    COSTS(3, child = space_fork(as)); // root, middle, leaf
    CHECK_SOUND();
    return (struct family){as, child};
}

void end_family(struct family f) {
    space_end(f.child);
    CHECK_SOUND();
    space_end(f.parent);
    CHECK_ALL_BACK();
}
