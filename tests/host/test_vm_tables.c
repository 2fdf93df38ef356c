// Tables: each counts its entries that are in use, and a leaf table is shared at fork as a whole,
// until an owner wants to change it.
#include "vm_help.h"

#include <string.h>

#include "vm/tree.h"

// ---- Entries in use ----

static struct mapping new_page(unsigned rights) {
    struct mapping m = {.frame = frame_alloc(FRAME_USER), .rights = rights};
    CHECK(m.frame != NULL);
    return m;
}

static unsigned used_at(const struct pagetable *pt, vaddr_t va, int level) {
    if (level == ROOT_LEVEL)
        return table_used(pt->root);
    const pte_t *pointer = tree_find_pointer(pt->root, va);
    CHECK(pointer != NULL);
    return table_used(level == 1 ? pointer : table_of(*pointer));
}

#define CHECK_USED(pt, va, leaf, middle, root) \
    do { \
        CHECK_EQUAL(leaf, used_at(pt, va, 0)); \
        CHECK_EQUAL(middle, used_at(pt, va, 1)); \
        CHECK_EQUAL(root, used_at(pt, va, ROOT_LEVEL)); \
    } while (0)

TEST(tables_count_the_entries_in_use) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    CHECK_EQUAL(0, table_used(pt.root));
    for (vaddr_t i = 0; i < 5; i++) {
        CHECK_EQUAL(0, pt_map(&pt, ZERO + i * i * PAGE, new_page(RW)));
        CHECK_USED(&pt, ZERO, i + 1, 1, 1);
    }
    CHECK_EQUAL(0, pt_map(&pt, ZERO + LEAF_SPAN - PAGE, new_page(RW)));
    CHECK_EQUAL(0, pt_map(&pt, ZERO + LEAF_SPAN, new_page(RW)));
    CHECK_USED(&pt, ZERO + LEAF_SPAN, 1, 2, 1);
    CHECK_EQUAL(0, pt_map(&pt, ZERO + MIDDLE_SPAN, new_page(RW)));
    CHECK_USED(&pt, ZERO + MIDDLE_SPAN, 1, 1, 2);
    pt_replace(&pt, ZERO, new_page(PROT_READ));
    pt_protect(&pt, ZERO + PAGE, PROT_READ | ENTRY_COW);
    CHECK_USED(&pt, ZERO, 6, 2, 2);
    CHECK_EQUAL(2, pt_unmap(&pt, ZERO + PAGE, ZERO + 5 * PAGE));
    CHECK_USED(&pt, ZERO, 4, 2, 2);
    CHECK_EQUAL(0, pt_unmap(&pt, ZERO + PAGE, ZERO + 5 * PAGE));
    CHECK_USED(&pt, ZERO, 4, 2, 2);
    pt_unmap(&pt, ZERO + LEAF_SPAN - PAGE, ZERO + LEAF_SPAN + PAGE);
    CHECK_USED(&pt, ZERO, 3, 2, 2);
    CHECK_USED(&pt, ZERO + LEAF_SPAN, 0, 2, 2);
    pt_free_tables(&pt, ZERO + LEAF_SPAN, ZERO + MIDDLE_SPAN);
    CHECK_USED(&pt, ZERO, 3, 1, 2);
    pt_destroy(&pt); // with pages
    CHECK_ALL_BACK();
}

TEST(pages_are_counted_from_any_place_to_any_other) {
    machine_start(FRAMES);
    struct pagetable pt;
    CHECK_EQUAL(0, pt_init(&pt));
    static const vaddr_t there[] = {0, 1, 5, 511, 512, 1023, 1536};
    for (size_t i = 0; i < ARRAY_SIZE(there); i++)
        CHECK_EQUAL(0, pt_map(&pt, ZERO + there[i] * PAGE, new_page(RW)));
    static const vaddr_t places[] = {0, 1, 2, 5, 6, 511, 512, 513, 1023, 1024, 1536, 1537, 2048};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        for (size_t j = i; j < ARRAY_SIZE(places); j++) {
            size_t n = 0;
            for (size_t k = 0; k < ARRAY_SIZE(there); k++)
                n += there[k] >= places[i] && there[k] < places[j];
            CHECK_EQUAL(n, pt_count(&pt, ZERO + places[i] * PAGE, ZERO + places[j] * PAGE));
        }
    }
    pt_destroy(&pt);
    CHECK_ALL_BACK();
}

