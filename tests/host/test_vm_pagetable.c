// Page tables: which tables a mapping costs, what an entry grants, who owns the reference.
#include "vm_help.h"

static struct mapping new_page(unsigned rights) {
    struct mapping m = {.frame = frame_alloc(FRAME_USER), .rights = rights};
    CHECK(m.frame != NULL);
    return m;
}

TEST(empty_table_costs_one_frame) {
    machine_start(FRAMES);
    struct pagetable pt = {0};
    pt_destroy(&pt); // accepts a zeroed one
    COSTS(1, CHECK_EQUAL(0, pt_init(&pt)));
    struct mapping m;
    vaddr_t va = 0;
    CHECK(!pt_lookup(&pt, 0, &m) && !pt_lookup(&pt, USER_END - PAGE, &m) &&
          !pt_next(&pt, &va, USER_END, &m));
    CHECK_EQUAL(0, pt_count(&pt, 0, USER_END));
    COSTS(0, pt_unmap(&pt, 0, USER_END));
    COSTS(-1, pt_destroy(&pt));
    CHECK(pt.root == NULL);
    frames_hold(0);
    CHECK_EQUAL(-ENOMEM, pt_init(&pt));
}

TEST(mapping_allocates_only_missing_tables) {
    static const struct {
        vaddr_t va;
        int tables;
    } steps[] = {{0, 2},
                 {PAGE, 0},
                 {LEAF_SPAN - PAGE, 0},
                 {LEAF_SPAN, 1},
                 {MIDDLE_SPAN - PAGE, 1},
                 {MIDDLE_SPAN, 2},
                 {USER_END - PAGE, 2},
                 {USER_END - LEAF_SPAN, 0}};
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct mapping m = new_page(RW), seen;
        COSTS(steps[i].tables, CHECK_EQUAL(0, pt_map(&pt, steps[i].va, m)));
        CHECK(pt_lookup(&pt, steps[i].va, &seen) && seen.frame == m.frame && seen.rights == RW);
        CHECK_EQUAL(1, m.frame->count);
    }
    vaddr_t va = 0;
    struct mapping m;
    for (size_t i = 0; i < 6; i++, va += PAGE)
        CHECK(pt_next(&pt, &va, USER_END, &m) && va == steps[i].va);
    CHECK(pt_next(&pt, &va, USER_END, &m) && va == USER_END - LEAF_SPAN);
    va += PAGE;
    CHECK(!pt_next(&pt, &va, USER_END - PAGE, &m));
    CHECK(pt_next(&pt, &va, USER_END, &m) && va == USER_END - PAGE);
    CHECK_PANICS(pt_map(&pt, 0, m));        // something is mapped there
    CHECK_PANICS(pt_map(&pt, PAGE + 1, m)); // no page begins there
    CHECK_EQUAL(8, pt_count(&pt, 0, USER_END));
    CHECK_EQUAL(2, pt_count(&pt, PAGE, LEAF_SPAN));
    COSTS(-2, pt_unmap(&pt, PAGE, LEAF_SPAN));
    CHECK_EQUAL(6, pt_count(&pt, 0, USER_END));
    COSTS(-6, pt_unmap(&pt, 0, USER_END));
    CHECK_EQUAL(0, pt_count(&pt, 0, USER_END));
    pt_destroy(&pt);
    CHECK_ALL_BACK();
}

TEST(rights_survive_encoding) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    struct mapping m = new_page(PROT_READ);
    CHECK_EQUAL(0, pt_map(&pt, ZERO, m));
    for (unsigned rights = 1; rights < 16; rights++) {
        if (rights == ENTRY_COW)
            continue; // without R, W and X it would point to a table
        pt_protect(&pt, ZERO, rights);
        CHECK(pt_lookup(&pt, ZERO, &m));
        unsigned needed = rights & PROT_WRITE ? PROT_READ : 0; // W without R is reserved
        CHECK_EQUAL(rights | needed, m.rights);
    }
    CHECK_EQUAL(1, m.frame->count);
}

TEST(failed_map_keeps_the_callers_reference) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    struct mapping m = new_page(RW);
    for (size_t left = 0; left < 2; left++) {
        frames_hold(left);
        CHECK_EQUAL(-ENOMEM, pt_map(&pt, ZERO, m));
        CHECK_EQUAL(1, m.frame->count);
        CHECK_EQUAL(left, frames_free());
        frames_release();
    }
    frames_hold(2);
    CHECK_EQUAL(0, pt_map(&pt, ZERO, m));
    frames_release();
    pt_unmap(&pt, ZERO, ZERO + PAGE);
    pt_destroy(&pt);
    CHECK_ALL_BACK();
}

TEST(replace_drops_the_old_frame) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    struct mapping before = new_page(RW), after = new_page(PROT_READ), seen;
    CHECK_EQUAL(0, pt_map(&pt, ZERO, before));
    COSTS(-1, pt_replace(&pt, ZERO, after));
    CHECK(pt_lookup(&pt, ZERO, &seen));
    CHECK(seen.frame == after.frame && seen.rights == PROT_READ);
    CHECK_EQUAL(1, after.frame->count);
    CHECK_PANICS(pt_replace(&pt, ZERO + 8, after)); // within the page
    CHECK_PANICS(pt_replace(&pt, ZERO + PAGE, after));
    CHECK_PANICS(pt_protect(&pt, ZERO + PAGE, RW));
}

TEST(prepared_ranges_need_no_more_tables) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    COSTS(5, CHECK_EQUAL(0, pt_prepare(&pt, MIDDLE_SPAN - PAGE, MIDDLE_SPAN + LEAF_SPAN + PAGE)));
    COSTS(0, CHECK_EQUAL(0, pt_prepare(&pt, MIDDLE_SPAN, MIDDLE_SPAN + 2 * LEAF_SPAN)));
    struct mapping m = new_page(RW);
    COSTS(0, CHECK_EQUAL(0, pt_map(&pt, MIDDLE_SPAN + LEAF_SPAN, m)));
    pt_unmap(&pt, 0, USER_END);
    CHECK_PANICS(pt_free_tables(&pt, MIDDLE_SPAN + PAGE, MIDDLE_SPAN + LEAF_SPAN)); // part of one
    CHECK_PANICS(pt_free_tables(&pt, MIDDLE_SPAN, MIDDLE_SPAN + LEAF_SPAN + PAGE));
    COSTS(-1, pt_free_tables(&pt, MIDDLE_SPAN, MIDDLE_SPAN + LEAF_SPAN));
    COSTS(-2, pt_free_tables(&pt, MIDDLE_SPAN, 2 * MIDDLE_SPAN));
    COSTS(-3, pt_destroy(&pt));
}
