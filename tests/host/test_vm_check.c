// The invariant checker: each violation is found, once.
#include "vm_help.h"

#include <string.h>

#include "vm/tree.h"

#define FINDS(count, text) \
    do { \
        host_printed_clear(); \
        CHECK_EQUAL(count, vm_check()); \
        CHECK(strstr(host_printed, text) != NULL); \
    } while (0)

TEST(checker_finds_wrong_counts) {
    struct family f = family(2);
    struct frame *frame = frame_at(f.parent, ZERO);
    store_in(f.child, ZERO + PAGE, 1); // from now on each has a table of its own
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
    frame_get(frame_of(f.child->pt.root)); // a table, which is not sealed and has no spare
    FINDS(3, "I1: frame");
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

// ---- Tables ----

TEST(checker_finds_wrong_numbers_of_entries) {
    struct family f = family(2);
    struct frame *tables[] = {leaf_at(f.child, ZERO),
                              frame_of(tree_find_pointer(f.child->pt.root, ZERO)),
                              frame_of(f.child->pt.root)};
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        tables[i]->entries++;
        FINDS(1, "I8: a table has the wrong number of entries");
        tables[i]->entries -= 2;
        FINDS(1, "I8: a table has the wrong number of entries");
        tables[i]->entries++;
    }
    end_family(f);
}

TEST(checker_finds_shared_tables_that_are_not_sealed) {
    struct family f = family(2);
    leaf_at(f.child, ZERO)->sealed = false;
    FINDS(1, "I8: a table is shared, but not sealed");
    leaf_at(f.child, ZERO)->sealed = true;
    end_family(f);
}

// Its frame has one reference, but two spaces could write to it.
TEST(checker_finds_writable_entries_of_shared_tables) {
    struct family f = family(2);
    pte_t *entry = frame_ptr(leaf_at(f.child, ZERO)), before = *entry;
    entry->bits = (entry->bits | PTE_W | PTE_D) & ~(uint64_t)PTE_COW;
    FINDS(2, "I2: ");
    *entry = before;
    end_family(f);
}

TEST(checker_compares_a_shared_table_with_the_regions_of_each_owner) {
    struct family f = family(2);
    f.child->regions[0].protection = PROT_READ;
    FINDS(2, "I6: ");
    f.child->regions[0].protection = RW;
    f.parent->regions[0].protection = PROT_READ;
    FINDS(2, "I6: ");
    f.parent->regions[0].protection = RW;
    end_family(f);
}

TEST(checker_finds_wrong_spares) {
    struct family f = family(2);
    struct addrspace *second = space_fork(f.child);
    struct frame *leaf = leaf_at(f.child, ZERO), *spare = frame_of_index(leaf->next);
    uint32_t next = leaf->next, after = spare->next;
    leaf->next = frame_index(leaf); // it cannot be its own spare; both spares are lost
    FINDS(3, "count 1, but 0 entries map it");
    leaf->next = after; // only one is lost, but what the list goes on with is none
    FINDS(2, "count 1, but 0 entries map it");
    leaf->next = next;
    spare->next = frame_index(frame_at(f.child, ZERO)); // a page
    FINDS(2, "count 1, but 2 entries map it");
    spare->next = after;
    space_end(second);
    end_family(f);
}

TEST(checker_finds_wrong_counts_in_shared_tables) {
    struct family f = family(2);
    struct frame *page = frame_at(f.child, ZERO), *leaf = leaf_at(f.child, ZERO);
    page->count++;
    FINDS(1, "count 2, but 1 entries map it");
    page->count -= 2;
    FINDS(1, "count 0, but 1 entries map it");
    page->count++;
    leaf->count++; // and one spare too few
    FINDS(2, "count 3, but 2 entries map it");
    leaf->count -= 2; // and one too many
    FINDS(2, "count 1, but 2 entries map it");
    leaf->count++;
    end_family(f);
}