// The entries after the last one in use, and those of an empty table, cost nothing: what is planted
// there is not seen.
TEST(nothing_looks_for_entries_behind_the_last_one) {
    machine_start(FRAMES);
    struct pagetable pt;
    struct frame *stray = frame_alloc(FRAME_KERNEL);
    pte_t planted = pte_make(frame_phys(stray), PTE_V | PTE_U | PTE_R | PTE_A);
    CHECK_EQUAL(0, pt_init(&pt));
    CHECK_EQUAL(0, pt_map(&pt, ZERO + 9 * PAGE, new_page(RW)));
    CHECK_EQUAL(0, pt_prepare(&pt, ZERO + LEAF_SPAN, ZERO + 2 * LEAF_SPAN));
    pte_t *full = frame_ptr(frame_of(table_of(*tree_find_pointer(pt.root, ZERO)))),
          *empty = table_of(*tree_find_pointer(pt.root, ZERO + LEAF_SPAN));
    full[10] = empty[0] = planted;
    tree_find_pointer(pt.root, ZERO)[2] = pte_make(frame_phys(stray), PTE_V);
    pt.root[2] = pte_make(frame_phys(stray), PTE_V);
    pt_unmap(&pt, ZERO + LEAF_SPAN, ZERO + 2 * LEAF_SPAN);
    CHECK_EQUAL(1, pt_count(&pt, ZERO, ZERO + 2 * LEAF_SPAN));
    pte_t *places[] = {&full[10], empty, &tree_find_pointer(pt.root, ZERO)[2], &pt.root[2]};
    COSTS(-5, pt_destroy(&pt));
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        CHECK(places[i]->bits & PTE_V);
        *places[i] = (pte_t){0};
    }
    CHECK_EQUAL(1, stray->count);
    frame_put(stray);
    CHECK_ALL_BACK();
}

// As the tables do, so that none is cleared when it is made.
TEST(destroyed_tables_are_full_of_zeroes) {
    struct addrspace *as = zero_space(600);
    STORE(as, ZERO + 2 * PAGE, 1);
    STORE(as, ZERO + 599 * PAGE, 1);
    const struct frame *tables[] = {frame_of(as->pt.root), leaf_at(as, ZERO),
                                    leaf_at(as, ZERO + LEAF_SPAN),
                                    frame_of(tree_find_pointer(as->pt.root, ZERO))};
    static const char zeroes[PAGE_SIZE];
    space_end(as);
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        CHECK(memcmp(frame_ptr(tables[i]), zeroes, PAGE) == 0);
    CHECK_ALL_BACK();
}

// ---- Sharing at fork ----

static void check_leaf_is_shared(const struct addrspace *a, const struct addrspace *b, vaddr_t va,
                                 unsigned owners) {
    const struct frame *leaf = leaf_at(a, va);
    CHECK(leaf != NULL && leaf == leaf_at(b, va));
    CHECK_EQUAL(owners, leaf->count);
    CHECK(leaf->sealed);
}

TEST(leaf_table_of_one_region_is_shared_whole) {
    struct addrspace *as = zero_space(2 * 512), *child;
    static const vaddr_t touched[] = {0, 3, 511, 512, 1000};
    for (size_t i = 0; i < ARRAY_SIZE(touched); i++)
        STORE(as, ZERO + touched[i] * PAGE, (uint8_t)(1 + i));
    COSTS(FORK_TABLES + 1,
          child = space_fork(as)); // root, middle table, a spare for each leaf table
    check_leaf_is_shared(as, child, ZERO, 2);
    check_leaf_is_shared(as, child, ZERO + LEAF_SPAN, 2);
    CHECK_SOUND();
    for (size_t i = 0; i < ARRAY_SIZE(touched); i++) {
        struct mapping m = mapping_at(child, ZERO + touched[i] * PAGE);
        CHECK(table_is_shared(m.entry) && m.frame->count == 1);
        CHECK_EQUAL(PROT_READ | ENTRY_COW, m.rights);
        CHECK_EQUAL(1 + i, load_in(child, ZERO + touched[i] * PAGE));
    }
    check_leaf_is_shared(as, child, ZERO, 2); // reading changes nothing
    end_family((struct family){as, child});
}

TEST(read_only_leaf_table_is_shared_whole) {
    machine_start(FRAMES);
    struct inode *ip = file_make(4 * PAGE);
    struct addrspace *as = file_space(ip, ZERO, 4 * PAGE, RX), *child;
    LOAD(as, ZERO);
    LOAD(as, ZERO + PAGE);
    COSTS(FORK_TABLES, child = space_fork(as));
    check_leaf_is_shared(as, child, ZERO, 2);
    CHECK_EQUAL(RX, mapping_at(child, ZERO).rights);
    CHECK_SOUND();
    COSTS(0, CHECK_EQUAL(file_byte(2 * PAGE), load_in(child, ZERO + 2 * PAGE))); // the spare
    CHECK(leaf_at(child, ZERO) != leaf_at(as, ZERO));
    CHECK_EQUAL(0, pages_with(file_frame(ip, 2)) - 1);
    CHECK_EQUAL(2, pages_with(file_frame(ip, 0)));
    end_family((struct family){as, child});
}

