// Page tables, regions, the heap, faults, copy-on-write, user memory and the checker, to the frame.
#include "small_machine.h"

#include <string.h>

#include "sched/stop.h"

enum { FRAMES = 400, RW = PROT_READ | PROT_WRITE, RX = PROT_READ | PROT_EXEC, PAGE = PAGE_SIZE };

#define LEAF_SPAN (512ul * PAGE_SIZE)
#define MIDDLE_SPAN (512 * LEAF_SPAN)
#define TEXT 0x10000ul
#define DATA 0x20000ul
#define ZERO 0x40000000ul

// Runs `statement` and fails unless it takes that many frames from the free ones.
#define COSTS(frames, statement) \
    do { \
        size_t before_ = frames_free(); \
        statement; \
        CHECK_EQUAL(frames, (long)(before_ - frames_free())); \
    } while (0)

// Runs `statement` and fails unless it makes exactly one fault, of that kind.
#define FAULTS(kind, statement) \
    do { \
        uint64_t before_ = all_faults(), of_kind_ = faults(kind); \
        statement; \
        CHECK_EQUAL(1, all_faults() - before_); \
        CHECK_EQUAL(1, faults(kind) - of_kind_); \
    } while (0)

static uint64_t all_faults(void) {
    uint64_t sum = 0;
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        sum += faults(kind);
    return sum;
}

// A space in use with one region of zeroes.
static struct addrspace *zero_space(size_t page_count) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    space_map(as, zero_region(ZERO, page_count, RW));
    space_use(as);
    return as;
}

// ---- Page table ----

static struct mapping new_page(unsigned rights) {
    struct mapping m = {frame_alloc(FRAME_USER), rights};
    CHECK(m.frame != NULL);
    return m;
}

static uint64_t pages_resident(const struct addrspace *as) {
    uint64_t resident, covered;
    pagemap_measure(as, &resident, &covered);
    return resident;
}

static uint64_t pages_covered(const struct addrspace *as) {
    uint64_t resident, covered;
    pagemap_measure(as, &resident, &covered);
    return covered;
}

TEST(an_empty_table_costs_one_frame) {
    machine_start(FRAMES);
    struct pagetable pt = {0};
    pt_destroy(&pt); // accepts a zeroed one
    COSTS(1, CHECK_EQUAL(0, pt_init(&pt)));
    struct mapping m;
    vaddr_t va = 0;
    CHECK(!pt_lookup(&pt, 0, &m) && !pt_lookup(&pt, USER_END - PAGE, &m) &&
          !pt_next(&pt, &va, USER_END, &m));
    CHECK_EQUAL(0, pt_unmap(&pt, 0, USER_END));
    COSTS(-1, pt_destroy(&pt));
    CHECK(pt.root == NULL);
    frames_hold(0);
    CHECK_EQUAL(-ENOMEM, pt_init(&pt));
}

TEST(mapping_costs_the_tables_that_are_missing) {
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
    CHECK_EQUAL(2, pt_unmap(&pt, PAGE, LEAF_SPAN));
    CHECK_EQUAL(6, pt_unmap(&pt, 0, USER_END));
    pt_destroy(&pt);
    CHECK_ALL_BACK();
}

TEST(rights_survive_the_entry) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    struct mapping m = new_page(PROT_READ);
    CHECK_EQUAL(0, pt_map(&pt, ZERO, m));
    for (unsigned rights = 1; rights < 16; rights++) {
        if (rights == ENTRY_COW)
            continue; // an entry without rights is none
        pt_protect(&pt, ZERO, rights);
        unsigned wanted =
            rights & PROT_WRITE ? rights | PROT_READ : rights; // writing alone is reserved
        CHECK(pt_lookup(&pt, ZERO, &m));
        CHECK_EQUAL(wanted, m.rights);
    }
    CHECK_EQUAL(1, m.frame->count);
}

TEST(mapping_without_memory_keeps_the_callers_reference) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    struct mapping m = new_page(RW);
    for (size_t left = 0; left < 2; left++) {
        frames_hold(left);
        CHECK_EQUAL(-ENOMEM, pt_map(&pt, ZERO, m));
        CHECK_EQUAL(1, m.frame->count);
        frames_release();
        pt_free_tables(&pt, 0, USER_END);
    }
    frames_hold(2);
    CHECK_EQUAL(0, pt_map(&pt, ZERO, m));
    frames_release();
    pt_unmap(&pt, ZERO, ZERO + PAGE);
    pt_destroy(&pt);
    CHECK_ALL_BACK();
}

TEST(replacing_drops_the_old_frame) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    struct mapping old = new_page(RW), new = new_page(PROT_READ);
    CHECK_EQUAL(0, pt_map(&pt, ZERO, old));
    COSTS(-1, pt_replace(&pt, ZERO, new));
    CHECK(pt_lookup(&pt, ZERO, &old) &&
          old.frame == new.frame &&old.rights == PROT_READ &&new.frame->count == 1);
    CHECK_PANICS(pt_replace(&pt, ZERO + 8, new)); // within the page
    CHECK_PANICS(pt_replace(&pt, ZERO + PAGE, new));
    CHECK_PANICS(pt_protect(&pt, ZERO + PAGE, RW));
}

TEST(prepared_pages_need_no_tables) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    COSTS(5, CHECK_EQUAL(0, pt_prepare(&pt, MIDDLE_SPAN - PAGE, MIDDLE_SPAN + LEAF_SPAN + PAGE)));
    COSTS(0, CHECK_EQUAL(0, pt_prepare(&pt, MIDDLE_SPAN, MIDDLE_SPAN + 2 * LEAF_SPAN)));
    struct mapping m = new_page(RW);
    COSTS(0, CHECK_EQUAL(0, pt_map(&pt, MIDDLE_SPAN + LEAF_SPAN, m)));
    pt_unmap(&pt, 0, USER_END);
    // Only tables that lie wholly inside go.
    COSTS(0, pt_free_tables(&pt, MIDDLE_SPAN + PAGE, MIDDLE_SPAN + LEAF_SPAN));
    COSTS(-1, pt_free_tables(&pt, MIDDLE_SPAN, MIDDLE_SPAN + LEAF_SPAN + PAGE));
    COSTS(-2, pt_free_tables(&pt, MIDDLE_SPAN, 2 * MIDDLE_SPAN));
    COSTS(-3, pt_destroy(&pt));
}

// ---- Regions ----

