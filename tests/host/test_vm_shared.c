// Shared memory and shared mappings of files.
#include "vm_help.h"

// ---- Any shared backing ----

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

TEST(shared_backing_keeps_one_frame) {
    struct addrspace *as = zero_space(1);
    struct region r = zero_region(DATA, 1, RW);
    r.backing = &backing_object;
    r.object = &object_page;
    object_page =
        frame_alloc_zeroed(FRAME_CACHE); // count 1 is the object's, as that of a cache slot
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

// ---- Shared memory ----

enum { OBJECT_TABLES = 3, MAPPING_TABLES = 2 };

// A space in use with that many pages of shared memory at ZERO.
static struct addrspace *sharing_space(size_t page_count) {
    machine_start(FRAMES);
    struct addrspace *as = space_make();
    struct region r = shared_region(ZERO, page_count, RW);
    CHECK(r.object != NULL);
    CHECK_EQUAL(0, addrspace_map(as, &r)); // takes over the only reference
    space_use(as);
    return as;
}

static unsigned users_of(struct addrspace *as, vaddr_t va) {
    return ((struct addrspace *)addrspace_find(as, va)->object)->users;
}

TEST(shared_memory_has_one_frame_per_page) {
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
    COSTS(-1 - MAPPING_TABLES, space_end(as)); // the child still has it
    CHECK_EQUAL(3, load_in(child, ZERO));
    CHECK_EQUAL(1, users_of(child, ZERO));
    CHECK_EQUAL(2, frames_promised());
    space_end(child);
    CHECK_ALL_BACK();
}

TEST(split_shared_memory_keeps_its_offsets) {
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

// That includes the tables, also in the child of a fork.
TEST(granted_shared_memory_can_be_touched) {
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

TEST(shared_memory_creation_is_all_or_nothing) {
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

TEST(shared_objects_are_limited_and_reusable) {
    machine_start(2000);
    static struct addrspace *objects[200];
    size_t n = 0;
    while (n < 200 && (objects[n] = addrspace_create_shared(PAGE)) != NULL)
        n++;
    CHECK_EQUAL(128, n);
    CHECK_SOUND();
    struct addrspace *as = space_make(); // spaces are not limited by that
    addrspace_put(objects[--n]);
    CHECK((objects[n++] = addrspace_create_shared(PAGE)) != NULL);
    while (n > 0)
        addrspace_put(objects[--n]);
    space_end(as);
    CHECK_ALL_BACK();
}

// Neither needs the other to be active.
TEST(kernel_write_to_shared_memory_acts_like_a_store) {
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
    fork_set_eager();
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

TEST(stores_to_a_shared_mapping_reach_the_file) {
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

TEST(only_dirty_pages_are_written_back) {
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
TEST(many_dirty_pages_take_several_transactions) {
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

TEST(failing_log_leaks_no_frame) {
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

TEST(shared_file_mappings_reserve_cache_pages) {
    struct addrspace *as = mapping_space(24 * PAGE, FILE_FRAMES / 4 - 6);
    struct region r = shared_file_region(shared_file, 0, ZERO, 7, RW);
    CHECK_EQUAL(-ENOMEM, addrspace_map(as, &r));
    CHECK_EQUAL(-ENOMEM, addrspace_replace(as, &r));
    struct addrspace *child = space_make();
    CHECK_EQUAL(-ENOMEM, fork_space(child, as));
    addrspace_put(child);
    CHECK_EQUAL(FILE_FRAMES / 4 - 6, file_reserved());
    CHECK_EQUAL(1, shared_file->mappings);
    CHECK_SOUND();
    r.end -= PAGE;
    space_map(as, r);
    CHECK_EQUAL(FILE_FRAMES / 4, file_reserved());
    file_mapped_max = 0; // reserved pages are available all the same
    for (vaddr_t i = 0; i < 6; i++)
        LOAD(as, ZERO + i * PAGE);
    CHECK_EQUAL(0, addrspace_unmap(as, DATA + PAGE, DATA + 2 * PAGE));
    CHECK_EQUAL(FILE_FRAMES / 4 - 1, file_reserved());
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(shared_file_mapping_needs_its_tables) {
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
