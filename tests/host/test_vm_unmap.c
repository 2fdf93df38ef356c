// Unmapping, replacing and ending with leaf tables that are shared.
#include "vm_help.h"

#include <string.h>

// ---- Unmapping ----

// A space in use with `tables` whole leaf tables of zeroes, the first two pages of each touched.
static struct addrspace *whole_space(size_t tables) {
    struct addrspace *as = zero_space(512 * tables);
    for (vaddr_t va = ZERO; va < ZERO + tables * LEAF_SPAN; va += LEAF_SPAN) {
        STORE(as, va, 1);
        STORE(as, va + PAGE, 2);
    }
    return as;
}

static void check_intact(struct addrspace *as, vaddr_t va) {
    CHECK_EQUAL(1, load_in(as, va));
    CHECK_EQUAL(2, load_in(as, va + PAGE));
}

TEST(unmap_of_a_whole_shared_table_drops_it) {
    struct addrspace *as = whole_space(2), *child = space_fork(as);
    struct frame *leaf = leaf_at(as, ZERO), *page = frame_at(as, ZERO);
    space_use(child);
    uint8_t byte = LOAD(child, ZERO); // its TLB has the page and the way to it
    COSTS(-1, CHECK_EQUAL(0, addrspace_unmap(child, ZERO, ZERO + LEAF_SPAN))); // the spare
    CHECK_EQUAL(-EFAULT, hart_load(child, ZERO, &byte));
    CHECK_EQUAL(-EFAULT, hart_load(child, ZERO + PAGE, &byte));
    CHECK(leaf_at(child, ZERO) == NULL && leaf_at(as, ZERO) == leaf);
    CHECK_EQUAL(1, leaf->count);
    CHECK_EQUAL(2, leaf->entries);
    CHECK_EQUAL(1, page->count);
    CHECK_SOUND();
    COSTS(-2, CHECK_EQUAL(0, addrspace_unmap(child, ZERO, ZERO + 2 * LEAF_SPAN))); // the middle one
    CHECK_SOUND();
    check_intact(as, ZERO);
    check_intact(as, ZERO + LEAF_SPAN);
    end_family((struct family){as, child});
}

TEST(unmap_by_the_last_owner_drops_the_pages) {
    struct addrspace *as = whole_space(1), *child = space_fork(as);
    space_use(as);
    COSTS(-2, CHECK_EQUAL(0, addrspace_unmap(as, ZERO, ZERO + LEAF_SPAN))); // spare, middle table
    check_intact(child, ZERO);
    COSTS(-4, CHECK_EQUAL(0, addrspace_unmap(child, 0, USER_END))); // two pages and tables
    CHECK_SOUND();
    end_family((struct family){as, child});
}

TEST(unmap_of_a_part_copies_the_table) {
    struct addrspace *as = whole_space(1), *child = space_fork(as);
    struct frame *leaf = leaf_at(as, ZERO);
    space_use(child);
    COSTS(0, CHECK_EQUAL(0, addrspace_unmap(child, ZERO + PAGE, ZERO + LEAF_SPAN)));
    CHECK(leaf_at(as, ZERO) == leaf && leaf_at(child, ZERO) != leaf);
    CHECK_EQUAL(1, leaf->count);
    CHECK_EQUAL(2, leaf->entries);
    CHECK_EQUAL(1, leaf_at(child, ZERO)->entries);
    CHECK_EQUAL(2, frame_at(as, ZERO)->count);
    CHECK_EQUAL(1, frame_at(as, ZERO + PAGE)->count);
    CHECK_SOUND();
    COSTS(-2, CHECK_EQUAL(0, addrspace_unmap(child, ZERO, ZERO + PAGE))); // leaf and middle table
    CHECK_SOUND();
    check_intact(as, ZERO);
    end_family((struct family){as, child});
}

// Three spaces share the table; two of them unmap a hole in it.
TEST(holes_of_one_owner_are_not_the_others) {
    struct family f = family(6);
    struct addrspace *grandchild = space_fork(f.child);
    space_use(f.child);
    CHECK_EQUAL(0, addrspace_unmap(f.child, ZERO + 2 * PAGE, ZERO + 3 * PAGE));
    space_use(f.parent);
    CHECK_EQUAL(0, addrspace_unmap(f.parent, ZERO + 3 * PAGE, ZERO + 5 * PAGE));
    CHECK_SOUND();
    for (vaddr_t i = 0; i < 6; i++) {
        bool in_child = i != 2, in_parent = i != 3 && i != 4;
        CHECK_EQUAL(1 + in_child + in_parent, pages_with(frame_at(grandchild, ZERO + i * PAGE)));
        CHECK_EQUAL(10 + i, load_in(grandchild, ZERO + i * PAGE));
    }
    struct addrspace *last = space_fork(f.parent); // two regions in one table now
    CHECK(leaf_at(last, ZERO) != leaf_at(f.parent, ZERO));
    CHECK_SOUND();
    space_end(last);
    space_end(grandchild);
    end_family(f);
}