TEST(regions_stay_sorted_and_apart) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    space_map(as, zero_region(20 * PAGE, 4, RW));
    space_map(as, zero_region(10 * PAGE, 4, PROT_READ));
    space_map(as, zero_region(14 * PAGE, 6, RX));
    static const struct {
        vaddr_t start;
        size_t pages;
    } wrong[] = {{20, 1},
                 {23, 1},
                 {23, 2},
                 {9, 2},
                 {9, 20},
                 {0, 11},
                 {13, 2},
                 {12, 1},
                 {30, 0},
                 {USER_END / PAGE, 1},
                 {USER_END / PAGE - 1, 2}};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct region r = zero_region(wrong[i].start * PAGE, wrong[i].pages, RW);
        CHECK_EQUAL(-EINVAL, addrspace_map(as, &r));
        CHECK_EQUAL(3, as->region_count);
    }
    struct region backwards = zero_region(30 * PAGE, 1, RW);
    backwards.end = 29 * PAGE;
    CHECK_EQUAL(-EINVAL, addrspace_map(as, &backwards));
    CHECK(addrspace_find(as, 10 * PAGE - 1) == NULL && addrspace_find(as, 24 * PAGE) == NULL);
    CHECK(addrspace_find(as, 0) == NULL && addrspace_find(as, ~0ul) == NULL);
    CHECK_EQUAL(PROT_READ, addrspace_find(as, 14 * PAGE - 1)->protection);
    CHECK_EQUAL(RX, addrspace_find(as, 14 * PAGE)->protection);
    CHECK_EQUAL(RW, addrspace_find(as, 24 * PAGE - 1)->protection);
    CHECK_EQUAL(14, pages_covered(as));
    space_map(as, zero_region(USER_END - PAGE, 1, RW));
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(only_regions_of_one_kind_merge) {
    machine_start(FRAMES);
    struct inode *ip = file_make(10 * PAGE);
    struct addrspace *as = space_make();
    space_map(as, zero_region(10 * PAGE, 1, RW));
    space_map(as, zero_region(11 * PAGE, 1, RW));
    CHECK_EQUAL(1, as->region_count);
    space_map(as, zero_region(12 * PAGE, 1, PROT_READ));
    struct region r = zero_region(13 * PAGE, 1, PROT_READ);
    r.name = "other";
    space_map(as, r);
    space_map(as, file_region(ip, 0, 14 * PAGE, PAGE, PROT_READ));
    space_map(as, file_region(ip, PAGE, 15 * PAGE, PAGE, PROT_READ));
    CHECK_EQUAL(5, as->region_count);
    CHECK_EQUAL(3, ip->references);
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

static struct addrspace *full_space(struct inode *ip) {
    struct addrspace *as = space_make();
    for (unsigned i = 0; i < REGIONS_MAX; i++)
        space_map(as, file_region(ip, 0, (10 + 4 * i) * PAGE, 3 * PAGE, PROT_READ));
    return as;
}

TEST(too_many_regions_change_nothing) {
    machine_start(FRAMES);
    struct inode *ip = file_make(3 * PAGE);
    struct addrspace *as = full_space(ip);
    space_use(as);
    for (unsigned i = 0; i < 3; i++)
        LOAD(as, (10 + i) * PAGE);
    struct region r = zero_region(0, 1, RW);
    CHECK_EQUAL(-ENOMEM, addrspace_map(as, &r));
    CHECK_EQUAL(-ENOMEM, addrspace_unmap(as, 11 * PAGE, 12 * PAGE)); // would split one
    CHECK_EQUAL(3, pages_resident(as));
    CHECK_EQUAL(REGIONS_MAX * 3, pages_covered(as));
    CHECK_EQUAL(1 + REGIONS_MAX, ip->references);
    CHECK_SOUND();
    CHECK_EQUAL(0, addrspace_unmap(as, 11 * PAGE, 15 * PAGE)); // two tails
    CHECK_EQUAL(0, addrspace_unmap(as, 15 * PAGE, 17 * PAGE)); // the rest of the second
    CHECK_EQUAL(REGIONS_MAX - 1, as->region_count);
    CHECK_EQUAL(0, addrspace_unmap(as, 23 * PAGE, 24 * PAGE)); // now there is room to split
    CHECK_EQUAL(1 + REGIONS_MAX, ip->references);
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(unmapping_cuts_exactly) {
    struct addrspace *as = zero_space(8);
    for (vaddr_t i = 0; i < 8; i++)
        STORE(as, ZERO + i * PAGE, (uint8_t)i);
    COSTS(-1, CHECK_EQUAL(0, addrspace_unmap(as, ZERO, ZERO + PAGE)));                 // head
    COSTS(-1, CHECK_EQUAL(0, addrspace_unmap(as, ZERO + 7 * PAGE, ZERO + 20 * PAGE))); // tail
    COSTS(-2, CHECK_EQUAL(0, addrspace_unmap(as, ZERO + 3 * PAGE, ZERO + 5 * PAGE)));  // middle
    COSTS(0, CHECK_EQUAL(0, addrspace_unmap(as, ZERO + 3 * PAGE, ZERO + 5 * PAGE)));   // nothing
    CHECK_EQUAL(2, as->region_count);
    CHECK_SOUND();
    uint8_t byte;
    static const bool there[8] = {false, true, true, false, false, true, true, false};
    for (vaddr_t i = 0; i < 8; i++) {
        CHECK_EQUAL(there[i] ? 0 : -EFAULT, hart_load(as, ZERO + i * PAGE, &byte));
        CHECK(!there[i] || byte == i);
    }
    COSTS(-6, CHECK_EQUAL(0, addrspace_unmap(as, 0, USER_END))); // four pages, two tables
    CHECK_EQUAL(0, as->region_count);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(unmapping_keeps_tables_that_serve_neighbours) {
    struct addrspace *as = zero_space(1);
    space_map(as, zero_region(ZERO + LEAF_SPAN - PAGE, 2, PROT_READ)); // across two leaf tables
    LOAD(as, ZERO);
    LOAD(as, ZERO + LEAF_SPAN - PAGE);
    COSTS(2, LOAD(as, ZERO + LEAF_SPAN));
    COSTS(-1, addrspace_unmap(as, ZERO, ZERO + PAGE)); // its table serves the second region
    COSTS(-2, addrspace_unmap(as, ZERO + LEAF_SPAN, ZERO + 2 * LEAF_SPAN));
    CHECK_SOUND();
    COSTS(-3, addrspace_unmap(as, ZERO + LEAF_SPAN - PAGE, ZERO + LEAF_SPAN));
    COSTS(-1, space_end(as));
    CHECK_ALL_BACK();
}

// ---- Heap ----

static struct addrspace *heap_space(vaddr_t heap_end) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    as->heap_end = heap_end;
    space_use(as);
    return as;
}

static int move_heap(struct addrspace *as, int64_t delta) {
    vaddr_t old_end = 1, before = as->heap_end;
    int error = heap_move_end(as, delta, &old_end);
    CHECK_EQUAL(error ? 1 : before, old_end);
    CHECK_EQUAL(error ? before : before + (uint64_t)delta, as->heap_end);
    CHECK_SOUND();
    return error;
}

TEST(the_heap_is_promised_when_granted_and_paid_when_touched) {
    struct addrspace *as = heap_space(ZERO);
    COSTS(2, CHECK_EQUAL(0, move_heap(as, 10 * PAGE))); // its tables
    CHECK_EQUAL(10, frames_promised());
    COSTS(1, STORE(as, ZERO + 3 * PAGE, 1));
    CHECK_EQUAL(9, frames_promised());
    frames_hold(0);
    for (vaddr_t i = 0; i < 10; i++)
        STORE(as, ZERO + i * PAGE, 7); // what was granted is there
    CHECK_EQUAL(0, frames_promised());
    frames_release();
    COSTS(-4, CHECK_EQUAL(0, move_heap(as, -4 * PAGE)));
    COSTS(-8, CHECK_EQUAL(0, move_heap(as, -6 * PAGE))); // with the tables
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(the_heap_may_begin_inside_a_page) {
    struct addrspace *as = heap_space(ZERO + 100);
    CHECK_EQUAL(0, move_heap(as, 0));
    CHECK_EQUAL(0, move_heap(as, PAGE - 100)); // the page is there already
    CHECK_EQUAL(0, as->region_count);
    CHECK_EQUAL(0, move_heap(as, 1));
    CHECK(addrspace_find(as, ZERO) == NULL && addrspace_find(as, ZERO + PAGE) != NULL);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(the_heap_grows_page_by_page) {
    struct addrspace *as = heap_space(ZERO);
    CHECK_EQUAL(0, move_heap(as, 1));
    CHECK_EQUAL(1, pages_covered(as));
    CHECK_EQUAL(0, move_heap(as, PAGE - 1));
    CHECK_EQUAL(1, pages_covered(as));
    CHECK_EQUAL(0, move_heap(as, 1));
    CHECK_EQUAL(2, pages_covered(as));
    CHECK_EQUAL(1, as->region_count); // merged
    STORE(as, ZERO + PAGE, 9);
    CHECK_EQUAL(0, move_heap(as, -1));
    CHECK_EQUAL(0, pages_resident(as));
    CHECK_EQUAL(-EFAULT, hart_store(as, ZERO + PAGE, 9));
    CHECK_EQUAL(0, move_heap(as, 5));
    CHECK_EQUAL(0, LOAD(as, ZERO + PAGE)); // new memory is zero
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(the_heap_refuses_what_cannot_be) {
    struct addrspace *as = heap_space(ZERO);
    CHECK_EQUAL(-EINVAL, move_heap(as, -(int64_t)ZERO - 1));
    CHECK_EQUAL(-EINVAL, move_heap(as, INT64_MIN));
    CHECK_EQUAL(-ENOMEM, move_heap(as, INT64_MAX));
    CHECK_EQUAL(-ENOMEM, move_heap(as, (int64_t)(USER_END - ZERO) + 1));
    CHECK_EQUAL(-ENOMEM, move_heap(as, FRAMES * PAGE)); // the root and tables take some
    COSTS(2, CHECK_EQUAL(0, move_heap(as, (FRAMES - 3) * PAGE)));
    CHECK_EQUAL(-ENOMEM, move_heap(as, 1));
    COSTS(-2, CHECK_EQUAL(0, move_heap(as, -(FRAMES - 3) * PAGE)));
    space_map(as, zero_region(ZERO + 2 * PAGE, 1, RW));
    CHECK_EQUAL(-ENOMEM, move_heap(as, 3 * PAGE)); // something is in the way
    CHECK_EQUAL(0, move_heap(as, 2 * PAGE));
    CHECK_EQUAL(2, frames_promised());
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(the_heap_grows_wholly_or_not_at_all) {
    struct addrspace *as = heap_space(ZERO + LEAF_SPAN - 2 * PAGE);
    for (size_t left = 0;; left++) {
        frames_hold(left);
        int error = move_heap(as, 4 * PAGE); // across two leaf tables: seven frames
        CHECK_EQUAL(left < 7 ? -ENOMEM : 0, error);
        CHECK_EQUAL(error ? left : left - 3, frames_free());
        CHECK_EQUAL(error ? 0 : 4, frames_promised());
        frames_release();
        if (error == 0)
            break;
    }
    space_end(as);
    CHECK_ALL_BACK();
}

// ---- Faults ----

TEST(zeroes_come_on_first_touch) {
    struct addrspace *as = zero_space(4);
    COSTS(3, FAULTS(FAULT_ZERO_FILL, CHECK_EQUAL(0, LOAD(as, ZERO + PAGE + 5)))); // with two tables
    COSTS(1, FAULTS(FAULT_ZERO_FILL, STORE(as, ZERO + 2 * PAGE, 3)));
    for (vaddr_t i = 0; i < PAGE; i++)
        CHECK_EQUAL(i == 0 ? 3 : 0, LOAD(as, ZERO + 2 * PAGE + i));
    STORE(as, ZERO + PAGE, 1); // alone: writable at once
    CHECK_EQUAL(2, all_faults());
    CHECK_EQUAL(2, pages_resident(as));
    CHECK_EQUAL(RW, mapping_at(as, ZERO + PAGE).rights);
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(what_no_region_allows_is_refused) {
    struct addrspace *as = zero_space(1);
    struct inode *ip = file_make(PAGE);
    uint8_t byte;
    space_map(as, file_region(ip, 0, TEXT, PAGE, RX));
    space_map(as, zero_region(DATA, 1, PROT_READ));
    space_map(as, zero_region(DATA + PAGE, 1, PROT_NONE));
    space_map(as, zero_region(DATA + 2 * PAGE, 1, PROT_EXEC));
    for (int touched = 0; touched < 2; touched++) {
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_store(as, TEXT, 1)));
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_store(as, DATA, 1)));
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_fetch(as, DATA)));
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_fetch(as, ZERO)));
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_load(as, DATA + PAGE, &byte)));
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_load(as, DATA + 2 * PAGE, &byte)));
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_load(as, ZERO - 1, &byte)));
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_load(as, ZERO + PAGE, &byte)));
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_load(as, USER_END, &byte)));
        FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_load(as, ~0ul, &byte)));
        CHECK_EQUAL(touched ? 4 : 0, pages_resident(as));
        LOAD(as, TEXT);
        LOAD(as, DATA);
        LOAD(as, ZERO);
        CHECK_EQUAL(0, hart_fetch(as, DATA + 2 * PAGE));
        CHECK_SOUND();
    }
    CHECK_EQUAL(RX, mapping_at(as, TEXT).rights);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(text_is_one_frame_for_all_who_run_it) {
    machine_start(FRAMES);
    struct inode *ip = file_make(3 * PAGE);
    struct addrspace *a = space_make(), *b = space_make();
    space_map(a, file_region(ip, 0, TEXT, 3 * PAGE, RX));
    space_map(b, file_region(ip, 0, 5 * TEXT, 3 * PAGE, RX));
    space_use(a);
    COSTS(2, FAULTS(FAULT_FILE, CHECK_EQUAL(0, hart_fetch(a, TEXT + PAGE)))); // its tables
    CHECK_EQUAL(1, hart_instruction_flushes);
    space_use(b);
    COSTS(2, FAULTS(FAULT_FILE, CHECK_EQUAL(file_byte(PAGE + 8), LOAD(b, 5 * TEXT + PAGE + 8))));
    struct mapping m = mapping_at(a, TEXT + PAGE);
    CHECK(m.frame == file_frame(ip, 1) && mapping_at(b, 5 * TEXT + PAGE).frame == m.frame);
    CHECK_EQUAL(3, m.frame->count);
    CHECK_EQUAL(RX, m.rights);
    CHECK_SOUND();
    space_end(a);
    CHECK_EQUAL(2, m.frame->count);
    space_end(b);
    CHECK_ALL_BACK();
}

