// pagemap: what it says of each page, above all how many share it.
#include "vm_help.h"

#include "sched/stop.h"

static struct pageinfo info_at(const struct addrspace *as, vaddr_t va) {
    struct pageinfo info;
    sched_stop_others();
    CHECK_EQUAL(1, pagemap_describe(as, va, 1, &info));
    sched_resume_others();
    return info;
}

// The pages that have the frame, plus one if it is in a slot of the file's cache.
static void check_sharers(const struct addrspace *as, vaddr_t va, unsigned pages, bool is_cached) {
    CHECK_EQUAL(pages, pages_with(frame_at(as, va)));
    CHECK_EQUAL(pages + is_cached, info_at(as, va).sharers);
}

// For every page that is present.
static void check_all_sharers(const struct addrspace *as) {
    struct mapping m;
    for (vaddr_t va = 0; pt_next(&as->pt, &va, USER_END, &m); va += PAGE)
        check_sharers(as, va, pages_with(m.frame), m.frame->use == FRAME_CACHE);
}

TEST(pagemap_needs_the_others_stopped_if_they_may_share_a_page) {
    struct addrspace *as = zero_space(2); // the running space
    struct pageinfo info;
    STORE(as, ZERO, 1);
    CHECK(!pagemap_looks_around(as, ZERO, 2));
    CHECK_EQUAL(1, pagemap_describe(as, ZERO, 1, &info));
    struct addrspace *child = space_fork(as);
    CHECK(pagemap_looks_around(as, ZERO, 2) && !pagemap_looks_around(as, ZERO + PAGE, 1));
    CHECK_PANICS(pagemap_describe(as, ZERO, 1, &info));
    CHECK_PANICS(pagemap_describe(child, ZERO + PAGE, 1, &info)); // it is not the running one
    end_family((struct family){as, child});
}

TEST(pages_are_described_one_by_one) {
    struct addrspace *as = zero_space(4);
    struct pageinfo info[4];
    STORE(as, ZERO + PAGE, 1);
    sched_stop_others();
    CHECK_EQUAL(3, pagemap_describe(as, USER_END - 3 * PAGE, 4, info)); // the end of the space
    CHECK_EQUAL(4, pagemap_describe(as, ZERO - PAGE, 4, info));
    sched_resume_others();
    CHECK_EQUAL(0, info[0].flags);
    CHECK_EQUAL(ZERO / PAGE, info[0].frame); // where the next region begins
    CHECK_EQUAL(PAGE_REGION | PAGE_READ | PAGE_WRITE, info[1].flags);
    CHECK_EQUAL(PAGE_REGION | PAGE_PRESENT | PAGE_READ | PAGE_WRITE, info[2].flags);
    CHECK_EQUAL(1, info[2].sharers);
    CHECK_EQUAL(frame_phys(frame_at(as, ZERO + PAGE)) / PAGE, info[2].frame);
    struct addrspace *child = space_fork(as);
    CHECK_EQUAL(PAGE_REGION | PAGE_PRESENT | PAGE_READ | PAGE_COW, info_at(as, ZERO + PAGE).flags);
    end_family((struct family){as, child});
}

TEST(sharers_are_exact_through_three_generations) {
    struct family f = family(4);
    check_sharers(f.parent, ZERO, 2, false);
    struct addrspace *grandchild = space_fork(f.child), *all[] = {f.parent, f.child, grandchild};
    check_sharers(f.parent, ZERO, 3, false);
    store_in(f.child, ZERO, 1); // two share the old table, the child has a copy
    check_sharers(f.parent, ZERO, 2, false);
    check_sharers(f.child, ZERO, 1, false);
    check_sharers(f.child, ZERO + PAGE, 3, false);
    check_sharers(grandchild, ZERO + PAGE, 3, false);
    struct addrspace *second = space_fork(f.child); // two tables with two owners each
    check_sharers(f.parent, ZERO, 2, false);
    check_sharers(second, ZERO, 2, false);
    for (vaddr_t i = 1; i < 4; i++)
        check_sharers(second, ZERO + i * PAGE, 4, false);
    store_in(second, ZERO + PAGE, 2);
    check_sharers(grandchild, ZERO + PAGE, 3, false);
    for (int i = 0; i < 3; i++)
        check_all_sharers(all[i]);
    space_end(f.parent);
    check_sharers(grandchild, ZERO + PAGE, 2, false);
    check_sharers(second, ZERO + 3 * PAGE, 3, false);
    CHECK_SOUND(); // what was counted does not disturb the checker
    space_end(second);
    end_family((struct family){f.child, grandchild});
}

