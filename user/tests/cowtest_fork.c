// What fork costs, and what becomes of a page from fork to its last owner's write: frames, marks,
// sharers and counters at every step.
#include "cowtest.h"

#include "cow6.h"

enum {
    SPREAD_TABLES = 4, // leaf tables over which a test spreads its heap
    TABLE_BYTES = TABLE_PAGES * PAGE_BYTES,
    CHUNK = 64, // pages asked of pagemap at once
    CHAIN_DEPTH = 100,
    SHARERS = 200,       // children that share one page
    FRAMES_A_CHILD = 16, // more than one of them needs
};

static volatile int data_word = 5;
static volatile int bss_word;
static const int constant_word = 9;

// What a scan of two processes' pages counts.
struct census {
    size_t present;   // pages of the first process
    size_t tables;    // leaf tables that they need
    size_t differing; // of the pages, those of which the other process has another frame, or none
};

// Counts the pages from start to end, which lie in one leaf table.
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

// Fork takes page tables (the root, one for the GiB in which all lies, the leaves), and a frame for
// each page that one of the two processes has written since.
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
    struct census c = {0};
    count_pages(child, getpid(), 0, (uintptr_t)first, &c); // the program and its stack
    for (size_t i = 0; i < SPREAD_TABLES; i++) {
        uintptr_t start = (uintptr_t)heap + i * TABLE_BYTES;
        count_pages(child, getpid(), start, start + CHUNK * PAGE_BYTES, &c);
        CHECK_PAGE(child, heap + i * TABLE_BYTES, PAGE_MARKED, 2);
    }
    struct procinfo info;
    CHECK_EQUAL(child, procinfo(child, &info), PROCESS_GONE);
    CHECK_EQUAL(info.pages_resident, c.present,
                "the child's pages are not those of its parent: fork has left some out, or made "
                "more"); // there are no others
    CHECK_EQUAL(1 + SPREAD_TABLES, c.tables, "the pages lie in other page tables than they should");
    CHECK(c.differing <= 24,
          "fork has copied pages: the child's entries must name the parent's frames"); // of the
                                                                                       // program's
                                                                                       // data and
                                                                                       // stack
    CHECK_EQUAL(2 + c.tables, after.frames_used[FRAME_TABLE] - before.frames_used[FRAME_TABLE],
                "fork takes more or fewer page tables than the child needs");
    uint64_t user_frames = after.frames_used[FRAME_USER] - before.frames_used[FRAME_USER];
    if (user_frames < c.differing)
        CHECK_EQUAL(c.differing, user_frames,
                    "the copies are not counted as FRAME_USER: which use does cow_break give to "
                    "frame_alloc?");
    CHECK_EQUAL(c.differing, user_frames, "fork takes frames for pages: it must share them");
    CHECK_EQUAL(1, after.forks - before.forks, "fork was counted wrongly");
    CHECK_EQUAL(
        2 + c.tables + c.differing + 2, before.frames_free - after.frames_free,
        "fork takes more or fewer frames than the child's page tables"); // 2: the pipes of t
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

// The hart that forked may still hold the translation that let it write.
TEST(parent_writes_at_once) {
    volatile char *page = heap_grow_filled(1, 1);
    for (char round = 0; round < 10; round++) {
        page[0] = round;
        if (TEST_FORK() == 0)
            exit(page[0] == round ? 0 : 1);
        page[0] = (char)(round + 1);
        int status;
        CHECK(wait(&status) > 0, "the child is lost");
        if (status != 0)
            FAIL(
                "the child sees what its parent stored right after the fork: was the parent's TLB "
                "flushed when W "
                "was cleared? [expected the child to keep what was there, saw the parent's store]");
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
                        "page, all 4096 "
                        "bytes, before the write");
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

TEST(last_owner_writes_without_copy) {
    enum { PAGES = 3 };
    char *pages = heap_grow_filled(PAGES, 1);
    uint64_t frames[PAGES];
    for (size_t i = 0; i < PAGES; i++)
        frames[i] = test_page(pages + i * PAGE_BYTES).frame;
    IN_CHILD {}
    CHECK_CHILD(0);
    test_own_pages();
    struct memstat before = test_memstat();
    for (size_t i = 0; i < PAGES; i++) {
        CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_MARKED, 1);
        pages[i * PAGE_BYTES]++;
        CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_OWN, 1);
        CHECK_FRAME(frames[i], test_page(pages + i * PAGE_BYTES).frame, LAST_COPIES);
    }
    CHECK_COST(&before, 0, 0, PAGES);
}

TEST(three_generations) {
    char *page = heap_grow_filled(1, 1);
    struct turns mine, child_s;
    pid_t child = turns_fork(&mine);
    if (child == 0) {
        pid_t grandchild = turns_fork(&child_s);
        if (grandchild == 0) {
            pattern_fill(page, 1, 3);
            turns_pause(&child_s);
            CHECK_PATTERN(page, 1, 3, OWN_WRITE);
            test_exit();
        }
        CHECK_PAGE(grandchild, page, PAGE_MARKED, 3);
        CHECK(turns_next(&child_s), DIED);
        CHECK_PAGE(getpid(), page, PAGE_MARKED, 2);
        CHECK_PATTERN(page, 1, 1, TO_PARENT);
        struct memstat before = test_memstat();
        page[0]++;
        CHECK_COST(&before, 1, 1, 0);
        pattern_fill(page, 1, 2);
        turns_pause(&mine);
        CHECK_PATTERN(page, 1, 2, OWN_WRITE);
        turns_close(&child_s);
        test_exit();
    }
    CHECK_PAGE(child, page, PAGE_MARKED, 2);
    CHECK(turns_next(&mine), DIED);
    CHECK_PATTERN(page, 1, 1, TO_PARENT);
    CHECK_PAGE(getpid(), page, PAGE_MARKED, 1);
    struct memstat before = test_memstat();
    page[0]++;
    CHECK_COST(&before, 0, 0, 1);
    turns_close(&mine);
}

