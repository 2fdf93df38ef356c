// The invariant checker: each violation is found, once.
#include "vm_help.h"

#include <string.h>

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
    FINDS(1, "count 1, but 2 entries map it");
    frame_get(frame);
    struct frame *lost = frame_alloc(FRAME_USER);
    FINDS(1, "count 1, but 0 entries map it");
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
    pt_protect(&f.child->pt, ZERO, PROT_READ); // it does, but the entry does not
    FINDS(1, "I6: ");
    pt_protect(&f.child->pt, ZERO, PROT_READ | ENTRY_COW);
    STORE(f.parent, ZERO, 1);
    pt_protect(&f.parent->pt, ZERO, RW | ENTRY_COW); // writable already
    FINDS(1, "I6: ");
    pt_protect(&f.parent->pt, ZERO, RW);
    end_family(f);
}
