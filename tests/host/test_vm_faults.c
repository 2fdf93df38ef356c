// Page faults: what comes in at the first touch, and what is refused.
#include "vm_help.h"

TEST(first_touch_maps_a_zeroed_page) {
    struct addrspace *as = zero_space(4);
    COSTS(3, FAULTS(FAULT_ZERO_FILL, CHECK_EQUAL(0, LOAD(as, ZERO + PAGE + 5)))); // with two tables
    COSTS(1, FAULTS(FAULT_ZERO_FILL, STORE(as, ZERO + 2 * PAGE, 3)));
    for (vaddr_t i = 0; i < PAGE; i++)
        CHECK_EQUAL(i == 0 ? 3 : 0, LOAD(as, ZERO + 2 * PAGE + i));
    STORE(as, ZERO + PAGE, 1); // the only user: writable at once
    CHECK_EQUAL(2, all_faults());
    CHECK_EQUAL(2, pages_resident(as));
    CHECK_EQUAL(RW, mapping_at(as, ZERO + PAGE).rights);
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(access_that_no_region_allows_fails) {
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

TEST(processes_share_the_frames_of_text) {
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

TEST(first_write_to_data_copies_the_cached_page) {
    machine_start(FRAMES);
    struct inode *ip = file_make(4 * PAGE);
    struct addrspace *as = space_make();
    space_map(as, file_region(ip, PAGE, DATA, 2 * PAGE, RW));
    space_use(as);
    COSTS(2, CHECK_EQUAL(file_byte(PAGE), LOAD(as, DATA)));
    CHECK_EQUAL(PROT_READ | ENTRY_COW, mapping_at(as, DATA).rights);
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(as, DATA + 10, 99)));
    CHECK_EQUAL(RW, mapping_at(as, DATA).rights);
    // The first touch is a write: the page is brought in and broken in one fault.
    COSTS(1, STORE(as, DATA + PAGE, 98));
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

TEST(kernel_write_to_data_copies_the_cached_page) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *as = space_make();
    space_map(as, file_region(ip, PAGE, DATA, PAGE, RW));
    space_use(as);
    CHECK_EQUAL(0, user_copy_out(as, DATA + 10, "c", 1)); // the first touch is this write
    CHECK_EQUAL(1, faults(FAULT_FILE));
    CHECK_EQUAL(1, faults(FAULT_COW_COPY));
    CHECK_EQUAL('c', LOAD(as, DATA + 10));
    CHECK_EQUAL(file_byte(PAGE + 10), *((uint8_t *)frame_ptr(file_frame(ip, 1)) + 10));
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

// Checks each byte of a mapped part of a file, and the zeroes after it.
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

TEST(file_mappings_end_in_zeroes) {
    check_file_piece(0, DATA, 1, 3 * PAGE);
}

TEST(file_mappings_may_start_inside_a_page) {
    check_file_piece(PAGE + 100, DATA + 100, PAGE + 50, 3 * PAGE);
}

TEST(file_mappings_may_have_any_offset) {
    check_file_piece(0xb0, DATA, 2 * PAGE + 9, 3 * PAGE);
}

TEST(partial_file_page_is_private_at_once) {
    machine_start(FRAMES);
    struct inode *ip = file_make(PAGE);
    struct addrspace *as = file_space(ip, DATA, 100, RW);
    COSTS(3, FAULTS(FAULT_FILE, STORE(as, DATA, 1)));
    CHECK(mapping_at(as, DATA).rights == RW && file_frame(ip, 0) == NULL);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(file_errors_leak_nothing) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *as = file_space(ip, DATA, PAGE + 10, RW);
    uint8_t byte;
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

TEST(file_page_is_copied_when_the_cache_is_full) {
    machine_start(FRAMES);
    struct inode *ip = file_make(4 * PAGE);
    struct addrspace *as = file_space(ip, TEXT, 4 * PAGE, RX);
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

TEST(page_in_out_of_memory_changes_nothing) {
    struct addrspace *as = zero_space(1);
    for (size_t left = 0; left < 3; left++) { // the page and two tables
        frames_hold(left);
        FAULTS(FAULT_NO_MEMORY, CHECK_EQUAL(-ENOMEM, hart_store(as, ZERO, 1)));
        CHECK_EQUAL(left, frames_free()); // not even a table stays
        CHECK_EQUAL(0, pages_resident(as));
        CHECK_SOUND();
        frames_release();
    }
    frames_hold(3);
    STORE(as, ZERO, 1);
    frames_release();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(file_page_in_out_of_memory_changes_nothing) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *as = file_space(ip, DATA, PAGE + 100, RW);
    for (size_t left = 0; left < 3; left++) {
        frames_hold(left);
        CHECK_EQUAL(-ENOMEM, hart_store(as, DATA + PAGE, 1)); // copied: a frame and two tables
        CHECK_EQUAL(left, frames_free());
        CHECK_SOUND();
        frames_release();
    }
    for (size_t left = 0; left < 3; left++) {
        frames_hold(left);
        CHECK_EQUAL(-ENOMEM, hart_store(as, DATA, 1)); // the cache's: two tables and the copy
        CHECK_EQUAL(left == 2, pages_resident(as));
        CHECK_EQUAL(left < 2 ? left : 0, frames_free());
        CHECK_SOUND();
        frames_release();
    }
    STORE(as, DATA, 1);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(spurious_fault_counts_as_stale) {
    struct addrspace *as = zero_space(1);
    STORE(as, ZERO, 1);
    COSTS(0, FAULTS(FAULT_STALE, CHECK_EQUAL(0, vm_fault(as, ZERO, ACCESS_WRITE))));
    COSTS(0, FAULTS(FAULT_STALE, CHECK_EQUAL(0, vm_fault(as, ZERO + 77, ACCESS_READ))));
    CHECK_EQUAL(1, LOAD(as, ZERO));
    space_end(as);
    CHECK_ALL_BACK();
}