// ---- The heap ----

// A heap of 100 pages, of which the first 10 are touched, and a fork of it.
static struct family heap_family(void) {
    struct addrspace *as = heap_space(ZERO);
    CHECK_EQUAL(0, move_heap(as, 100 * PAGE));
    for (vaddr_t i = 0; i < 10; i++)
        STORE(as, ZERO + i * PAGE, (uint8_t)(10 + i));
    struct addrspace *child;
    COSTS(FORK_TABLES, child = space_fork(as));
    CHECK(leaf_at(as, ZERO) == leaf_at(child, ZERO));
    return (struct family){as, child};
}

static void check_heap(struct addrspace *as, size_t pages) {
    uint8_t byte;
    for (vaddr_t i = 0; i < 100; i++) {
        CHECK_EQUAL(i < pages ? 0 : -EFAULT, hart_load(as, ZERO + i * PAGE, &byte));
        CHECK(i >= pages || byte == (i < 10 ? 10 + i : 0));
    }
}

TEST(heap_shrinks_into_a_shared_table) {
    struct family f = heap_family();
    space_use(f.child);
    COSTS(0, CHECK_EQUAL(0, move_heap(f.child, -95 * PAGE)));
    CHECK_EQUAL(90, frames_promised());
    space_use(f.parent);
    check_heap(f.parent, 100);
    COSTS(-95, CHECK_EQUAL(0, move_heap(f.parent, -95 * PAGE)));
    CHECK_EQUAL(0, frames_promised());
    check_heap(f.parent, 5);
    space_use(f.child);
    check_heap(f.child, 5);
    COSTS(0, CHECK_EQUAL(0, move_heap(f.child, 2 * PAGE)));
    CHECK_EQUAL(0, LOAD(f.child, ZERO + 6 * PAGE)); // new memory is zero
    end_family(f);
}

// Both need the whole table for themselves, and neither more than its spare.
TEST(heap_shrinks_to_nothing_while_the_table_is_shared) {
    struct family f = heap_family();
    space_use(f.parent);
    COSTS(-2, CHECK_EQUAL(0, move_heap(f.parent, -100 * PAGE))); // spare, middle table
    CHECK_EQUAL(0, frames_promised());
    space_use(f.child);
    check_heap(f.child, 100);
    COSTS(-102, CHECK_EQUAL(0, move_heap(f.child, -100 * PAGE)));
    end_family(f);
}

TEST(promises_of_a_whole_shared_table_are_taken_back) {
    machine_start(2000);
    struct addrspace *as = space_make();
    CHECK_EQUAL(0, addrspace_map_zero(as, ZERO, ZERO + LEAF_SPAN, RW, "zero"));
    space_use(as);
    STORE(as, ZERO + PAGE, 1);
    struct addrspace *child = space_fork(as);
    CHECK_EQUAL(511, frames_promised());
    space_use(as);
    CHECK_EQUAL(0, addrspace_unmap(as, ZERO, ZERO + LEAF_SPAN));
    CHECK_EQUAL(0, frames_promised());
    CHECK_EQUAL(1, load_in(child, ZERO + PAGE));
    end_family((struct family){as, child});
}

TEST(granted_heap_can_be_touched_while_its_table_is_shared) {
    struct family f = heap_family();
    struct addrspace *second = space_fork(f.child);
    space_use(f.parent);
    frames_hold(0);
    for (vaddr_t i = 10; i < 100; i++)
        STORE(f.parent, ZERO + i * PAGE, 9);
    frames_release();
    CHECK_EQUAL(0, frames_promised());
    CHECK_SOUND();
    CHECK_EQUAL(0, load_in(second, ZERO + 99 * PAGE));
    space_end(second);
    end_family(f);
}

TEST(heap_grows_in_a_shared_table) {
    struct family f = heap_family();
    space_use(f.child);
    COSTS(0, CHECK_EQUAL(0, move_heap(f.child, 3 * PAGE)));
    CHECK_EQUAL(93, frames_promised());
    frames_hold(0);
    for (vaddr_t i = 100; i < 103; i++)
        STORE(f.child, ZERO + i * PAGE, 9);
    frames_release();
    CHECK_EQUAL(-EFAULT, (space_use(f.parent), hart_store(f.parent, ZERO + 100 * PAGE, 1)));
    CHECK_SOUND();
    end_family(f);
}

