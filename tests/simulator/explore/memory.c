// Pages and page tables that processes share, copy-on-write or for good.
#include "explore.h"

enum { WORDS = PAGE_BYTES / 8, PATTERN = 1000, OWN = 1 };

// The pages, in a heap that has a leaf table of its own.
static volatile uint64_t *pages;

static volatile uint64_t *page(int i) {
    return pages + i * WORDS;
}

static void fill_pages(void) {
    if (pages == NULL)
        pages = (volatile uint64_t *)sbrk(PAGES * PAGE_BYTES);
    for (int i = 0; i < PAGES * WORDS; i++)
        pages[i] = PATTERN + (uint64_t)i;
}

// Checks that the page is as it was made, but for one word.
static void check_page(int i, int changed, uint64_t value) {
    for (int w = 0; w < WORDS; w++)
        CHECK(page(i)[w] == (w == changed ? value : PATTERN + (uint64_t)(i * WORDS + w)));
}

static void check_owned(int i) {
    struct pageinfo info;
    CHECK(pagemap(getpid(), (uint64_t)page(i), &info, 1) == 1);
    CHECK(info.sharers == 1);
}

// ---- Breaking ----

// Gives each process a leaf table of its own; all pages but one are still shared.
static void own_table(int number) {
    page(OWN)[0]++;
}

// Each writes to page 0, and sees its own write alone: one of them is the last owner.
static void write_page(int number) {
    page(0)[number] = 1;
    check_page(0, number, 1);
}

// The same with several pages, in different orders, so that one comes while another copies.
static void write_pages(int number) {
    for (int i = 0; i < PAGES; i++)
        page((number + i) % PAGES)[number + 1] = 1;
    for (int i = 0; i < PAGES; i++) {
        if (i != OWN)
            check_page(i, number + 1, 1);
    }
}

static void check_written(void) {
    check_page(0, 0, 1);
    check_owned(0);
}

static void check_all_written(void) {
    for (int i = 0; i < PAGES; i++)
        check_owned(i);
}

// The others leave while some write.
static void write_or_leave(int number) {
    if (number % 2 == 0)
        write_page(number);
}

// Some share the page once more, while others break it.
static void write_or_fork(int number) {
    if (number % 2 == 0) {
        write_page(number);
        return;
    }
    int pid = fork();
    CHECK(pid >= 0);
    write_page(number + (pid == 0 ? PROCESSES_MAX : 0));
    if (pid == 0)
        exit(0);
    expect_child(0);
}

// ---- Leaf tables ----

// All begin with one leaf table. Some change it, some give it up, in two ways.
static void change_table(int number) {
    if (number % 2 == 0)
        write_page(number);
    else if (number % 4 == 1)
        CHECK(sbrk(-PAGES * PAGE_BYTES) != (char *)-1);
}

// ---- Fork ----

// The parent has written, so its TLB knows that it may; after the fork it may not.
static void write_forked(int number) {
    page(0)[number] = 2;
    int pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        while (shared->words[number] == 0)
            continue;
        check_page(0, number, 2);
        exit(0);
    }
    page(0)[number] = 1;
    shared->words[number] = 1;
    expect_child(0);
    check_page(0, number, 1);
}

// ---- Memory that is shared for good ----

static volatile uint64_t *common;

static void map_common(void) {
    common = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(common != MAP_FAILED);
}

// All touch both pages first at the same time: one of them makes each.
static void touch_common(int number) {
    common[number] = 1;
    common[WORDS + number] = 1;
    if (number % 2 != 0)
        CHECK(munmap((void *)common, 2 * PAGE_BYTES) == 0);
}

static void check_common(void) {
    for (int i = 0; i < process_count; i++)
        CHECK(common[i] == 1 && common[WORDS + i] == 1);
    CHECK(munmap((void *)common, 2 * PAGE_BYTES) == 0);
}

// ---- Looking at all of it ----

// Some stop the world, one of them to let the kernel check its memory, while others change it.
static void look_or_fork(int number) {
    struct memstat seen;
    struct procinfo info;
    if (number % 2 != 0) {
        write_or_fork(number);
        return;
    }
    if (number != 0) {
        CHECK(procinfo(1, &info) == 1);
        return;
    }
    CHECK(memstat(&seen, MEMSTAT_CHECK) == 0);
    CHECK(seen.violations == 0);
}

const struct scenario memory_scenarios[] = {
    {.name = "cow_break",
     .prepare = fill_pages,
     .arrive = own_table,
     .work = write_pages,
     .finish = check_all_written},
    {.name = "break_exit",
     .prepare = fill_pages,
     .arrive = own_table,
     .work = write_or_leave,
     .finish = check_written},
    {.name = "fork_break",
     .prepare = fill_pages,
     .arrive = own_table,
     .work = write_or_fork,
     .finish = check_written},
    {.name = "leaf_table", .prepare = fill_pages, .work = change_table, .finish = check_written},
    {.name = "fork_flush", .prepare = fill_pages, .work = write_forked, .finish = check_written},
    {.name = "shared_page", .prepare = map_common, .work = touch_common, .finish = check_common},
    {.name = "stop_world", .prepare = fill_pages, .arrive = own_table, .work = look_or_fork},
    {0},
};