TEST(data_is_copied_from_the_cache_when_written) {
    machine_start(FRAMES);
    struct inode *ip = file_make(4 * PAGE);
    struct addrspace *as = space_make();
    space_map(as, file_region(ip, PAGE, DATA, 2 * PAGE, RW));
    space_use(as);
    COSTS(2, CHECK_EQUAL(file_byte(PAGE), LOAD(as, DATA)));
    CHECK_EQUAL(PROT_READ | ENTRY_COW, mapping_at(as, DATA).rights);
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(as, DATA + 10, 99)));
    CHECK_EQUAL(RW, mapping_at(as, DATA).rights);
    COSTS(1, STORE(as, DATA + PAGE, 98)); // touched by the write first: both faults in one
    CHECK_EQUAL(2, faults(FAULT_FILE));
    CHECK_EQUAL(2, faults(FAULT_COW_COPY));
    for (vaddr_t i = 0; i < 2 * PAGE; i++) {
        uint8_t wanted = i == 10 ? 99 : i == PAGE ? 98 : file_byte(PAGE + i);
        CHECK_EQUAL(wanted, LOAD(as, DATA + i));
        CHECK_EQUAL(file_byte(PAGE + i),
                    *((uint8_t *)frame_ptr(file_frame(ip, 1 + i / PAGE)) + i % PAGE));
    }
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(the_kernel_writes_to_a_copy_of_the_cache) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *as = space_make();
    space_map(as, file_region(ip, PAGE, DATA, PAGE, RW));
    space_use(as);
    CHECK_EQUAL(0, user_copy_out(as, DATA + 10, "c", 1)); // touched by this write first
    CHECK_EQUAL(1, faults(FAULT_FILE));
    CHECK_EQUAL(1, faults(FAULT_COW_COPY));
    CHECK_EQUAL('c', LOAD(as, DATA + 10));
    CHECK_EQUAL(file_byte(PAGE + 10), *((uint8_t *)frame_ptr(file_frame(ip, 1)) + 10));
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