// The grandchild of processes that are gone, with what it saw when they forked.
static void outlive(struct gate *gate, int result, char *page) {
    struct procinfo info;
    gate_wait(gate);
    CHECK_EQUAL(getpid(), procinfo(getpid(), &info), PROCESS_GONE);
    CHECK_EQUAL(1, info.parent, "a process whose parent has ended is not process 1's child");
    CHECK_PATTERN(page, 1, 1, AS_FORKED);
    page[0] = 3;
    CHECK_EQUAL(1, write(result, page, 1), PIPE_FAILS);
}

TEST(grandchild_outlives_both) {
    char *page = heap_grow_filled(1, 1);
    struct gate gate;
    int result[2];
    gate_init(&gate);
    pipe_open(result);
    IN_CHILD {
        IN_CHILD {
            IN_CHILD {
                outlive(&gate, result[1], page);
            }
            pattern_fill(page, 1, 2);
        }
        CHECK_CHILD(0);
        CHECK_PATTERN(page, 1, 1, TO_PARENT);
    }
    CHECK_CHILD(0);
    CHECK_PAGE(getpid(), page, PAGE_MARKED, 2);
    pattern_fill(page, 1, 4);
    gate_open(&gate);
    close(result[1]);
    char byte;
    TEST_WAITS("the grandchild to write to the pipe");
    CHECK_EQUAL(1, read(result[0], &byte, 1), "the grandchild died before it wrote to the pipe");
    CHECK_EQUAL(3, byte, OWN_WRITE);
    CHECK_PATTERN(page, 1, 4, TO_PARENT);
}

// Each process of the chain forks the next one; the last one counts the sharers of the page.
static void chain(char *page, int depth) {
    if (depth == 0) {
        CHECK_PAGE(getpid(), page, PAGE_MARKED, CHAIN_DEPTH + 1);
        return;
    }
    IN_CHILD {
        chain(page, depth - 1);
    }
    CHECK_CHILD(0);
    CHECK_PATTERN(page, 1, 1, TO_PARENT);
    page[depth] ^= 1;
    CHECK(!pattern_matches(page, 1, 1), OWN_WRITE);
}

TEST(chain_of_forks) {
    char *page = heap_grow_filled(1, 1);
    chain(page, CHAIN_DEPTH);
    CHECK_PAGE(getpid(), page, PAGE_OWN, 1);
}

TEST(many_share_one_page) {
    size_t count = test_frames_free() / FRAMES_A_CHILD;
    if (count > SHARERS)
        count = SHARERS;
    char *page = heap_grow_filled(1, 1);
    struct gate gate;
    gate_init(&gate);
    for (size_t i = 0; i < count; i++) {
        IN_CHILD {
            gate_wait(&gate);
            CHECK_PATTERN(page, 1, 1, AS_FORKED);
            page[i] ^= 1;
            CHECK(!pattern_matches(page, 1, 1), OWN_WRITE);
        }
    }
    CHECK_PAGE(getpid(), page, PAGE_MARKED, count + 1);
    gate_open(&gate);
    CHECK_CHILDREN((int)count);
    CHECK_PAGE(getpid(), page, PAGE_MARKED, 1);
    CHECK_PATTERN(page, 1, 1, TO_PARENT);
}

// Heap that nobody has touched: each side gets its own zeroes, and reading costs the other nothing.
TEST(untouched_pages_are_separate) {
    char *pages = heap_grow(3);
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        pages[0] = 1;
        turns_pause(&t);
        CHECK_BYTES(pages + PAGE_BYTES, 0, PAGE_BYTES, UNTOUCHED);
        test_exit();
    }
    CHECK_EQUAL(0, test_page(pages).flags & PAGE_PRESENT,
                "a page that nobody touched is there: fork must give the child entries for present "
                "pages only");
    CHECK_EQUAL(0, page_of(child, pages).flags & PAGE_PRESENT,
                "a page that nobody touched is there: fork must give the child entries for present "
                "pages only");
    struct memstat before = test_memstat();
    CHECK(turns_next(&t), DIED);
    CHECK_COST(&before, 1, 0, 0);
    CHECK_EQUAL(1, faults_since(&before, FAULT_ZERO_FILL),
                "the first touch of a page after the fork is no zero-fill fault");
    CHECK_EQUAL(0, test_page(pages).flags & PAGE_PRESENT,
                "a child's first touch of a page has given its parent one");
    CHECK_PAGE(child, pages, PAGE_OWN, 1);
    CHECK_BYTES(pages, 0, PAGE_BYTES, UNTOUCHED);
    CHECK_EQUAL(2, faults_since(&before, FAULT_ZERO_FILL),
                "the first touch of a page after the fork is no zero-fill fault");
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
                "a child has written to its data, and others name the frame, too: if the page came "
                "from the block cache "
                "for this write, must first_rights mark it, and cow_break copy it?");
    CHECK(data_word == 5 && bss_word == 3 && stack_word == 7, TO_PARENT);
    CHECK(test_page((void *)&data_word).frame != page_of(child, (void *)&data_word).frame,
          STILL_SHARED);
    CHECK(test_page((void *)&stack_word).frame != page_of(child, (void *)&stack_word).frame,
          STILL_SHARED);
    CHECK_FRAME(page_of(child, &constant_word).frame, test_page(&constant_word).frame,
                "parent and child do not have one frame for constants, which nobody can write: "
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
