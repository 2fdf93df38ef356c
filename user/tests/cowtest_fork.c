// What fork costs, and what becomes of a page when parent or child writes to it first: frames, COW
// bits, sharers and counters at every step.
#include "cowtest.h"

#include "cow6.h"

enum {
    SPREAD_TABLES = 4, // leaf tables over which a test spreads its heap
    TABLE_BYTES = TABLE_PAGES * PAGE_BYTES,
    CHUNK = 64, // pages asked of pagemap at once
};

// What a scan of two processes' pages counts.
struct census {
    size_t present;   // pages of the first process
    size_t tables;    // leaf tables that they need
    size_t differing; // pages of which the other process has another frame, or none
};

// Counts the pages from start to end, which are in one leaf table.
static void count_pages(pid_t pid, pid_t other, uintptr_t start, uintptr_t end, struct census *c) {
    struct pageinfo pages[CHUNK], others[CHUNK];
    size_t before = c->present;
    for (uintptr_t va = start; va < end; va += CHUNK * PAGE_BYTES) {
        CHECK_EQUAL(CHUNK, pagemap(pid, va, pages, CHUNK), PROCESS_GONE);
        CHECK_EQUAL(CHUNK, pagemap(other, va, others, CHUNK), PROCESS_GONE);
        for (size_t i = 0; i < CHUNK && va + i * PAGE_BYTES < end; i++) {
            if (pages[i].flags & PAGE_PRESENT) {
                c->present++;
                c->differing += pages[i].frame != others[i].frame;
            }
        }
    }
    c->tables += c->present > before;
}

static uintptr_t round_up_to_table(uintptr_t va) {
    return (va + TABLE_BYTES - 1) / TABLE_BYTES * TABLE_BYTES;
}

// Counts all pages of the child: those of the program and its stack, which end below `first`, and
// those of the heap, which must be shared.
static struct census count_child(pid_t child, const char *first, const char *heap) {
    struct census c = {0};
    count_pages(child, getpid(), 0, (uintptr_t)first, &c);
    for (size_t i = 0; i < SPREAD_TABLES; i++) {
        uintptr_t start = (uintptr_t)heap + i * TABLE_BYTES;
        count_pages(child, getpid(), start, start + CHUNK * PAGE_BYTES, &c);
        CHECK_PAGE(child, heap + i * TABLE_BYTES, PAGE_MARKED, 2);
    }
    struct procinfo info;
    CHECK_EQUAL(child, procinfo(child, &info), PROCESS_GONE);
    CHECK_EQUAL(
        info.pages_resident, c.present,
        "the child's pages are not those of its parent: fork has left some out, or made more");
    CHECK_EQUAL(1 + SPREAD_TABLES, c.tables,
                "the pages are in other page tables than they should be");
    return c;
}

// Compares what fork took with the count.
static void check_fork_cost(const struct memstat *before, const struct memstat *after,
                            const struct census *c) {
    enum { UPPER_TABLES = 2, PIPES = 2 }; // the root and one for the GiB; those of struct turns
    uint64_t user_frames = after->frames_used[FRAME_USER] - before->frames_used[FRAME_USER];
    // The program's data and stack: a few pages that either process has written since.
    CHECK(c->differing <= 24,
          "fork has copied pages: the child's entries must map the parent's frames");
    CHECK_EQUAL(UPPER_TABLES + c->tables,
                after->frames_used[FRAME_TABLE] - before->frames_used[FRAME_TABLE],
                "fork takes more or fewer page tables than the child needs");
    if (user_frames < c->differing)
        CHECK_EQUAL(c->differing, user_frames,
                    "the copies are not counted as FRAME_USER: which use does cow_break give to "
                    "frame_alloc?");
    CHECK_EQUAL(c->differing, user_frames, "fork takes frames for pages: it must share them");
    CHECK_EQUAL(1, after->forks - before->forks, "fork was counted wrongly");
    CHECK_EQUAL(UPPER_TABLES + c->tables + c->differing + PIPES,
                before->frames_free - after->frames_free,
                "fork takes more or fewer frames than the child's page tables");
}

// Fork takes page tables (the root, one for the GiB in which all pages are, the leaves), and a
// frame for each page that one of the two processes has written since.
TEST(fork_costs_only_page_tables) {
    char *first = heap_grow(TABLE_PAGES), *heap = (char *)round_up_to_table((uintptr_t)first);
    heap_grow(SPREAD_TABLES * TABLE_PAGES);
    for (size_t i = 0; i < SPREAD_TABLES; i++)
        pattern_fill(heap + i * TABLE_BYTES, CHUNK, (unsigned)i);
    struct turns t;
    test_own_pages();
    struct memstat before = test_memstat();
    pid_t child = turns_fork(&t);
    if (child == 0)
        test_exit();
    struct memstat after = test_memstat();
    struct census c = count_child(child, first, heap);
    check_fork_cost(&before, &after, &c);
    CHECK(!turns_next(&t), SURVIVED);
    turns_close(&t);
    CHECK_EQUAL(before.frames_free, test_frames_free(),
                "frames are lost when a child that shares pages ends: does its exit drop every "
                "reference (frame_put)?");
}