TEST(leaf_table_of_two_regions_is_shared_entry_by_entry) {
    machine_start(FRAMES);
    struct addrspace *as = space_make(), *child;
    space_map(as, zero_region(ZERO, 4, RW));
    space_map(as, zero_region(ZERO + 4 * PAGE, 4, RX | PROT_WRITE));
    space_use(as);
    STORE(as, ZERO, 1);
    STORE(as, ZERO + 4 * PAGE, 2);
    COSTS(FORK_TABLES, child = space_fork(as)); // root, middle, leaf
    CHECK(leaf_at(as, ZERO) != leaf_at(child, ZERO));
    for (vaddr_t va = ZERO; va <= ZERO + 4 * PAGE; va += 4 * PAGE) {
        CHECK(!leaf_at(as, va)->sealed && !leaf_at(child, va)->sealed);
        CHECK_EQUAL(1, leaf_at(as, va)->count);
        CHECK_EQUAL(2, leaf_at(child, va)->entries);
        CHECK_EQUAL(2, frame_at(child, va)->count);
    }
    CHECK_EQUAL(PROT_READ | ENTRY_COW, mapping_at(child, ZERO).rights);
    CHECK_EQUAL(RX | ENTRY_COW, mapping_at(as, ZERO + 4 * PAGE).rights);
    CHECK_SOUND();
    end_family((struct family){as, child});
}

// Neither a region below nor one above it in the same table, if they have no page there.
TEST(region_without_pages_does_not_hinder_sharing) {
    machine_start(FRAMES);
    struct addrspace *as = space_make(), *child;
    space_map(as, zero_region(ZERO, 4, PROT_READ));
    space_map(as, zero_region(ZERO + 4 * PAGE, 4, RW));
    space_map(as, zero_region(ZERO + 8 * PAGE, 4, PROT_READ));
    space_use(as);
    STORE(as, ZERO + 4 * PAGE, 1);
    for (unsigned owners = 2; owners < 4; owners++) {
        COSTS(FORK_TABLES, child = space_fork(as));
        check_leaf_is_shared(as, child, ZERO, owners);
        CHECK_SOUND();
    }
    space_end(child);
    LOAD(as, ZERO); // now it has
    CHECK(!leaf_at(as, ZERO)->sealed);
    COSTS(FORK_TABLES, child = space_fork(as));
    CHECK(leaf_at(as, ZERO) != leaf_at(child, ZERO));
    CHECK_SOUND();
    CHECK_EQUAL(1, load_in(child, ZERO + 4 * PAGE));
    space_end(child);
}

TEST(second_fork_finds_the_table_sealed) {
    struct family f = family(3);
    pte_t *leaf = frame_ptr(leaf_at(f.parent, ZERO));
    leaf[1].bits |= PTE_W; // the fork does not look at it
    struct addrspace *second, *third;
    COSTS(FORK_TABLES, second = space_fork(f.parent));
    COSTS(FORK_TABLES, third = space_fork(f.child));
    CHECK(leaf[1].bits & PTE_W);
    leaf[1].bits &= ~(uint64_t)PTE_W;
    check_leaf_is_shared(second, third, ZERO, 4);
    CHECK_SOUND();
    space_end(second);
    space_end(third);
    check_leaf_is_shared(f.parent, f.child, ZERO, 2);
    end_family(f);
}

// ---- Changing a shared table ----

static void check_first_write(struct family f, struct addrspace *writer, struct addrspace *other) {
    struct frame *shared = leaf_at(other, ZERO), *own;
    space_use(writer);
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(writer, ZERO, 99))); // the page; the table was set aside
    own = leaf_at(writer, ZERO);
    CHECK(own != shared && leaf_at(other, ZERO) == shared);
    CHECK_EQUAL(1, own->count);
    CHECK_EQUAL(1, shared->count);
    CHECK(!own->sealed && shared->sealed);
    CHECK_EQUAL(3, own->entries);
    for (vaddr_t va = ZERO + PAGE; va < ZERO + 3 * PAGE; va += PAGE) {
        CHECK(frame_at(other, va) == frame_at(writer, va));
        CHECK_EQUAL(2, frame_at(other, va)->count);
    }
    CHECK_EQUAL(1, frame_at(other, ZERO)->count);
    CHECK_SOUND();
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(writer, ZERO + PAGE, 98)));
    CHECK(leaf_at(writer, ZERO) == own); // copied once
    space_use(other);
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(other, ZERO + 2 * PAGE, 97)));
    COSTS(0, FAULTS(FAULT_COW_REUSE, STORE(other, ZERO, 96)));
    CHECK(leaf_at(other, ZERO) == shared && !shared->sealed); // it has the table for itself now
    static const uint8_t writers[] = {99, 98, 12}, others[] = {96, 11, 97};
    for (vaddr_t i = 0; i < 3; i++) {
        CHECK_EQUAL(writers[i], load_in(writer, ZERO + i * PAGE));
        CHECK_EQUAL(others[i], load_in(other, ZERO + i * PAGE));
    }
    end_family(f);
}