// Checks each byte of a mapped piece of a file, and zeroes behind it.
static void check_file_piece(uint64_t offset, vaddr_t start, size_t bytes, size_t file_bytes) {
    machine_start(FRAMES);
    struct inode *ip = file_make(file_bytes);
    struct addrspace *as = space_make();
    struct region r = file_region(ip, offset, start, bytes, RW);
    r.start = round_down(start, PAGE);
    space_map(as, r);
    space_use(as);
    for (vaddr_t va = start; va < r.end; va++)
        CHECK_EQUAL(va < start + bytes ? file_byte(offset + va - start) : 0, LOAD(as, va));
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(file_pieces_end_in_zeroes) {
    check_file_piece(0, DATA, 1, 3 * PAGE);
}

TEST(file_pieces_may_begin_inside_a_page) {
    check_file_piece(PAGE + 100, DATA + 100, PAGE + 50, 3 * PAGE);
}

TEST(file_pieces_may_lie_anywhere_in_the_file) {
    check_file_piece(0xb0, DATA, 2 * PAGE + 9, 3 * PAGE);
}

TEST(a_partial_page_belongs_to_its_process_at_once) {
    machine_start(FRAMES);
    struct inode *ip = file_make(PAGE);
    struct addrspace *as = space_make();
    space_map(as, file_region(ip, 0, DATA, 100, RW));
    space_use(as);
    COSTS(3, FAULTS(FAULT_FILE, STORE(as, DATA, 1)));
    CHECK(mapping_at(as, DATA).rights == RW && file_frame(ip, 0) == NULL);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(file_errors_cost_nothing) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *as = space_make();
    uint8_t byte;
    space_map(as, file_region(ip, 0, DATA, PAGE + 10, RW));
    space_use(as);
    for (vaddr_t va = DATA; va <= DATA + PAGE; va += PAGE) {
        file_error = -EIO;
        COSTS(0, CHECK_EQUAL(-EIO, hart_load(as, va, &byte)));
        COSTS(0, CHECK_EQUAL(-EIO, hart_store(as, va, 1)));
        file_error = 0;
        CHECK_SOUND();
    }
    CHECK_EQUAL(0, all_faults());
    file_cut(ip, PAGE + 5); // the second page ends too early now
    COSTS(0, FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_load(as, DATA + PAGE, &byte))));
    file_cut(ip, 0);
    COSTS(0, FAULTS(FAULT_REFUSED, CHECK_EQUAL(-EFAULT, hart_load(as, DATA, &byte))));
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(a_full_cache_is_copied_from) {
    machine_start(FRAMES);
    struct inode *ip = file_make(4 * PAGE);
    struct addrspace *as = space_make();
    space_map(as, file_region(ip, 0, TEXT, 4 * PAGE, RX));
    space_use(as);
    file_mapped_max = 2;
    LOAD(as, TEXT);
    COSTS(0, LOAD(as, TEXT + PAGE));
    COSTS(1, FAULTS(FAULT_FILE, CHECK_EQUAL(file_byte(2 * PAGE), LOAD(as, TEXT + 2 * PAGE))));
    CHECK(mapping_at(as, TEXT + 2 * PAGE).frame != file_frame(ip, 2));
    CHECK_EQUAL(RX, mapping_at(as, TEXT + 2 * PAGE).rights);
    frames_hold(0);
    uint8_t byte;
    FAULTS(FAULT_NO_MEMORY, CHECK_EQUAL(-ENOMEM, hart_load(as, TEXT + 3 * PAGE, &byte)));
    frames_release();
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(page_in_without_memory_changes_nothing) {
    struct addrspace *as = zero_space(1);
    for (size_t left = 0; left < 3; left++) { // the page and two tables
        frames_hold(left);
        FAULTS(FAULT_NO_MEMORY, CHECK_EQUAL(-ENOMEM, hart_store(as, ZERO, 1)));
        CHECK_EQUAL(left < 2 ? left : 1, frames_free()); // a table may stay
        CHECK_EQUAL(0, pages_resident(as));
        CHECK_SOUND();
        frames_release();
        pt_free_tables(&as->pt, 0, USER_END);
    }
    frames_hold(3);
    STORE(as, ZERO, 1);
    frames_release();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(file_page_in_without_memory_changes_nothing) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *as = space_make();
    space_map(as, file_region(ip, 0, DATA, PAGE + 100, RW));
    space_use(as);
    for (size_t left = 0; left < 3; left++) {
        frames_hold(left);
        CHECK_EQUAL(-ENOMEM, hart_store(as, DATA + PAGE, 1)); // copied: a frame and two tables
        CHECK_EQUAL(left < 2 ? left : 1, frames_free());
        CHECK_SOUND();
        frames_release();
        pt_free_tables(&as->pt, 0, USER_END);
    }
    for (size_t left = 0; left < 3; left++) {
        frames_hold(left);
        CHECK_EQUAL(-ENOMEM, hart_store(as, DATA, 1)); // the cache's: two tables and the copy
        CHECK_EQUAL(left == 2, pages_resident(as));
        CHECK_SOUND();
        frames_release();
        if (left < 2)
            pt_free_tables(&as->pt, 0, USER_END);
    }
    STORE(as, DATA, 1);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(a_fault_that_is_none_is_stale) {
    struct addrspace *as = zero_space(1);
    STORE(as, ZERO, 1);
    COSTS(0, FAULTS(FAULT_STALE, CHECK_EQUAL(0, vm_fault(as, ZERO, ACCESS_WRITE))));
    COSTS(0, FAULTS(FAULT_STALE, CHECK_EQUAL(0, vm_fault(as, ZERO + 77, ACCESS_READ))));
    CHECK_EQUAL(1, LOAD(as, ZERO));
    space_end(as);
    CHECK_ALL_BACK();
}

// ---- Copy-on-write ----

// A parent in use with pages that hold `10 + i`, and its child.
struct family {
    struct addrspace *parent, *child;
};

static struct family family(size_t page_count) {
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

static void end_family(struct family f) {
    space_end(f.child);
    CHECK_SOUND();
    space_end(f.parent);
    CHECK_ALL_BACK();
}

static uint8_t load_in(struct addrspace *as, vaddr_t va) {
    space_use(as);
    return LOAD(as, va);
}

static void store_in(struct addrspace *as, vaddr_t va, uint8_t byte) {
    space_use(as);
    STORE(as, va, byte);
}

static struct frame *frame_at(const struct addrspace *as, vaddr_t va) {
    return mapping_at(as, va).frame;
}

TEST(fork_shares_every_page_and_marks_both_sides) {
    struct family f = family(4);
    for (vaddr_t va = ZERO; va < ZERO + 4 * PAGE; va += PAGE) {
        struct mapping p = mapping_at(f.parent, va), c = mapping_at(f.child, va);
        CHECK(p.frame == c.frame && p.frame->count == 2);
        CHECK_EQUAL(PROT_READ | ENTRY_COW, p.rights);
        CHECK_EQUAL(PROT_READ | ENTRY_COW, c.rights);
    }
    CHECK_EQUAL(f.parent->heap_end, f.child->heap_end);
    CHECK_EQUAL(4, pages_covered(f.child));
    end_family(f);
}

TEST(fork_makes_the_hart_forget_that_it_may_write) {
    struct family f = family(2);
    COSTS(1, FAULTS(FAULT_COW_COPY,
                    STORE(f.parent, ZERO, 99))); // the hart wrote there before the fork
    CHECK_EQUAL(10, load_in(f.child, ZERO));
    end_family(f);
}

TEST(a_write_copies_one_page_and_all_of_it) {
    struct family f = family(3);
    struct frame *old = frame_at(f.parent, ZERO + PAGE);
    space_use(f.child);
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(f.child, ZERO + PAGE + 5, 99)));
    CHECK(frame_at(f.child, ZERO + PAGE) != old && frame_at(f.parent, ZERO + PAGE) == old);
    CHECK_EQUAL(1, old->count);
    CHECK_EQUAL(RW, mapping_at(f.child, ZERO + PAGE).rights);
    CHECK(frame_at(f.child, ZERO) == frame_at(f.parent, ZERO)); // the neighbours stay shared
    CHECK(frame_at(f.child, ZERO + 2 * PAGE) == frame_at(f.parent, ZERO + 2 * PAGE));
    for (vaddr_t i = 0; i < PAGE; i++)
        CHECK_EQUAL(i == 5 ? 99 : i == 0 || i == PAGE - 1 ? 11 : 0, LOAD(f.child, ZERO + PAGE + i));
    CHECK_EQUAL(0, load_in(f.parent, ZERO + PAGE + 5));
    CHECK_SOUND();
    end_family(f);
}

TEST(the_last_owner_writes_in_place) {
    struct family f = family(2);
    struct frame *old = frame_at(f.parent, ZERO);
    store_in(f.child, ZERO, 1);
    space_use(f.parent);
    COSTS(0, FAULTS(FAULT_COW_REUSE, STORE(f.parent, ZERO + 1, 2)));
    CHECK(frame_at(f.parent, ZERO) == old && old->count == 1);
    space_end(f.child);
    COSTS(0, FAULTS(FAULT_COW_REUSE, STORE(f.parent, ZERO + PAGE, 3)));
    CHECK_EQUAL(RW, mapping_at(f.parent, ZERO + PAGE).rights);
    CHECK_EQUAL(10, LOAD(f.parent, ZERO));
    CHECK_SOUND();
    space_end(f.parent);
    CHECK_ALL_BACK();
}

TEST(either_side_may_write_first) {
    struct family f = family(2);
    store_in(f.parent, ZERO, 50);
    store_in(f.child, ZERO, 60);
    store_in(f.child, ZERO + PAGE, 61);
    store_in(f.parent, ZERO + PAGE, 51);
    CHECK_EQUAL(50, load_in(f.parent, ZERO));
    CHECK_EQUAL(60, load_in(f.child, ZERO));
    CHECK_EQUAL(51, load_in(f.parent, ZERO + PAGE));
    CHECK_EQUAL(61, load_in(f.child, ZERO + PAGE));
    CHECK_EQUAL(2, faults(FAULT_COW_COPY));
    CHECK_EQUAL(2, faults(FAULT_COW_REUSE));
    end_family(f);
}

TEST(three_generations_share_one_frame) {
    struct family f = family(2);
    struct addrspace *grandchild = space_fork(f.child);
    struct frame *old = frame_at(f.parent, ZERO);
    CHECK_EQUAL(3, old->count);
    CHECK_EQUAL(PROT_READ | ENTRY_COW, mapping_at(grandchild, ZERO).rights);
    store_in(f.child, ZERO, 60);
    CHECK_EQUAL(2, old->count);
    store_in(grandchild, ZERO, 70);
    CHECK_EQUAL(1, old->count);
    CHECK_SOUND();
    space_end(f.parent); // outlived
    space_end(f.child);
    CHECK_EQUAL(70, load_in(grandchild, ZERO));
    COSTS(0, STORE(grandchild, ZERO + PAGE, 71));
    CHECK_SOUND();
    space_end(grandchild);
    CHECK_ALL_BACK();
}

TEST(fork_again_marks_what_became_writable) {
    struct family f = family(2);
    space_use(f.parent);
    STORE(f.parent, ZERO, 50);
    struct addrspace *second = space_fork(f.parent);
    CHECK_SOUND();
    STORE(f.parent, ZERO, 51);
    CHECK_EQUAL(50, load_in(second, ZERO));
    CHECK_EQUAL(10, load_in(f.child, ZERO));
    CHECK_EQUAL(3, frame_at(second, ZERO + PAGE)->count);
    space_end(second);
    end_family(f);
}

TEST(read_only_pages_stay_read_only) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *parent = space_make();
    space_map(parent, file_region(ip, 0, TEXT, 2 * PAGE, RX));
    space_map(parent, zero_region(ZERO, 1, PROT_READ));
    space_use(parent);
    LOAD(parent, TEXT);
    LOAD(parent, ZERO);
    struct addrspace *child = space_fork(parent), *both[] = {parent, child};
    struct mapping m = mapping_at(parent, ZERO);
    CHECK_SOUND();
    for (int i = 0; i < 2; i++) {
        char byte = 1;
        space_use(both[i]);
        CHECK_EQUAL(RX, mapping_at(both[i], TEXT).rights);
        CHECK_EQUAL(PROT_READ, mapping_at(both[i], ZERO).rights);
        CHECK_EQUAL(-EFAULT, hart_store(both[i], TEXT, 1));
        CHECK_EQUAL(-EFAULT, hart_store(both[i], ZERO, 1));
        CHECK_EQUAL(-EFAULT, user_copy_out(both[i], TEXT, &byte, 1)); // nor through the kernel
        CHECK_EQUAL(-EFAULT, user_copy_out(both[i], ZERO, &byte, 1));
        CHECK_EQUAL(file_byte(0), LOAD(both[i], TEXT));
        CHECK(frame_at(both[i], ZERO) == m.frame && frame_at(both[i], TEXT) == file_frame(ip, 0));
    }
    CHECK_EQUAL(3, ip->references);
    space_end(child);
    space_use(parent);
    CHECK_EQUAL(-EFAULT, hart_store(parent, ZERO, 1)); // nor as the last owner
    space_end(parent);
    CHECK_ALL_BACK();
}

TEST(the_kernel_breaks_sharing_like_a_store) {
    struct family f = family(2);
    void *page;
    space_use(f.child);
    COSTS(0, CHECK_EQUAL(0, user_page(f.child, ZERO + 3, ACCESS_READ, &page)));
    CHECK(page == (char *)frame_ptr(frame_at(f.parent, ZERO)) + 3);
    COSTS(1, FAULTS(FAULT_COW_COPY,
                    CHECK_EQUAL(0, user_page(f.child, ZERO + 3, ACCESS_WRITE, &page))));
    *(char *)page = 44;
    CHECK_EQUAL(44, LOAD(f.child, ZERO + 3));
    COSTS(1, CHECK_EQUAL(0, user_copy_out(f.child, ZERO + PAGE + 7, "written", 7)));
    CHECK_EQUAL('w', LOAD(f.child, ZERO + PAGE + 7));
    CHECK_EQUAL(0, load_in(f.parent, ZERO + 3));
    CHECK_EQUAL(0, load_in(f.parent, ZERO + PAGE + 7));
    end_family(f);
}

TEST(a_write_without_memory_changes_nothing) {
    struct family f = family(2);
    frames_hold(0);
    space_use(f.child);
    FAULTS(FAULT_NO_MEMORY, CHECK_EQUAL(-ENOMEM, hart_store(f.child, ZERO, 1)));
    CHECK_EQUAL(-ENOMEM, user_copy_out(f.child, ZERO, "x", 1));
    CHECK(mapping_at(f.child, ZERO).frame == mapping_at(f.parent, ZERO).frame);
    CHECK_EQUAL(PROT_READ | ENTRY_COW, mapping_at(f.child, ZERO).rights);
    CHECK_EQUAL(10, LOAD(f.child, ZERO));
    CHECK_SOUND();
    frames_release();
    STORE(f.child, ZERO, 1);
    end_family(f);
}

