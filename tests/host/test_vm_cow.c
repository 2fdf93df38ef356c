// Copy-on-write: fork shares, a write breaks the sharing, to the frame.
#include "vm_help.h"

TEST(fork_shares_every_page_and_marks_both_sides) {
    struct family f = family(4);
    for (vaddr_t va = ZERO; va < ZERO + 4 * PAGE; va += PAGE) {
        struct mapping p = mapping_at(f.parent, va), c = mapping_at(f.child, va);
        CHECK(p.frame == c.frame && pages_with(p.frame) == 2);
        CHECK(mapping_is_shared(&p) && mapping_is_shared(&c));
        CHECK_EQUAL(PROT_READ | ENTRY_COW, p.rights);
        CHECK_EQUAL(PROT_READ | ENTRY_COW, c.rights);
    }
    CHECK_EQUAL(f.parent->heap_end, f.child->heap_end);
    CHECK_EQUAL(4, pages_covered(f.child));
    end_family(f);
}

TEST(fork_flushes_the_parents_tlb) {
    struct family f = family(2);
    // Its TLB has the entry from before the fork.
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(f.parent, ZERO, 99)));
    CHECK_EQUAL(10, load_in(f.child, ZERO));
    end_family(f);
}

TEST(write_copies_exactly_one_whole_page) {
    struct family f = family(3);
    struct frame *old = frame_at(f.parent, ZERO + PAGE);
    space_use(f.child);
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(f.child, ZERO + PAGE + 5, 99)));
    CHECK(frame_at(f.child, ZERO + PAGE) != old && frame_at(f.parent, ZERO + PAGE) == old);
    CHECK_EQUAL(1, old->count);
    CHECK_EQUAL(RW, mapping_at(f.child, ZERO + PAGE).rights);
    CHECK(frame_at(f.child, ZERO) == frame_at(f.parent, ZERO)); // the neighbours stay shared
    CHECK(frame_at(f.child, ZERO + 2 * PAGE) == frame_at(f.parent, ZERO + 2 * PAGE));
    for (vaddr_t i = 0; i < PAGE; i++) {
        uint8_t expected = i == 0 || i == PAGE - 1 ? 11 : 0; // as family() left it
        CHECK_EQUAL(i == 5 ? 99 : expected, LOAD(f.child, ZERO + PAGE + i));
    }
    CHECK_EQUAL(0, load_in(f.parent, ZERO + PAGE + 5));
    CHECK_SOUND();
    end_family(f);
}

TEST(last_owner_writes_without_copy) {
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
    CHECK_EQUAL(3, pages_with(old));
    CHECK_EQUAL(PROT_READ | ENTRY_COW, mapping_at(grandchild, ZERO).rights);
    store_in(f.child, ZERO, 60);
    CHECK_EQUAL(2, pages_with(old));
    store_in(grandchild, ZERO, 70);
    CHECK_EQUAL(1, pages_with(old));
    CHECK_SOUND();
    space_end(f.parent); // the grandchild outlives both
    space_end(f.child);
    CHECK_EQUAL(70, load_in(grandchild, ZERO));
    COSTS(0, STORE(grandchild, ZERO + PAGE, 71));
    CHECK_SOUND();
    space_end(grandchild);
    CHECK_ALL_BACK();
}

TEST(second_fork_marks_writable_pages_again) {
    struct family f = family(2);
    space_use(f.parent);
    STORE(f.parent, ZERO, 50);
    struct addrspace *second = space_fork(f.parent);
    CHECK_SOUND();
    STORE(f.parent, ZERO, 51);
    CHECK_EQUAL(50, load_in(second, ZERO));
    CHECK_EQUAL(10, load_in(f.child, ZERO));
    CHECK_EQUAL(3, pages_with(frame_at(second, ZERO + PAGE)));
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

TEST(kernel_write_breaks_sharing_like_a_store) {
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

TEST(write_out_of_memory_changes_nothing) {
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

TEST(other_owner_may_exit_during_the_copy) {
    struct family f = family(1);
    space_use(f.parent);
    other_owner = f.child;
    hart_meanwhile = end_other_owner; // drops the other reference in the middle of cow_break
    STORE(f.parent, ZERO + 1, 99);
    CHECK(hart_meanwhile == NULL);
    CHECK_EQUAL(10, LOAD(f.parent, ZERO));
    CHECK_EQUAL(99, LOAD(f.parent, ZERO + 1));
    CHECK_EQUAL(10, LOAD(f.parent, ZERO + PAGE - 1));
    CHECK_SOUND();
    space_end(f.parent);
    CHECK_ALL_BACK();
}

TEST(fork_shares_file_data_too) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *parent = file_space(ip, DATA, 2 * PAGE, RW);
    LOAD(parent, DATA);
    STORE(parent, DATA + PAGE, 1);
    struct addrspace *child = space_fork(parent);
    CHECK_SOUND();
    CHECK(frame_at(child, DATA) == file_frame(ip, 0) &&
          frame_at(parent, DATA) == file_frame(ip, 0));
    CHECK_EQUAL(2, pages_with(frame_at(child, DATA)));
    CHECK_EQUAL(2, pages_with(frame_at(child, DATA + PAGE)));
    COSTS(1, STORE(parent, DATA, 2));
    store_in(child, DATA + PAGE, 3);
    CHECK_EQUAL(file_byte(0), LOAD(child, DATA));
    CHECK_EQUAL(1, load_in(parent, DATA + PAGE));
    space_end(child);
    space_end(parent);
    CHECK_ALL_BACK();
}

TEST(evicted_cache_pages_stay_with_their_users) {
    machine_start(FRAMES);
    struct inode *ip = file_make(2 * PAGE);
    struct addrspace *as = file_space(ip, DATA, 2 * PAGE, RW);
    LOAD(as, DATA);
    LOAD(as, DATA + PAGE);
    struct frame *old = frame_at(as, DATA);
    file_forget(ip, 0);
    CHECK_SOUND();
    COSTS(0, FAULTS(FAULT_COW_REUSE, STORE(as, DATA, 1)));
    CHECK(frame_at(as, DATA) == old);
    struct addrspace *child = space_fork(as);
    CHECK_EQUAL(2, pages_with(old));
    COSTS(1, STORE(as, DATA, 2));
    CHECK_EQUAL(1, load_in(child, DATA));
    CHECK_SOUND();
    space_end(child);
    space_end(as);
    CHECK_SOUND();
    CHECK_EQUAL(0, frame_mapped_cache_count());
    // One of our frames was the cache's for a while, and one of the cache's was ours.
    CHECK_EQUAL(FRAMES, frames_free());
}

// ---- Eager fork, promises ----

TEST(eager_fork_copies_at_once) {
    struct addrspace *as = zero_space(3);
    struct inode *ip = file_make(PAGE);
    space_map(as, file_region(ip, 0, TEXT, PAGE, RX));
    LOAD(as, TEXT);
    STORE(as, ZERO, 1);
    STORE(as, ZERO + PAGE, 2);
    fork_set_eager();
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
    store_in(child, ZERO + PAGE, 2); // takes a frame of its own, not a promised one
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