TEST(write_of_the_child_copies_the_table_once) {
    struct family f = family(3);
    check_first_write(f, f.child, f.parent);
}

TEST(write_of_the_parent_copies_the_table_once) {
    struct family f = family(3);
    check_first_write(f, f.parent, f.child);
}

// The hart has cached where the shared table is, and that is not part of any entry of a page.
TEST(copy_of_a_table_flushes_the_way_to_it) {
    struct family f = family(3);
    space_use(f.child);
    CHECK_EQUAL(10, LOAD(f.child, ZERO)); // caches the way
    STORE(f.child, ZERO + PAGE, 99);
    store_in(f.parent, ZERO + 2 * PAGE, 88); // in the table that was shared
    space_use(f.child);
    CHECK_EQUAL(99, LOAD(f.child, ZERO + PAGE));
    CHECK_EQUAL(12, LOAD(f.child, ZERO + 2 * PAGE));
    end_family(f);
}

TEST(last_owner_claims_the_table_without_copy) {
    struct family f = family(2);
    struct frame *shared = leaf_at(f.parent, ZERO);
    COSTS(-FORK_TABLES, space_end(f.child)); // with the spare
    CHECK(leaf_at(f.parent, ZERO) == shared && shared->count == 1);
    space_use(f.parent);
    COSTS(0, FAULTS(FAULT_COW_REUSE, STORE(f.parent, ZERO, 1)));
    COSTS(0, FAULTS(FAULT_COW_REUSE, STORE(f.parent, ZERO + PAGE, 2)));
    CHECK(leaf_at(f.parent, ZERO) == shared && !shared->sealed);
    CHECK_SOUND();
    space_end(f.parent);
    CHECK_ALL_BACK();
}

TEST(next_fork_marks_what_was_written_since) {
    struct family f = family(3);
    store_in(f.child, ZERO, 60); // copies; the parent's stays sealed
    store_in(f.child, ZERO + PAGE, 61);
    struct addrspace *grandchild;
    COSTS(FORK_TABLES, grandchild = space_fork(f.child));
    check_leaf_is_shared(f.child, grandchild, ZERO, 2);
    CHECK_EQUAL(PROT_READ | ENTRY_COW, mapping_at(f.child, ZERO).rights);
    CHECK_SOUND();
    COSTS(1, FAULTS(FAULT_COW_COPY, STORE(f.child, ZERO, 62))); // its TLB was flushed, too
    CHECK_EQUAL(60, load_in(grandchild, ZERO));
    CHECK_EQUAL(10, load_in(f.parent, ZERO));
    CHECK_EQUAL(3, pages_with(frame_at(f.parent, ZERO + 2 * PAGE)));
    space_end(grandchild);
    end_family(f);
}

TEST(first_touch_in_a_shared_table_copies_it) {
    struct addrspace *as = zero_space(4), *child;
    STORE(as, ZERO, 1);
    child = space_fork(as);
    space_use(child);
    COSTS(1, FAULTS(FAULT_ZERO_FILL, STORE(child, ZERO + PAGE, 2)));
    CHECK(mapping_at(as, ZERO + PAGE).frame == NULL);
    CHECK_EQUAL(2, leaf_at(child, ZERO)->entries);
    CHECK_EQUAL(1, leaf_at(as, ZERO)->entries);
    CHECK_SOUND();
    CHECK_EQUAL(0, load_in(as, ZERO + PAGE));
    end_family((struct family){as, child});
}

TEST(write_out_of_memory_leaves_the_table_shared) {
    struct family f = family(2);
    frames_hold(0);
    space_use(f.child);
    FAULTS(FAULT_NO_MEMORY, CHECK_EQUAL(-ENOMEM, hart_store(f.child, ZERO, 1)));
    CHECK(mapping_at(f.child, ZERO).frame == mapping_at(f.parent, ZERO).frame);
    frames_release();
    CHECK_SOUND();
    end_family(f);
}

static struct addrspace *leaving;

static void end_leaving(void) {
    addrspace_put(leaving);
}

// The other owner exits when the writer has its copy of the table, but has not yet changed it.
TEST(other_owner_may_exit_while_the_table_is_copied) {
    struct family f = family(2);
    struct addrspace *grandchild = space_fork(f.child);
    space_use(f.parent);
    leaving = f.child;
    hart_meanwhile = end_leaving;
    STORE(f.parent, ZERO, 99);
    CHECK_SOUND();
    CHECK_EQUAL(10, load_in(grandchild, ZERO));
    CHECK_EQUAL(99, load_in(f.parent, ZERO));
    end_family((struct family){f.parent, grandchild});
}