TEST(child_writes_first) {
    char *page = heap_grow_filled(1, 1);
    struct turns t;
    struct pageinfo first = test_page(page);
    CHECK_PAGE(getpid(), page, PAGE_OWN, 1);
    pid_t child = turns_fork(&t);
    if (child == 0) {
        page[0]++;
        turns_pause(&t);
        page[0]--;
        CHECK_PATTERN(page, 1, 1, OWN_WRITE);
        test_exit();
    }
    CHECK_PAGE(getpid(), page, PAGE_MARKED, 2);
    CHECK_PAGE(child, page, PAGE_MARKED, 2);
    CHECK_FRAME(first.frame, test_page(page).frame, "fork has given the parent another frame");
    CHECK_FRAME(first.frame, page_of(child, page).frame, COPIED_AT_FORK);

    struct memstat before = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 1, 1, 0);
    CHECK_PAGE(getpid(), page, PAGE_MARKED, 1);
    CHECK_PAGE(child, page, PAGE_OWN, 1);
    CHECK_FRAME(
        first.frame, test_page(page).frame,
        "the child's write gave the parent another frame: only the writer's entry may change");
    CHECK(page_of(child, page).frame != first.frame, STILL_SHARED);
    CHECK_PATTERN(page, 1, 1, TO_PARENT);

    page[1]++;
    CHECK_COST(&before, 1, 1, 1);
    CHECK_PAGE(getpid(), page, PAGE_OWN, 1);
    CHECK_FRAME(first.frame, test_page(page).frame, LAST_COPIES);
    turns_close(&t);
}

// The hart that forked may still have a TLB entry that let the parent write.
TEST(parent_writes_right_after_fork) {
    volatile char *page = heap_grow_filled(1, 1);
    for (char round = 0; round < 10; round++) {
        page[0] = round;
        if (TEST_FORK() == 0)
            exit(page[0] == round ? 0 : 1);
        page[0] = (char)(round + 1);
        int status;
        CHECK(wait(&status) > 0, "the child is lost");
        if (status != 0)
            FAIL("the child sees what its parent stored right after the fork: was the parent's TLB "
                 "flushed when W was cleared? [expected the old byte in the child, saw the "
                 "parent's store]");
    }
}

TEST(parent_writes_first) {
    char *page = heap_grow_filled(1, 1);
    struct turns t;
    struct pageinfo first = test_page(page);
    pid_t child = turns_fork(&t);
    if (child == 0) {
        CHECK_PATTERN(page, 1, 1, AS_FORKED);
        page[0] = 1;
        turns_pause(&t);
        test_exit();
    }
    struct memstat before = test_memstat();
    page[0]++;
    CHECK_COST(&before, 1, 1, 0);
    CHECK_PAGE(getpid(), page, PAGE_OWN, 1);
    CHECK_PAGE(child, page, PAGE_MARKED, 1);
    CHECK(test_page(page).frame != first.frame, STILL_SHARED);
    CHECK_FRAME(
        first.frame, page_of(child, page).frame,
        "the parent's write gave the child another frame: only the writer's entry may change");

    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 1, 1, 1);
    CHECK_PAGE(child, page, PAGE_OWN, 1);
    CHECK_FRAME(first.frame, page_of(child, page).frame, LAST_COPIES);
    page[0]--;
    CHECK_PATTERN(page, 1, 1,
                  "the parent sees what its child wrote, or lacks what it had before: the copy "
                  "must be the whole page");
    turns_close(&t);
}

TEST(write_leaves_neighbours_shared) {
    char *pages = heap_grow_filled(3, 1);
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        pages[PAGE_BYTES + 5] = 1;
        turns_pause(&t);
        test_exit();
    }
    struct memstat before = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 1, 1, 0);
    for (size_t i = 0; i < 3; i += 2) {
        CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_MARKED, 2);
        CHECK_PAGE(child, pages + i * PAGE_BYTES, PAGE_MARKED, 2);
        CHECK_FRAME(test_page(pages + i * PAGE_BYTES).frame,
                    page_of(child, pages + i * PAGE_BYTES).frame,
                    "the child's write to one page has changed a page beside it: only the page of "
                    "the fault may be copied");
    }
    CHECK(page_of(child, pages + PAGE_BYTES).frame != test_page(pages + PAGE_BYTES).frame,
          STILL_SHARED);
    turns_close(&t);
}

// The copy has every byte but the one written, and the original has all.
TEST(copy_is_faithful) {
    static const size_t places[] = {0, 1, 7, 8, 63, 64, 2047, 2048, 4088, 4095};
    char *pages = heap_grow_filled(ARRAY_SIZE(places), 1);
    IN_CHILD {
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
            char *page = pages + i * PAGE_BYTES;
            char other = page[PAGE_BYTES - 1 - places[i]];
            page[places[i]] ^= 0x55;
            CHECK_EQUAL(other, page[PAGE_BYTES - 1 - places[i]],
                        "a byte far from the one written is wrong in the copy: copy the whole "
                        "page, all 4096 bytes, before the write");
            page[places[i]] ^= 0x55;
        }
        CHECK_PATTERN(pages, ARRAY_SIZE(places), 1,
                      "the copy is not the page that was shared: copy all 4096 bytes, from the "
                      "page's start (round va down)");
        pattern_fill(pages, ARRAY_SIZE(places), 2);
    }
    CHECK_CHILD(0);
    CHECK_PATTERN(pages, ARRAY_SIZE(places), 1, TO_PARENT);
}