TEST(sharers_of_a_file_are_exact_at_different_addresses) {
    machine_start(FRAMES);
    struct inode *ip = file_make(8 * PAGE);
    struct addrspace *a = file_space(ip, ZERO, 4 * PAGE, RX), *b = space_make();
    space_map(b, file_region(ip, PAGE, ZERO + 7 * LEAF_SPAN + 5 * PAGE, 2 * PAGE, RX));
    space_map(b, file_region(ip, PAGE, ZERO + 9 * LEAF_SPAN, 2 * PAGE, RW));
    for (vaddr_t i = 0; i < 4; i++)
        LOAD(a, ZERO + i * PAGE);
    space_use(b);
    for (vaddr_t i = 0; i < 2; i++) {
        LOAD(b, ZERO + 7 * LEAF_SPAN + (5 + i) * PAGE);
        LOAD(b, ZERO + 9 * LEAF_SPAN + i * PAGE);
    }
    check_sharers(a, ZERO, 1, true);
    check_sharers(a, ZERO + PAGE, 3, true); // b has it twice
    struct addrspace *child = space_fork(a), *other = space_fork(b), *last = space_fork(other);
    CHECK_EQUAL(2, leaf_at(a, ZERO)->count);
    CHECK_EQUAL(3, leaf_at(b, ZERO + 7 * LEAF_SPAN)->count);
    check_sharers(a, ZERO, 2, true);
    check_sharers(a, ZERO + PAGE, 2 + 2 * 3, true);
    check_sharers(last, ZERO + 9 * LEAF_SPAN + PAGE, 2 + 2 * 3, true);
    store_in(other, ZERO + 9 * LEAF_SPAN, 1);
    check_sharers(child, ZERO + PAGE, 2 + 2 * 3 - 1, true);
    check_sharers(other, ZERO + 9 * LEAF_SPAN, 1, false);
    check_all_sharers(last);
    check_all_sharers(other);
    CHECK_SOUND();
    space_end(last);
    space_end(other);
    space_end(b);
    check_sharers(a, ZERO + PAGE, 2, true);
    end_family((struct family){a, child});
}

TEST(sharers_of_shared_memory_are_exact) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    struct region r = shared_region(ZERO, 3, RW);
    CHECK_EQUAL(0, addrspace_map(as, &r));
    space_use(as);
    STORE(as, ZERO, 1);
    check_sharers(as, ZERO, 2, false); // the object's page table counts
    struct addrspace *child = space_fork(as);
    check_sharers(child, ZERO, 3, false);
    store_in(child, ZERO + PAGE, 1);
    check_sharers(child, ZERO + PAGE, 2, false);
    end_family((struct family){as, child});
}

// Merged regions have the offset of one of them only.
TEST(sharers_are_exact_after_regions_have_merged) {
    machine_start(FRAMES);
    struct mmap_request q = {.address = ZERO + PAGE,
                             .length = 2 * PAGE,
                             .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                             .protection = RW};
    struct addrspace *as = space_make();
    vaddr_t start;
    CHECK_EQUAL(0, mmap_create(as, &q, &start));
    space_use(as);
    STORE(as, start, 1);
    STORE(as, start + PAGE, 2);
    struct addrspace *child = space_fork(as), *grandchild = space_fork(child);
    q.address = ZERO;
    q.length = PAGE;
    CHECK_EQUAL(0, mmap_create(as, &q, &start));
    CHECK_EQUAL(1, as->region_count);
    STORE(as, ZERO, 3);
    CHECK(leaf_at(as, ZERO) != leaf_at(child, ZERO));
    check_sharers(as, ZERO, 1, false);
    check_sharers(as, ZERO + PAGE, 3, false);
    check_sharers(grandchild, ZERO + PAGE, 3, false);
    space_end(grandchild);
    end_family((struct family){as, child});
}