static struct addrspace *other_owner;

static void end_other_owner(void) {
    addrspace_put(other_owner);
}

TEST(another_owner_may_end_while_a_page_is_copied) {
    struct family f = family(1);
    space_use(f.parent);
    other_owner = f.child;
    hart_meanwhile = end_other_owner; // the last but one reference goes while cow_break is at work
    STORE(f.parent, ZERO + 1, 99);
    CHECK(hart_meanwhile == NULL);
    CHECK_EQUAL(10, LOAD(f.parent, ZERO));
    CHECK_EQUAL(99, LOAD(f.parent, ZERO + 1));
    CHECK_EQUAL(10, LOAD(f.parent, ZERO + PAGE - 1));
    CHECK_SOUND();
    space_end(f.parent);
    CHECK_ALL_BACK();
}

TEST(data_of_a_file_is_shared_by_fork_too) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *parent = space_make();
    space_map(parent, file_region(ip, 0, DATA, 2 * PAGE, RW));
    space_use(parent);
    LOAD(parent, DATA);
    STORE(parent, DATA + PAGE, 1);
    struct addrspace *child = space_fork(parent);
    CHECK_SOUND();
    CHECK_EQUAL(3, frame_at(child, DATA)->count); // the cache, parent, child
    CHECK_EQUAL(2, frame_at(child, DATA + PAGE)->count);
    COSTS(1, STORE(parent, DATA, 2));
    store_in(child, DATA + PAGE, 3);
    CHECK_EQUAL(file_byte(0), LOAD(child, DATA));
    CHECK_EQUAL(1, load_in(parent, DATA + PAGE));
    space_end(child);
    space_end(parent);
    CHECK_ALL_BACK();
}

TEST(pages_the_cache_gave_up_belong_to_their_users) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *as = space_make();
    space_map(as, file_region(ip, 0, DATA, 2 * PAGE, RW));
    space_use(as);
    LOAD(as, DATA);
    LOAD(as, DATA + PAGE);
    struct frame *old = frame_at(as, DATA);
    file_forget(ip, 0);
    CHECK_SOUND();
    COSTS(0, FAULTS(FAULT_COW_REUSE, STORE(as, DATA, 1)));
    CHECK(frame_at(as, DATA) == old);
    struct addrspace *child = space_fork(as);
    CHECK_EQUAL(2, old->count);
    COSTS(1, STORE(as, DATA, 2));
    CHECK_EQUAL(1, load_in(child, DATA));
    CHECK_SOUND();
    space_end(child);
    space_end(as);
    CHECK_SOUND();
    CHECK_EQUAL(0, frame_mapped_cache_count());
    CHECK_EQUAL(FRAMES, frames_free()); // the cache has one of ours, we have one of the cache's
}

// A shared object of one page.
static struct frame *object_page;
static int object_references;

static int object_get_page(const struct region *r, vaddr_t va, struct frame **frame) {
    CHECK(r->object == &object_page && va == r->start);
    frame_get(object_page);
    *frame = object_page;
    return 0;
}

static void object_get(void *object) {
    CHECK(object == &object_page);
    object_references++;
}

static void object_put(void *object) {
    CHECK(object == &object_page && object_references > 0);
    object_references--;
}

static const struct backing backing_object = {.name = "object",
                                              .fill_kind = FAULT_SHARED,
                                              .shared = true,
                                              .get_page = object_get_page,
                                              .get = object_get,
                                              .put = object_put};

TEST(shared_pages_stay_one_frame) {
    struct addrspace *as = zero_space(1);
    struct region r = zero_region(DATA, 1, RW);
    r.backing = &backing_object;
    r.object = &object_page;
    object_page = frame_alloc_zeroed(FRAME_CACHE); // counts itself, as a cache's do
    space_map(as, r);
    FAULTS(FAULT_SHARED, STORE(as, DATA, 5));
    CHECK_EQUAL(RW, mapping_at(as, DATA).rights);
    struct addrspace *child = space_fork(as);
    CHECK_EQUAL(2, object_references);
    CHECK_SOUND();
    STORE(as, DATA, 6);
    CHECK_EQUAL(6, load_in(child, DATA));
    STORE(child, DATA, 7);
    CHECK_EQUAL(7, load_in(as, DATA));
    CHECK_EQUAL(RW, mapping_at(child, DATA).rights);
    CHECK_EQUAL(3, object_page->count);
    CHECK_EQUAL(1, all_faults());
    space_end(child);
    space_end(as);
    CHECK_EQUAL(0, object_references);
    frame_put(object_page);
    CHECK_ALL_BACK();
}

// ---- Places and replacing ----