// ---- Replacing (MAP_FIXED) ----

// Only the promised frames are left: the first touch of each page must not fail.
static void check_replace(size_t from, size_t pages) {
    machine_start(2 * FRAMES + 1000);
    struct addrspace *as = space_make();
    space_map(as, zero_region(ZERO, 2 * 512, RW));
    space_use(as);
    for (vaddr_t i = 0; i < 2 * 512; i += 73)
        STORE(as, ZERO + i * PAGE, 7);
    struct addrspace *child = space_fork(as);
    struct region r = zero_region(ZERO + from * PAGE, pages, RW);
    r.promised = true;
    space_use(child);
    frames_hold(pages - 1);
    CHECK_EQUAL(-ENOMEM, addrspace_replace(child, &r));
    CHECK_SOUND();
    frames_release();
    frames_hold(pages);
    CHECK_EQUAL(0, addrspace_replace(child, &r));
    frames_hold(0);
    for (vaddr_t i = 0; i < pages; i++)
        STORE(child, r.start + i * PAGE, 8);
    CHECK_EQUAL(0, frames_promised());
    CHECK_SOUND();
    frames_release();
    for (vaddr_t i = 0; i < 2 * 512; i += 73) {
        CHECK_EQUAL(i >= from && i < from + pages ? 8 : 7, load_in(child, ZERO + i * PAGE));
        CHECK_EQUAL(7, load_in(as, ZERO + i * PAGE));
    }
    end_family((struct family){as, child});
}

TEST(replaced_part_of_a_shared_table_can_be_touched) {
    check_replace(70, 10);
}

TEST(replaced_shared_table_can_be_touched) {
    check_replace(0, 512);
}

TEST(replaced_pages_across_shared_tables_can_be_touched) {
    check_replace(500, 524);
}

// With a mapping that gets its tables at the first touch.
TEST(replace_drops_a_whole_shared_table) {
    struct addrspace *as = whole_space(1), *child = space_fork(as);
    space_use(child);
    struct region r = zero_region(ZERO, 512, RW);
    COSTS(-2, CHECK_EQUAL(0, addrspace_replace(child, &r)));
    CHECK_SOUND();
    COSTS(3, CHECK_EQUAL(0, LOAD(child, ZERO)));
    check_intact(as, ZERO);
    end_family((struct family){as, child});
}

// ---- Shared memory in the same leaf table ----

// Private pages at ZERO, shared ones `shift` pages from there, some of both touched.
static struct addrspace *mixed_space(int64_t shift, bool touched) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    space_map(as, zero_region(ZERO + 100 * PAGE, 4, RW));
    struct region r = shared_region(ZERO + (uint64_t)(100 + shift) * PAGE, 4, RW);
    CHECK_EQUAL(0, addrspace_map(as, &r));
    space_use(as);
    STORE(as, ZERO + 100 * PAGE, 1);
    if (touched)
        STORE(as, r.start, 2);
    return as;
}

static void check_mixed(int64_t shift, bool touched) {
    struct addrspace *as = mixed_space(shift, touched), *child = space_fork(as);
    vaddr_t private = ZERO + 100 * PAGE, shared = private + (uint64_t)shift * PAGE;
    CHECK_SOUND();
    struct addrspace *grandchild = space_fork(child);
    CHECK_SOUND();
    frames_hold(3); // for the objects' pages, which are promised, none of these is needed
    store_in(child, shared, 3);
    store_in(grandchild, shared + PAGE, 4);
    store_in(as, shared + 2 * PAGE, 5);
    CHECK_EQUAL(3, frames_free() - frames_promised());
    store_in(child, private, 6);
    store_in(as, private, 7);
    CHECK_SOUND();
    struct addrspace *all[] = {as, child, grandchild};
    static const uint8_t privates[] = {7, 6, 1};
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(privates[i], load_in(all[i], private));
        CHECK_EQUAL(3, load_in(all[i], shared));
        CHECK_EQUAL(4, load_in(all[i], shared + PAGE));
        CHECK_EQUAL(5, load_in(all[i], shared + 2 * PAGE));
        CHECK_EQUAL(RW, mapping_at(all[i], shared).rights);
    }
    frames_release();
    CHECK_SOUND();
    space_end(child);
    end_family((struct family){as, grandchild});
}

TEST(shared_memory_above_private_pages_of_a_table) {
    check_mixed(4, false);
}

TEST(touched_shared_memory_above_private_pages_of_a_table) {
    check_mixed(4, true);
}

TEST(shared_memory_below_private_pages_of_a_table) {
    check_mixed(-4, false);
}

