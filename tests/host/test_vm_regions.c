// Address spaces: regions, the heap, where mappings go, who uses a space.
#include "vm_help.h"

#include "sched/stop.h"

// ---- Regions ----

TEST(regions_stay_sorted_and_disjoint) {
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

TEST(only_regions_of_the_same_kind_merge) {
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

TEST(exceeding_the_region_limit_changes_nothing) {
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

TEST(unmap_removes_exactly_the_range) {
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

TEST(unmap_keeps_tables_that_neighbours_use) {
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

TEST(heap_is_reserved_when_granted_and_allocated_when_touched) {
    struct addrspace *as = heap_space(ZERO);
    COSTS(2, CHECK_EQUAL(0, move_heap(as, 10 * PAGE))); // its tables
    CHECK_EQUAL(10, frames_promised());
    COSTS(1, STORE(as, ZERO + 3 * PAGE, 1));
    CHECK_EQUAL(9, frames_promised());
    frames_hold(0);
    for (vaddr_t i = 0; i < 10; i++)
        STORE(as, ZERO + i * PAGE, 7); // granted memory can be touched
    CHECK_EQUAL(0, frames_promised());
    frames_release();
    COSTS(-4, CHECK_EQUAL(0, move_heap(as, -4 * PAGE)));
    COSTS(-8, CHECK_EQUAL(0, move_heap(as, -6 * PAGE))); // with the tables
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(region_found_last_may_be_another_or_gone) {
    struct addrspace *as = heap_space(ZERO + 4 * PAGE);
    space_map(as, zero_region(ZERO, 2, RX));
    CHECK_EQUAL(0, move_heap(as, 4 * PAGE));
    CHECK_EQUAL(RW, addrspace_find(as, ZERO + 7 * PAGE)->protection);
    CHECK_EQUAL(RX, addrspace_find(as, ZERO + PAGE)->protection);
    CHECK_EQUAL(RW, addrspace_find(as, ZERO + 7 * PAGE)->protection);
    CHECK_EQUAL(0, move_heap(as, -PAGE)); // the region has another end now
    CHECK(addrspace_find(as, ZERO + 7 * PAGE) == NULL);
    CHECK_EQUAL(RW, addrspace_find(as, ZERO + 6 * PAGE)->protection);
    CHECK_EQUAL(0, addrspace_unmap(as, ZERO, ZERO + 2 * PAGE)); // and another place in the list
    CHECK_EQUAL(RW, addrspace_find(as, ZERO + 6 * PAGE)->protection);
    CHECK_EQUAL(0, move_heap(as, -3 * PAGE));
    CHECK(addrspace_find(as, ZERO + 4 * PAGE) == NULL);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(heap_may_start_inside_a_page) {
    struct addrspace *as = heap_space(ZERO + 100);
    CHECK_EQUAL(0, move_heap(as, 0));
    CHECK_EQUAL(0, move_heap(as, PAGE - 100)); // the page is there already
    CHECK_EQUAL(0, as->region_count);
    CHECK_EQUAL(0, move_heap(as, 1));
    CHECK(addrspace_find(as, ZERO) == NULL && addrspace_find(as, ZERO + PAGE) != NULL);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(heap_grows_page_by_page) {
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

TEST(heap_rejects_impossible_sizes) {
    struct addrspace *as = heap_space(ZERO);
    CHECK_EQUAL(-EINVAL, move_heap(as, -(int64_t)ZERO - 1));
    CHECK_EQUAL(-EINVAL, move_heap(as, INT64_MIN));
    CHECK_EQUAL(-ENOMEM, move_heap(as, INT64_MAX));
    CHECK_EQUAL(-ENOMEM, move_heap(as, (int64_t)(USER_END - ZERO) + 1));
    CHECK_EQUAL(-ENOMEM, move_heap(as, FRAMES * PAGE)); // the root and the tables need some, too
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

TEST(heap_growth_is_all_or_nothing) {
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

// ---- Placing and replacing ----

TEST(mmap_takes_the_hint_or_the_highest_place) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    CHECK_EQUAL(USER_END - 3 * PAGE, mmap_place(as, 0, 3 * PAGE));
    CHECK_EQUAL(ZERO, mmap_place(as, ZERO, 3 * PAGE));
    CHECK_EQUAL(PAGE, mmap_place(as, PAGE, USER_END - PAGE));
    CHECK_EQUAL(0, mmap_place(as, 0, USER_END)); // page 0 is never given
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

enum { ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS };

TEST(mmap_rejects_impossible_requests) {
    struct addrspace *as = zero_space(1);
    static const struct {
        int error;
        struct mmap_request request;
    } wrong[] = {
        {-EINVAL, {.length = 0, .flags = ANONYMOUS}},
        {-EINVAL, {.length = 1, .flags = MAP_ANONYMOUS}},
        {-EINVAL, {.length = 1, .flags = ANONYMOUS | MAP_SHARED}},
        {-EINVAL, {.length = 1, .flags = ANONYMOUS, .protection = PROT_ALL + 1}},
        {-EINVAL, {.length = 1, .flags = ANONYMOUS, .offset = 1}},
        {-EINVAL, {.length = 1, .flags = ANONYMOUS, .offset = 1ull << 63}},
        {-EINVAL, {.length = 1, .flags = ANONYMOUS | MAP_FIXED, .address = PAGE + 1}},
        {-ENOMEM, {.length = USER_END + 1, .flags = ANONYMOUS}},
        {-ENOMEM, {.length = ~0ull, .flags = ANONYMOUS}},
        {-ENOMEM, {.length = 1, .flags = ANONYMOUS | MAP_FIXED, .address = USER_END}},
        {-EBADF, {.length = 1, .flags = MAP_PRIVATE}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        vaddr_t start = 7;
        CHECK_EQUAL(wrong[i].error, mmap_create(as, &wrong[i].request, &start));
        CHECK_EQUAL(7, start);
        CHECK_EQUAL(1, as->region_count);
        CHECK_SOUND();
    }
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(mmap_chooses_the_backing) {
    machine_start(FRAMES);
    struct inode *ip = file_make(4 * PAGE);
    struct addrspace *as = space_make();
    static const struct {
        unsigned flags;
        const struct backing *backing;
        size_t promised; // in all: each mapping before has been touched once
    } kinds[] = {{MAP_PRIVATE | MAP_ANONYMOUS, &backing_zero, 2},
                 {MAP_SHARED | MAP_ANONYMOUS, &backing_shared, 3},
                 {MAP_PRIVATE, &backing_file, 2},
                 {MAP_SHARED, &backing_shared_file, 2}};
    space_use(as);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct mmap_request q = {.length = PAGE + 1,
                                 .flags = kinds[i].flags,
                                 .protection = PROT_WRITE,
                                 .file = (struct file *)ip,
                                 .offset = PAGE};
        vaddr_t start;
        CHECK_EQUAL(0, mmap_create(as, &q, &start));
        const struct region *r = addrspace_find(as, start);
        CHECK(r->backing == kinds[i].backing && r->start == start && r->end == start + 2 * PAGE);
        CHECK_EQUAL(RW, r->protection); // RISC-V has no write-only pages
        CHECK_EQUAL(kinds[i].promised, frames_promised());
        bool is_file = !(kinds[i].flags & MAP_ANONYMOUS);
        CHECK_EQUAL(is_file ? file_byte(PAGE + 3) : 0, LOAD(as, start + 3));
        CHECK_SOUND();
    }
    CHECK_EQUAL(3, ip->references);
    CHECK_EQUAL(1, ip->mappings);
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

// Every way in which a new region can overlap two old ones.
TEST(replace_removes_what_was_mapped) {
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

TEST(replace_works_or_changes_nothing) {
    struct addrspace *as = zero_space(3);
    for (vaddr_t i = 0; i < 3; i++)
        STORE(as, ZERO + i * PAGE, 7);
    struct region r = zero_region(ZERO + PAGE, 4, RW);
    r.promised = true;
    for (size_t left = 0; left < 4; left++) { // the promise is made before any frame is freed
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

// Memory runs out after tables were made for the part above the old region.
TEST(failed_replace_leaves_no_tables) {
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

// ---- Users ----

TEST(borrowed_space_lives_until_its_last_user_leaves) {
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