TEST(places_are_the_hint_or_the_highest) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    CHECK_EQUAL(USER_END - 3 * PAGE, mmap_place(as, 0, 3 * PAGE));
    CHECK_EQUAL(ZERO, mmap_place(as, ZERO, 3 * PAGE));
    CHECK_EQUAL(PAGE, mmap_place(as, PAGE, USER_END - PAGE));
    CHECK_EQUAL(0, mmap_place(as, 0, USER_END)); // address 0 is nobody's
    CHECK_EQUAL(0, mmap_place(as, PAGE, USER_END + PAGE));
    space_map(as, zero_region(ZERO, 2, RW));
    space_map(as, zero_region(USER_END - 5 * PAGE, 2, RW)); // above it are 3 pages
    static const struct {
        vaddr_t hint;
        size_t pages;
        vaddr_t place;
    } places[] = {{0, 3, USER_END - 3 * PAGE},
                  {0, 4, USER_END - 9 * PAGE},
                  {ZERO, 1, USER_END - PAGE},
                  {ZERO + PAGE, 4, USER_END - 9 * PAGE},
                  {ZERO - PAGE, 1, ZERO - PAGE},
                  {ZERO - PAGE, 2, USER_END - 2 * PAGE},
                  {ZERO + 2 * PAGE, 9, ZERO + 2 * PAGE},
                  {ZERO + 2 * PAGE + 8, 1, USER_END - PAGE},
                  {USER_END - 3 * PAGE, 3, USER_END - 3 * PAGE},
                  {USER_END - 2 * PAGE, 3, USER_END - 3 * PAGE},
                  {USER_END, 1, USER_END - PAGE},
                  {~0ul - PAGE + 1, 1, USER_END - PAGE},
                  {0, USER_END / PAGE - 7, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        CHECK_EQUAL(places[i].place, mmap_place(as, places[i].hint, places[i].pages * PAGE));
    CHECK_EQUAL(ZERO, addrspace_next(as, 0)->start);
    CHECK_EQUAL(ZERO, addrspace_next(as, ZERO + 2 * PAGE - 1)->start);
    CHECK_EQUAL(USER_END - 5 * PAGE, addrspace_next(as, ZERO + 2 * PAGE)->start);
    CHECK(addrspace_next(as, USER_END - 3 * PAGE) == NULL);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(regions_merge_with_either_neighbour) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    CHECK_EQUAL(0, addrspace_map_zero(as, ZERO + PAGE, ZERO + 2 * PAGE, RW, "zero"));
    CHECK_EQUAL(0, addrspace_map_zero(as, ZERO, ZERO + PAGE, RW, "zero"));
    CHECK_EQUAL(0, addrspace_map_zero(as, ZERO + 2 * PAGE, ZERO + 3 * PAGE, RW, "zero"));
    CHECK_EQUAL(1, as->region_count);
    CHECK_EQUAL(3, frames_promised());
    for (vaddr_t i = 3; i < 5; i++) { // objects of their own
        struct region r = shared_region(ZERO + i * PAGE, 1, RW);
        CHECK_EQUAL(0, addrspace_map(as, &r));
    }
    CHECK_EQUAL(3, as->region_count);
    CHECK_EQUAL(5, frames_promised());
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

// Each way in which a new region can lie over two old ones.
TEST(replacing_takes_what_is_there) {
    struct inode *ip;
    machine_start(FRAMES);
    ip = file_make(12 * PAGE);
    for (vaddr_t from = 0; from < 8; from++) {
        for (vaddr_t end = from + 1; end <= 9; end++) {
            struct addrspace *as = space_make();
            space_map(as, file_region(ip, 0, ZERO + PAGE, 3 * PAGE, RW));
            CHECK_EQUAL(0, addrspace_map_zero(as, ZERO + 5 * PAGE, ZERO + 8 * PAGE, RW, "old"));
            space_use(as);
            for (vaddr_t i = 1; i < 8; i++)
                if (i != 4)
                    STORE(as, ZERO + i * PAGE, 1);
            struct region r = zero_region(ZERO + from * PAGE, end - from, RW);
            r.promised = true;
            CHECK_EQUAL(0, addrspace_replace(as, &r));
            CHECK_SOUND();
            for (vaddr_t i = 0; i < 9; i++) {
                bool is_new = i >= from && i < end, is_old = i >= 1 && i < 8 && i != 4;
                uint8_t byte = 9;
                CHECK_EQUAL(is_new || is_old ? 0 : -EFAULT, hart_load(as, ZERO + i * PAGE, &byte));
                CHECK_EQUAL(is_new ? 0 : is_old ? 1 : 9, byte);
            }
            space_end(as);
            CHECK_ALL_BACK();
        }
    }
}

TEST(replacing_works_or_changes_nothing) {
    struct addrspace *as = zero_space(3);
    for (vaddr_t i = 0; i < 3; i++)
        STORE(as, ZERO + i * PAGE, 7);
    struct region r = zero_region(ZERO + PAGE, 4, RW);
    r.promised = true;
    for (size_t left = 0; left < 4; left++) { // no frame comes free before the promise is made
        frames_hold(left);
        CHECK_EQUAL(-ENOMEM, addrspace_replace(as, &r));
        CHECK_EQUAL(left, frames_free());
        CHECK_EQUAL(0, frames_promised());
        for (vaddr_t i = 0; i < 3; i++)
            CHECK_EQUAL(7, LOAD(as, ZERO + i * PAGE));
        CHECK_SOUND();
        frames_release();
    }
    while (as->region_count < REGIONS_MAX - 1)
        space_map(as, zero_region(DATA + 2 * as->region_count * PAGE, 1, RW));
    CHECK_EQUAL(-ENOMEM, addrspace_replace(as, &r));
    CHECK_EQUAL(7, LOAD(as, ZERO + 2 * PAGE));
    CHECK_EQUAL(0, addrspace_unmap(as, DATA + 2 * PAGE, DATA + 3 * PAGE));
    CHECK_EQUAL(0, addrspace_replace(as, &r));
    CHECK_EQUAL(7, LOAD(as, ZERO));
    CHECK_EQUAL(0, LOAD(as, ZERO + PAGE));
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

// Tables were made for what lies behind the old region when memory runs out.
TEST(replacing_that_fails_leaves_no_tables) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    space_map(as, zero_region(MIDDLE_SPAN - 2 * PAGE, 2, RW));
    space_use(as);
    STORE(as, MIDDLE_SPAN - 2 * PAGE, 7);
    struct region r = zero_region(MIDDLE_SPAN - PAGE, 2, RW); // two promises, two tables
    r.promised = true;
    for (size_t left = 0; left <= 4; left++) {
        frames_hold(left);
        int error = addrspace_replace(as, &r);
        CHECK_EQUAL(left < 4 ? -ENOMEM : 0, error);
        CHECK_EQUAL(error ? left : left - 2, frames_free());
        CHECK_EQUAL(error ? 0 : 2, frames_promised());
        CHECK_SOUND();
        frames_release();
    }
    CHECK_EQUAL(7, LOAD(as, MIDDLE_SPAN - 2 * PAGE));
    space_end(as);
    CHECK_ALL_BACK();
}

// ---- Shared memory ----

enum { OBJECT_TABLES = 3, MAPPING_TABLES = 2 };

// A space in use with so many shared pages at ZERO.
static struct addrspace *sharing_space(size_t page_count) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    struct region r = shared_region(ZERO, page_count, RW);
    CHECK(r.object != NULL);
    CHECK_EQUAL(0, addrspace_map(as, &r)); // with the reference that there is
    space_use(as);
    return as;
}

static unsigned users_of(const struct addrspace *as, vaddr_t va) {
    return ((struct addrspace *)addrspace_find(as, va)->object)->users;
}

TEST(shared_memory_is_one_frame_for_all) {
    struct addrspace *as = sharing_space(4);
    CHECK_EQUAL(4, frames_promised());
    COSTS(1, FAULTS(FAULT_SHARED, STORE(as, ZERO, 1)));
    CHECK_EQUAL(RW, mapping_at(as, ZERO).rights);
    CHECK_EQUAL(2, frame_at(as, ZERO)->count); // this entry and the object's
    CHECK_EQUAL(3, frames_promised());
    struct addrspace *child;
    COSTS(1 + MAPPING_TABLES, child = space_fork(as));
    CHECK_EQUAL(3, frames_promised());
    CHECK_EQUAL(2, users_of(child, ZERO));
    CHECK_SOUND();
    COSTS(1, store_in(child, ZERO + PAGE, 2)); // untouched until now
    COSTS(0, CHECK_EQUAL(2, load_in(as, ZERO + PAGE)));
    COSTS(0, store_in(as, ZERO, 3));
    CHECK_EQUAL(3, load_in(child, ZERO));
    CHECK(frame_at(as, ZERO + PAGE) == frame_at(child, ZERO + PAGE));
    CHECK_EQUAL(3, frame_at(as, ZERO)->count);
    CHECK_EQUAL(RW, mapping_at(child, ZERO).rights);
    CHECK_EQUAL(0, faults(FAULT_COW_COPY) + faults(FAULT_COW_REUSE) + faults(FAULT_ZERO_FILL));
    CHECK_SOUND();
    COSTS(-1 - MAPPING_TABLES, space_end(as)); // the child has it still
    CHECK_EQUAL(3, load_in(child, ZERO));
    CHECK_EQUAL(1, users_of(child, ZERO));
    CHECK_EQUAL(2, frames_promised());
    space_end(child);
    CHECK_ALL_BACK();
}

TEST(pieces_of_shared_memory_keep_their_places) {
    struct addrspace *as = sharing_space(6);
    for (vaddr_t i = 0; i < 6; i++)
        STORE(as, ZERO + i * PAGE, (uint8_t)(10 + i));
    struct addrspace *child = space_fork(as);
    space_use(child);
    COSTS(0, CHECK_EQUAL(0, addrspace_unmap(child, ZERO + 2 * PAGE, ZERO + 4 * PAGE)));
    CHECK_EQUAL(3, users_of(child, ZERO)); // one region here, two there
    CHECK_EQUAL(15, LOAD(child, ZERO + 5 * PAGE));
    CHECK_EQUAL(0, addrspace_unmap(child, ZERO, ZERO + PAGE));
    CHECK_EQUAL(11, LOAD(child, ZERO + PAGE));
    CHECK_EQUAL(0, addrspace_unmap(child, ZERO, ZERO + 6 * PAGE));
    CHECK_EQUAL(1, users_of(as, ZERO));
    CHECK_SOUND();
    space_end(child);
    space_use(as);
    COSTS(-MAPPING_TABLES - OBJECT_TABLES - 6, CHECK_EQUAL(0, addrspace_unmap(as, 0, USER_END)));
    space_end(as);
    CHECK_ALL_BACK();
}

// What was granted is there, the tables for it included, in the child of a fork, too.
TEST(shared_memory_that_was_granted_is_there) {
    struct addrspace *as = sharing_space(4), *child = space_fork(as);
    frames_hold(0);
    store_in(child, ZERO, 1);
    store_in(as, ZERO + PAGE, 2);
    store_in(child, ZERO + 2 * PAGE, 3);
    CHECK_EQUAL(2, load_in(child, ZERO + PAGE));
    CHECK_EQUAL(3, load_in(as, ZERO + 2 * PAGE));
    CHECK_EQUAL(0, load_in(as, ZERO + 3 * PAGE));
    frames_release();
    space_end(child);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(shared_memory_is_made_wholly_or_not_at_all) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    for (size_t left = 0;; left++) {
        frames_hold(left);
        struct region r =
            shared_region(ZERO + LEAF_SPAN - 2 * PAGE, 4, RW); // across two leaf tables
        int error = r.object == NULL ? -ENOMEM : addrspace_map(as, &r);
        if (error && r.object != NULL)
            addrspace_put(r.object);
        CHECK_EQUAL(left < OBJECT_TABLES + 4 + MAPPING_TABLES + 1 ? -ENOMEM : 0, error);
        if (error)
            CHECK_EQUAL(left, frames_free());
        CHECK_EQUAL(error ? 0 : 4, frames_promised());
        CHECK_SOUND();
        frames_release();
        if (error == 0)
            break;
    }
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(shared_objects_run_out_and_come_back) {
    machine_start(2000);
    static struct addrspace *objects[200];
    size_t n = 0;
    while (n < 200 && (objects[n] = addrspace_create_shared(PAGE)) != NULL)
        n++;
    CHECK_EQUAL(128, n);
    CHECK_SOUND();
    struct addrspace *as = space_make(); // these are others
    addrspace_put(objects[--n]);
    CHECK((objects[n++] = addrspace_create_shared(PAGE)) != NULL);
    while (n > 0)
        addrspace_put(objects[--n]);
    space_end(as);
    CHECK_ALL_BACK();
}

// The hart of the first one who has a page must not be needed by the second: neither is active.
TEST(the_kernel_writes_shared_memory_like_a_store) {
    struct addrspace *as = sharing_space(2), *child = space_fork(as);
    space_use(child);
    COSTS(2, CHECK_EQUAL(0, user_copy_out(child, ZERO + PAGE - 3, "across", 7)));
    char text[7];
    space_use(as);
    COSTS(0, CHECK_EQUAL(0, user_copy_in(as, text, ZERO + PAGE - 3, 7)));
    CHECK_STRING("across", text);
    end_family((struct family){as, child});
}

TEST(eager_fork_shares_shared_memory) {
    struct addrspace *as = sharing_space(2);
    space_map(as, zero_region(DATA, 2, RW));
    STORE(as, ZERO, 1);
    STORE(as, DATA, 1);
    struct addrspace *first = space_fork(as); // its page is marked from now on
    addrspace_fork_eagerly();
    struct addrspace *second = space_fork(as);
    CHECK(frame_at(second, ZERO) == frame_at(as, ZERO));
    CHECK(frame_at(second, DATA) != frame_at(as, DATA));
    CHECK_EQUAL(RW, mapping_at(second, DATA).rights);
    CHECK_SOUND();
    store_in(second, ZERO, 5);
    store_in(second, DATA, 5);
    CHECK_EQUAL(5, load_in(first, ZERO));
    CHECK_EQUAL(1, load_in(first, DATA));
    space_end(first);
    space_end(second);
    space_end(as);
    CHECK_ALL_BACK();
}

// ---- Shared mappings of files ----

static struct inode *shared_file;

static struct addrspace *mapping_space(size_t file_bytes, size_t page_count) {
    machine_start(FRAMES);
    shared_file = file_make(file_bytes);
    struct addrspace *as = space_make();
    space_map(as, shared_file_region(shared_file, 0, DATA, page_count, RW));
    space_use(as);
    return as;
}

TEST(stores_to_a_shared_file_are_the_files) {
    struct addrspace *as = mapping_space(3 * PAGE, 4);
    COSTS(0, FAULTS(FAULT_SHARED, CHECK_EQUAL(file_byte(5), LOAD(as, DATA + 5))));
    CHECK_EQUAL(PROT_READ, mapping_at(as, DATA).rights); // so that the first store is noticed
    CHECK(frame_at(as, DATA) == file_frame(shared_file, 0));
    FAULTS(FAULT_SHARED, STORE(as, DATA + 5, 99));
    CHECK_EQUAL(RW, mapping_at(as, DATA).rights);
    CHECK_EQUAL(99, ((uint8_t *)frame_ptr(file_frame(shared_file, 0)))[5]);
    FAULTS(FAULT_SHARED, STORE(as, DATA + PAGE, 98)); // without a load before
    CHECK_EQUAL(RW, mapping_at(as, DATA + PAGE).rights);
    CHECK_EQUAL(-EFAULT, hart_store(as, DATA + 3 * PAGE, 1)); // beyond the end
    CHECK_EQUAL(2, frame_at(as, DATA)->count);
    CHECK_SOUND();
    CHECK_EQUAL(0, file_saves);
    space_end(as);
    CHECK_EQUAL(2, file_saves);
    CHECK_EQUAL(99, file_saved(shared_file, 5));
    CHECK_EQUAL(98, file_saved(shared_file, PAGE));
    CHECK_EQUAL(file_byte(6), file_saved(shared_file, 6));
    CHECK_ALL_BACK();
}

TEST(only_changed_pages_are_written_back) {
    struct addrspace *as = mapping_space(8 * PAGE, 8);
    for (vaddr_t i = 0; i < 6; i++)
        LOAD(as, DATA + i * PAGE);
    for (vaddr_t i = 1; i < 8; i += 2)
        STORE(as, DATA + i * PAGE, (uint8_t)i);
    CHECK_EQUAL(0, addrspace_unmap(as, DATA, DATA + 2 * PAGE));
    CHECK_EQUAL(1, file_saves);
    CHECK_EQUAL(1, file_saved(shared_file, PAGE));
    CHECK_EQUAL(file_byte(3 * PAGE), file_saved(shared_file, 3 * PAGE));
    CHECK_EQUAL(0, addrspace_unmap(as, DATA + 4 * PAGE, DATA + 5 * PAGE)); // it was only read
    CHECK_EQUAL(1, file_saves);
    CHECK_EQUAL(2, shared_file->mappings);
    struct region r = zero_region(DATA + 3 * PAGE, 1, RW);
    CHECK_EQUAL(0, addrspace_replace(as, &r));
    CHECK_EQUAL(2, file_saves);
    CHECK_EQUAL(3, file_saved(shared_file, 3 * PAGE));
    CHECK_SOUND();
    space_end(as);
    CHECK_EQUAL(4, file_saves);
    CHECK_EQUAL(7, file_saved(shared_file, 7 * PAGE));
    CHECK_ALL_BACK();
}

// A transaction takes so many pages and no more.
TEST(many_changed_pages_take_several_transactions) {
    struct addrspace *as = mapping_space(24 * PAGE, 24);
    for (vaddr_t i = 0; i < 16; i++)
        STORE(as, DATA + i * PAGE, 1);
    CHECK_EQUAL(0, addrspace_unmap(as, DATA, DATA + PAGE));
    CHECK_EQUAL(1, file_transactions);
    for (vaddr_t i = 16; i < 24; i++)
        STORE(as, DATA + i * PAGE, 1);
    space_end(as);
    CHECK_EQUAL(24, file_saves);
    CHECK_EQUAL(3, file_transactions);
    as = space_make();
    space_map(as, shared_file_region(shared_file, 0, DATA, 1, RW));
    space_use(as);
    LOAD(as, DATA);
    space_end(as); // nothing has changed: no transaction
    CHECK_EQUAL(3, file_transactions);
    CHECK_ALL_BACK();
}

TEST(a_log_that_fails_loses_no_frame) {
    struct addrspace *as = mapping_space(4 * PAGE, 4);
    for (vaddr_t i = 0; i < 4; i++)
        STORE(as, DATA + i * PAGE, 1);
    log_error = -EIO;
    space_end(as);
    CHECK_EQUAL(0, file_saves);
    CHECK_ALL_BACK();
}

TEST(fork_shares_mapped_files) {
    struct addrspace *as = mapping_space(4 * PAGE, 4);
    STORE(as, DATA, 1);
    LOAD(as, DATA + PAGE);
    struct addrspace *child = space_fork(as);
    CHECK_EQUAL(8, file_reserved());
    CHECK_EQUAL(2, shared_file->mappings);
    CHECK_SOUND();
    store_in(child, DATA, 2);
    store_in(child, DATA + PAGE, 3);
    store_in(child, DATA + 2 * PAGE, 4);
    CHECK_EQUAL(2, load_in(as, DATA));
    CHECK_EQUAL(3, load_in(as, DATA + PAGE));
    CHECK_EQUAL(PROT_READ, mapping_at(as, DATA + PAGE).rights); // changed by the child alone
    CHECK_EQUAL(4, load_in(as, DATA + 2 * PAGE));
    CHECK_EQUAL(0, faults(FAULT_COW_COPY));
    space_end(child);
    CHECK_EQUAL(3, file_saves);
    CHECK_EQUAL(4, file_reserved());
    store_in(as, DATA, 5); // it was writable all the time
    space_end(as);
    CHECK_EQUAL(5, file_saved(shared_file, 0));
    CHECK_EQUAL(3, file_saved(shared_file, PAGE));
    CHECK_ALL_BACK();
}

TEST(shared_mappings_of_files_are_reserved) {
    struct addrspace *as = mapping_space(24 * PAGE, FILE_FRAMES / 4 - 6);
    struct region r = shared_file_region(shared_file, 0, ZERO, 7, RW);
    CHECK_EQUAL(-ENOMEM, addrspace_map(as, &r));
    CHECK_EQUAL(-ENOMEM, addrspace_replace(as, &r));
    struct addrspace *child = space_make();
    CHECK_EQUAL(-ENOMEM, addrspace_fork(child, as));
    addrspace_put(child);
    CHECK_EQUAL(FILE_FRAMES / 4 - 6, file_reserved());
    CHECK_EQUAL(1, shared_file->mappings);
    CHECK_SOUND();
    r.end -= PAGE;
    space_map(as, r);
    CHECK_EQUAL(FILE_FRAMES / 4, file_reserved());
    file_mapped_max = 0; // what is reserved is to be had
    for (vaddr_t i = 0; i < 6; i++)
        LOAD(as, ZERO + i * PAGE);
    CHECK_EQUAL(0, addrspace_unmap(as, DATA + PAGE, DATA + 2 * PAGE));
    CHECK_EQUAL(FILE_FRAMES / 4 - 1, file_reserved());
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(mapping_a_file_needs_its_tables) {
    struct addrspace *as = mapping_space(16 * PAGE, 1);
    for (size_t left = 0; left < 2; left++) {
        struct region r = shared_file_region(shared_file, 0, ZERO, 4, RW);
        frames_hold(left);
        CHECK_EQUAL(-ENOMEM, addrspace_map(as, &r));
        CHECK_EQUAL(left, frames_free());
        CHECK_EQUAL(1, file_reserved());
        CHECK_SOUND();
        frames_release();
    }
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(eager_fork_copies_at_once) {
    struct addrspace *as = zero_space(3);
    struct inode *ip = file_make(PAGE);
    space_map(as, file_region(ip, 0, TEXT, PAGE, RX));
    LOAD(as, TEXT);
    STORE(as, ZERO, 1);
    STORE(as, ZERO + PAGE, 2);
    addrspace_fork_eagerly();
    struct addrspace *child;
    COSTS(7, child = space_fork(as)); // root, two of TEXT, two of ZERO, two pages
    CHECK_SOUND();
    CHECK(mapping_at(as, ZERO).rights == RW && mapping_at(child, ZERO).rights == RW);
    CHECK(frame_at(as, TEXT) == frame_at(child, TEXT)); // read-only: shared
    STORE(as, ZERO, 9);
    CHECK_EQUAL(1, load_in(child, ZERO));
    CHECK_EQUAL(2, LOAD(child, ZERO + PAGE));
    STORE(child, ZERO + PAGE, 8);
    CHECK_EQUAL(2, load_in(as, ZERO + PAGE));
    CHECK_EQUAL(0, faults(FAULT_COW_COPY) + faults(FAULT_COW_REUSE));
    end_family((struct family){as, child});
}

TEST(fork_does_not_promise_twice) {
    struct addrspace *as = heap_space(ZERO);
    CHECK_EQUAL(0, move_heap(as, 10 * PAGE));
    STORE(as, ZERO, 1);
    struct addrspace *child = space_fork(as);
    CHECK_EQUAL(9, frames_promised());
    CHECK_SOUND();
    store_in(child, ZERO + PAGE, 2); // the child's own, not from the promise
    CHECK_EQUAL(9, frames_promised());
    CHECK_EQUAL(0, move_heap(child, 3 * PAGE));
    CHECK_EQUAL(12, frames_promised());
    CHECK_EQUAL(0, move_heap(child, -5 * PAGE));
    CHECK_EQUAL(9, frames_promised());
    struct addrspace *grandchild = space_fork(child);
    CHECK_SOUND();
    space_end(grandchild);
    space_end(child);
    CHECK_EQUAL(9, frames_promised());
    space_use(as);
    frames_hold(0);
    for (vaddr_t i = 1; i < 10; i++)
        STORE(as, ZERO + i * PAGE, 3);
    frames_release();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(a_borrowed_space_lives_until_the_last_user_leaves) {
    struct addrspace *as = zero_space(1);
    STORE(as, ZERO, 1);
    CHECK(addrspace_get(as) == as);
    CHECK_EQUAL(2, as->users);
    COSTS(0, addrspace_put(as));
    CHECK_EQUAL(1, LOAD(as, ZERO));
    CHECK_PANICS(addrspace_put(as)); // in use on a hart
    as->users = 1;
    space_end(as);
    CHECK_ALL_BACK();
}

static unsigned user_count;

static void count_space(struct addrspace *as) {
    user_count += as->users;
}

static unsigned count_users(void) {
    user_count = 0;
    sched_stop_others();
    addrspace_each(count_space);
    sched_resume_others();
    return user_count;
}

TEST(spaces_are_listed_while_they_live) {
    machine_start(FRAMES);
    struct addrspace *a = space_make(), *b = space_make();
    CHECK_PANICS(addrspace_each(count_space)); // another hart may be changing a space
    CHECK_EQUAL(2, count_users());
    space_end(a);
    CHECK_EQUAL(1, count_users());
    frames_hold(0);
    CHECK(addrspace_create() == NULL);
    frames_release();
    CHECK_SOUND();
    space_end(b);
    CHECK_ALL_BACK();
}

// ---- User memory ----

TEST(copies_cross_pages) {
    struct addrspace *as = zero_space(2);
    char out[100], in[100];
    for (int i = 0; i < 100; i++)
        out[i] = (char)(i * 3);
    CHECK_EQUAL(0, user_copy_out(as, ZERO + PAGE - 37, out, sizeof out));
    CHECK_EQUAL(0, user_copy_in(as, in, ZERO + PAGE - 37, sizeof in));
    CHECK(memcmp(in, out, sizeof in) == 0);
    for (vaddr_t i = 0; i < 100; i++)
        CHECK_EQUAL((uint8_t)out[i], LOAD(as, ZERO + PAGE - 37 + i));
    CHECK_EQUAL(0, LOAD(as, ZERO + PAGE - 38));
    CHECK_EQUAL(0, LOAD(as, ZERO + PAGE + 63));
    CHECK_EQUAL(0, user_copy_out(as, ~0ul, out, 0));
    CHECK_EQUAL(0, user_copy_in(as, in, ~0ul, 0));
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(copies_are_all_or_nothing) {
    struct addrspace *as = zero_space(1);
    char in[8] = "before";
    vaddr_t wrong[] = {ZERO + PAGE - 4, ZERO - 4, ZERO + PAGE,      0, USER_END - 4, USER_END,
                       KERNEL_START,    ~0ul - 3, (vaddr_t)host_ram};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        CHECK_EQUAL(-EFAULT, user_copy_out(as, wrong[i], "xxxxxxxx", 8));
        CHECK_EQUAL(-EFAULT, user_copy_in(as, in, wrong[i], 8));
    }
    for (vaddr_t i = PAGE - 4; i < PAGE; i++)
        CHECK_EQUAL(0, LOAD(as, ZERO + i));
    CHECK_STRING("before", in);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(spans_cover_what_can_be_had) {
    struct addrspace *as = zero_space(20);
    struct spans s;
    CHECK_EQUAL(0, user_spans(as, ZERO + 18 * PAGE + 5, 10 * PAGE, ACCESS_READ, &s));
    CHECK(s.count == 2 && s.size == 2 * PAGE - 5 && s.span[0].size == PAGE - 5 &&
          s.span[1].size == PAGE);
    CHECK_EQUAL(0, user_spans(as, ZERO + 1, ~0ul, ACCESS_WRITE, &s));
    CHECK(s.count == SPANS_MAX && s.size == SPANS_MAX * PAGE - 1);
    CHECK_EQUAL(0, user_spans(as, ZERO + 1, 2, ACCESS_WRITE, &s));
    CHECK(s.count == 1 && s.size == 2);
    CHECK_EQUAL(-EFAULT, user_spans(as, ZERO + 20 * PAGE, 1, ACCESS_READ, &s));
    CHECK_EQUAL(-EFAULT, user_spans(as, ~0ul - 1, ~0ul, ACCESS_READ, &s));
    CHECK_EQUAL(0, user_spans(as, ~0ul, 0, ACCESS_READ, &s));
    CHECK(s.count == 0 && s.size == 0);
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(strings_end_in_time) {
    struct addrspace *as = zero_space(2);
    char text[16];
    CHECK_EQUAL(0, user_copy_out(as, ZERO + PAGE - 3, "across", 7));
    CHECK_EQUAL(6, user_copy_string(as, text, ZERO + PAGE - 3, sizeof text));
    CHECK_STRING("across", text);
    CHECK_EQUAL(6, user_copy_string(as, text, ZERO + PAGE - 3, 7));
    CHECK_EQUAL(-ENAMETOOLONG, user_copy_string(as, text, ZERO + PAGE - 3, 6));
    CHECK_EQUAL(-ENAMETOOLONG, user_copy_string(as, text, ZERO + PAGE - 3, 2));
    CHECK_EQUAL(-ENAMETOOLONG, user_copy_string(as, text, ZERO, 0));
    CHECK_EQUAL(0, user_copy_string(as, text, ZERO, 1));
    CHECK_EQUAL(0, user_copy_out(as, ZERO + 2 * PAGE - 2, "xy", 2)); // no end before the region's
    CHECK_EQUAL(-EFAULT, user_copy_string(as, text, ZERO + 2 * PAGE - 2, sizeof text));
    CHECK_EQUAL(-EFAULT, user_copy_string(as, text, ~0ul, sizeof text));
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(user_memory_is_not_touched_with_a_lock_held) {
    static struct spinlock lock = SPINLOCK(RANK_CONSOLE);
    struct addrspace *as = zero_space(1);
    void *page;
    STORE(as, ZERO, 1);
    CHECK_EQUAL(0, user_page(as, ZERO, ACCESS_READ, &page));
    rank_take(RANK_INODE); // nor with one that sleeps: the fault may need it
    CHECK_PANICS(user_page(as, ZERO, ACCESS_READ, &page));
    rank_drop(RANK_INODE);
    spin_lock(&lock);
    CHECK_PANICS(user_page(as, ZERO, ACCESS_READ, &page)); // present or not
    CHECK_PANICS(vm_fault(as, ZERO, ACCESS_READ));
}

// ---- The checker: each wrong thing is found, once ----

#define FINDS(count, text) \
    do { \
        host_printed_clear(); \
        CHECK_EQUAL(count, vm_check()); \
        CHECK(strstr(host_printed, text) != NULL); \
    } while (0)

TEST(checker_finds_wrong_counts) {
    struct family f = family(2);
    struct frame *frame = frame_at(f.parent, ZERO);
    frame_get(frame);
    FINDS(1, "I1: frame");
    frame_put(frame);
    CHECK_EQUAL(0, vm_check());
    frame_put(frame);
    FINDS(1, "count 1, but 2 entries point to it");
    frame_get(frame);
    struct frame *lost = frame_alloc(FRAME_USER);
    FINDS(1, "count 1, but 0 entries point to it");
    frame_put(lost);
    frame_get(frame_of(f.child->pt.root)); // a table
    FINDS(1, "I1: frame");
    frame_put(frame_of(f.child->pt.root));
    end_family(f);
}

TEST(checker_finds_writable_shared_pages) {
    struct family f = family(2);
    pt_protect(&f.child->pt, ZERO, RW);
    FINDS(1, "I2: ");
    pt_protect(&f.parent->pt, ZERO, RW);
    FINDS(2, "I2: ");
    pt_protect(&f.child->pt, ZERO, PROT_READ | ENTRY_COW);
    pt_protect(&f.parent->pt, ZERO, PROT_READ | ENTRY_COW);
    end_family(f);
}

TEST(checker_finds_pages_outside_regions) {
    struct family f = family(2);
    f.child->regions[0].end -= PAGE;
    FINDS(1, "I3: a page outside");
    f.child->regions[0].end += PAGE;
    end_family(f);
}

TEST(checker_finds_rights_beyond_the_region) {
    struct addrspace *as = zero_space(1);
    space_map(as, zero_region(DATA, 1, PROT_READ));
    LOAD(as, DATA);
    pt_protect(&as->pt, DATA, RW);
    FINDS(1, "I3: an entry grants more");
    pt_protect(&as->pt, DATA, RX);
    FINDS(1, "I3: an entry grants more");
    pt_protect(&as->pt, DATA, PROT_READ);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(checker_finds_wrong_marks) {
    struct family f = family(2);
    space_map(f.parent, zero_region(DATA, 1, PROT_READ));
    space_use(f.parent);
    LOAD(f.parent, DATA);
    pt_protect(&f.parent->pt, DATA, PROT_READ | ENTRY_COW); // the region does not allow writing
    FINDS(1, "I6: ");
    pt_protect(&f.parent->pt, DATA, PROT_READ);
    pt_protect(&f.child->pt, ZERO, PROT_READ); // it does, and the entry does not
    FINDS(1, "I6: ");
    pt_protect(&f.child->pt, ZERO, PROT_READ | ENTRY_COW);
    STORE(f.parent, ZERO, 1);
    pt_protect(&f.parent->pt, ZERO, RW | ENTRY_COW); // writable already
    FINDS(1, "I6: ");
    pt_protect(&f.parent->pt, ZERO, RW);
    end_family(f);
}