TEST(touched_shared_memory_below_private_pages_of_a_table) {
    check_mixed(-4, true);
}

// The child's tables for it are made before; what the parent has changed stays dirty.
TEST(shared_file_above_private_pages_of_a_table) {
    struct addrspace *as = zero_space(2);
    struct inode *ip = file_make(4 * PAGE);
    space_map(as, shared_file_region(ip, 0, ZERO + 2 * PAGE, 4, RW));
    STORE(as, ZERO, 1);
    struct addrspace *child = space_fork(as);
    STORE(as, ZERO + 2 * PAGE, 2);
    LOAD(as, ZERO + 3 * PAGE);
    struct addrspace *second = space_fork(as);
    CHECK_EQUAL(RW, mapping_at(as, ZERO + 2 * PAGE).rights);
    CHECK_EQUAL(PROT_READ, mapping_at(second, ZERO + 3 * PAGE).rights);
    CHECK_SOUND();
    store_in(second, ZERO + 3 * PAGE, 3);
    CHECK_EQUAL(3, load_in(child, ZERO + 3 * PAGE));
    space_end(second);
    CHECK_EQUAL(3, file_saved(ip, PAGE));
    CHECK_EQUAL(2, file_saved(ip, 0));
    end_family((struct family){as, child});
}

// ---- Ends ----

static unsigned numeral(unsigned n, unsigned place) {
    return n >> place & 1;
}

// Parent, child and grandchild write or do not write, and exit in that order.
static void check_generations(const unsigned *order, unsigned writes) {
    struct family f = family(4);
    struct addrspace *all[] = {f.parent, f.child, NULL};
    if (numeral(writes, 0))
        store_in(f.child, ZERO, 50);
    all[2] = space_fork(f.child);
    CHECK_SOUND();
    for (unsigned i = 0; i < 3; i++) {
        if (numeral(writes, 1 + i))
            store_in(all[i], ZERO + PAGE, (uint8_t)(60 + i));
    }
    for (unsigned i = 0; i < 3; i++) {
        struct addrspace *as = all[order[i]];
        uint8_t written = (uint8_t)(60 + order[i]);
        CHECK_EQUAL(numeral(writes, 0) && order[i] > 0 ? 50 : 10, load_in(as, ZERO));
        CHECK_EQUAL(numeral(writes, 1 + order[i]) ? written : 11, load_in(as, ZERO + PAGE));
        CHECK_EQUAL(12, load_in(as, ZERO + 2 * PAGE));
        space_end(as);
        CHECK_SOUND();
    }
    CHECK_ALL_BACK();
}

TEST(every_order_of_exits_frees_everything) {
    static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        for (unsigned writes = 0; writes < 16; writes++)
            IN_PROCESS(check_generations(orders[i], writes));
    }
}

TEST(many_owners_of_a_table_leave_one_by_one) {
    struct addrspace *as = whole_space(1), *children[40];
    size_t before = frames_free();
    for (size_t i = 0; i < ARRAY_SIZE(children); i++)
        children[i] = space_fork(i % 3 == 0 || i < 4 ? as : children[i - 3]);
    CHECK_EQUAL(41, leaf_at(as, ZERO)->count);
    CHECK_EQUAL(before - 40 * FORK_TABLES, frames_free());
    CHECK_SOUND();
    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        if (i % 2 == 0)
            store_in(children[i * 7 % 40], ZERO, 9);
        space_end(children[i * 7 % 40]);
    }
    CHECK_SOUND();
    CHECK_EQUAL(1, leaf_at(as, ZERO)->count);
    CHECK_EQUAL(before, frames_free());
    check_intact(as, ZERO);
    space_end(as);
    CHECK_ALL_BACK();
}

// A vfork child writes in the space that it borrows, and only there.
TEST(vfork_child_writes_to_a_shared_table) {
    struct family f = family(2);
    struct addrspace *borrowed = addrspace_get(f.parent);
    COSTS(0, space_use(borrowed));
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(borrowed, ZERO, 77)));
    hart_leave();
    addrspace_put(borrowed);
    CHECK_EQUAL(77, load_in(f.parent, ZERO));
    CHECK_EQUAL(10, load_in(f.child, ZERO));
    CHECK_SOUND();
    end_family(f);
}

TEST(fork_of_a_borrowed_space_shares_its_tables) {
    struct addrspace *as = whole_space(1), *borrowed = addrspace_get(as), *child;
    COSTS(FORK_TABLES, child = space_fork(borrowed));
    hart_leave();
    addrspace_put(borrowed);
    CHECK_EQUAL(2, leaf_at(as, ZERO)->count);
    check_intact(child, ZERO);
    end_family((struct family){as, child});
}
