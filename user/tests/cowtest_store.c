// Every kind of page, and every kind of store, after a fork.
#include "cowtest.h"

#include "cow6.h"

static volatile int data_word = 5;
static volatile int bss_word;
static const int constant_word = 9;

// Untouched heap: each side gets its own zeroes, and what one touches costs the other nothing.
TEST(untouched_pages_are_separate) {
    char *pages = heap_grow(3);
    pages[2 * PAGE_BYTES] = 3; // so that the child has a page table for the others
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        pages[0] = 1;
        turns_pause(&t);
        CHECK_BYTES(pages + PAGE_BYTES, 0, PAGE_BYTES, UNTOUCHED);
        test_exit();
    }
    CHECK_EQUAL(
        0, test_page(pages).flags & PAGE_PRESENT,
        "an untouched page is present: fork must give the child entries for present pages only");
    CHECK_EQUAL(
        0, page_of(child, pages).flags & PAGE_PRESENT,
        "an untouched page is present: fork must give the child entries for present pages only");
    struct memstat before = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 1, 0, 0);
    CHECK_EQUAL(1, faults_since(&before, FAULT_ZERO_FILL),
                "the first touch of a page after the fork is not counted as a zero-fill fault");
    CHECK_EQUAL(0, test_page(pages).flags & PAGE_PRESENT,
                "a child's first touch of a page has given its parent a page, too");
    CHECK_PAGE(child, pages, PAGE_OWN, 1);
    CHECK_BYTES(pages, 0, PAGE_BYTES, UNTOUCHED);
    CHECK_EQUAL(2, faults_since(&before, FAULT_ZERO_FILL),
                "the first touch of a page after the fork is not counted as a zero-fill fault");
    CHECK(test_page(pages).frame != page_of(child, pages).frame,
          "parent and child got one frame for a page that each touched first after the fork");
    pages[PAGE_BYTES] = 2;
    turns_close(&t);
    CHECK_BYTES(pages, 0, PAGE_BYTES, UNTOUCHED);
}

TEST(data_and_stack_are_separate) {
    volatile int stack_word = 7;
    bss_word = 3;
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        CHECK(data_word == 5 && bss_word == 3 && stack_word == 7, AS_FORKED);
        data_word = bss_word = stack_word = 1;
        turns_pause(&t);
        CHECK(data_word == 1 && bss_word == 1 && stack_word == 1, OWN_WRITE);
        test_exit();
    }
    CHECK(turns_next(&t), DIED);
    CHECK_EQUAL(1, page_of(child, (void *)&data_word).sharers,
                "a child has written to its data, but the frame is shared: if the page came from "
                "the block cache for this write, must first_rights set the copy-on-write bit, and "
                "cow_break copy it?");
    CHECK(data_word == 5 && bss_word == 3 && stack_word == 7, TO_PARENT);
    CHECK(test_page((void *)&data_word).frame != page_of(child, (void *)&data_word).frame,
          STILL_SHARED);
    CHECK(test_page((void *)&stack_word).frame != page_of(child, (void *)&stack_word).frame,
          STILL_SHARED);
    CHECK_FRAME(page_of(child, &constant_word).frame, test_page(&constant_word).frame,
                "parent and child do not have one frame for constants, which are never written: "
                "pt_share must share them");
    CHECK_EQUAL(9, constant_word,
                "a constant has changed: a page that must be read-only was written");
    data_word = bss_word = stack_word = 2;
    turns_close(&t);
    CHECK(data_word == 2 && bss_word == 2 && stack_word == 2, OWN_WRITE);
}

static void write_atomically(char *page) {
    __atomic_fetch_add((uint32_t *)page, 1, __ATOMIC_RELAXED);
}

static void write_conditionally(char *page) {
    uint64_t *word = (uint64_t *)page, old = *word;
    while (!__atomic_compare_exchange_n(word, &old, old + 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
        ;
}

static void write_byte(char *page) {
    page[PAGE_BYTES - 1]++;
}

// Every kind of store breaks the sharing, once.
TEST(all_stores_break_sharing) {
    static void (*const writers[])(char *page) = {write_byte, write_atomically,
                                                  write_conditionally};
    for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
        char *page = heap_grow_filled(1, 1);
        struct turns t;
        if (turns_fork(&t) == 0) {
            writers[i](page);
            turns_pause(&t);
            CHECK(!pattern_matches(page, 1, 1), OWN_WRITE);
            test_exit();
        }
        struct memstat before = test_memstat();
        CHECK(turns_next(&t), DIED);
        CHECK_COST(&before, 1, 1, 0);
        CHECK_PATTERN(page, 1, 1, TO_PARENT);
        turns_close(&t);
    }
}

TEST(store_across_two_pages) {
    char *pages = heap_grow_filled(2, 1);
    struct turns t;
    if (turns_fork(&t) == 0) {
        __asm__ volatile("sd zero, 0(%0)" : : "r"(pages + PAGE_BYTES - 4) : "memory");
        turns_pause(&t);
        CHECK_BYTES(pages + PAGE_BYTES - 4, 0, 8, OWN_WRITE);
        pattern_fill(pages, 2, 2);
        test_exit();
    }
    struct memstat before = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 2, 2, 0);
    CHECK_PATTERN(pages, 2, 1, TO_PARENT);
    turns_close(&t);
}
