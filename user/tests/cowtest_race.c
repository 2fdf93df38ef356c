// Many processes on all harts break, share and drop the same pages. Such races go wrong rarely, so
// each test tries as often as a second allows; lost data shows in the pages, lost or leaked frames
// in the framework's count.
#include "cowtest.h"

#include "cow6.h"

enum {
    BREAKERS = 8, // processes at a time
    PAGES = 32,
    ROUNDS = 3000, // of a race, at most
    RACE_TICKS = 8,
    SKEWS = 100, // in units of time_now
    COUNT_PAGES = 128,
    COUNT_FORKS = 8,
    COUNTERS = 3,
    STORM_PROCESSES = 6,
    STORM_ROUNDS = 12,
    TREE_DEPTH = 4,
    TREE_WIDTH = 3,
};

static uint64_t start_delay; // in units of time_now: about the time a fork takes
static int race_start;       // in ticks
static uint64_t skew;        // between two processes' starts, different in each round

// Measures how long it takes until a child runs, so that processes can start together.
static void race_begin(void) {
    start_delay = UINT64_MAX;
    for (int i = 0; i < 4; i++) {
        uint64_t start = time_now();
        IN_CHILD {}
        CHECK_CHILD(0);
        uint64_t taken = time_now() - start;
        start_delay = taken < start_delay ? taken : start_delay;
    }
    race_start = uptime();
}

// True for ROUNDS rounds, if they take no longer than RACE_TICKS.
static bool race_continues(int round) {
    skew = (uint64_t)(round * 7 % SKEWS);
    return round < ROUNDS && uptime() - race_start <= RACE_TICKS;
}

// Runs `work` in that many children and in the parent, with number -1. They start at nearly the
// same moment: one after the other, or in reverse order.
static void run_together(int count, void (*work)(char *pages, int number), char *pages) {
    uint64_t when = time_now() + start_delay * (uint64_t)count;
    bool parent_first = skew % 2 == 0;
    for (int i = 0; i < count; i++) {
        IN_CHILD {
            time_wait(when + skew * (uint64_t)(parent_first ? i + 1 : count - i));
            work(pages, i);
        }
    }
    time_wait(when + skew * (uint64_t)(parent_first ? 0 : count + 1));
    work(pages, -1);
    CHECK_CHILDREN(count);
}

// Breaks the sharing of the pages, each process in a different order, and checks that nothing else
// has changed; then gives them contents of its own.
static void break_pages(char *pages, int number) {
    for (int i = 0; i < PAGES; i++) {
        volatile char *page = pages + (i + number * 3 + 3) % PAGES * PAGE_BYTES;
        char before = page[0];
        page[0] = (char)(before + 2 + number);
        page[0] = before;
    }
    CHECK_PATTERN(pages, PAGES, 5, RACE_LOST);
    pattern_fill(pages, PAGES, 10 + (unsigned)number);
    CHECK_PATTERN(pages, PAGES, 10 + (unsigned)number, RACE_LOST);
}

TEST(many_break_the_same_pages) {
    char *pages = heap_grow(PAGES);
    race_begin();
    for (int round = 0; race_continues(round); round++) {
        pattern_fill(pages, PAGES, 5);
        run_together(BREAKERS, break_pages, pages);
        CHECK_PATTERN(pages, PAGES, 9, RACE_LOST);
    }
}

// Half of them write before they exit, all at the same moment.
static void write_and_leave(char *pages, int number) {
    CHECK_PATTERN(pages, 1, 5, RACE_LOST);
    if (number % 2 == 0)
        pages[number]++;
}

TEST(sharers_exit_together) {
    char *page = heap_grow_filled(1, 5);
    race_begin();
    for (int round = 0; race_continues(round); round++)
        run_together(3, write_and_leave, page);
    CHECK_PATTERN(page, 1, 5, RACE_LOST);
    page[0]++;
    CHECK_PAGE(getpid(), page, PAGE_OWN, 1, RACE_COUNT);
}

// Two owners write at the same moment, to words of their own: one copies, or both do, and neither
// sees the other's write. The first frame is dropped once.
static void write_own(char *pages, int number) {
    size_t own = number < 0 ? 10 : 500;
    volatile uint64_t *word = (volatile uint64_t *)pages;
    uint64_t before = word[own];
    word[own] = ~before;
    for (size_t i = 0; i < PAGE_BYTES / sizeof *word; i++) {
        if (i != own)
            CHECK_EQUAL(before + i - own, word[i], RACE_LOST);
    }
    CHECK_EQUAL(~before, word[own], RACE_LOST);
}

TEST(both_owners_write_at_once) {
    char *page = heap_grow(1);
    race_begin();
    for (int round = 0; race_continues(round); round++) {
        pattern_fill(page, 1, 5);
        run_together(1, write_own, page);
        CHECK_PAGE(getpid(), page, PAGE_OWN, 1, RACE_COUNT);
    }
}

// Several processes fork the same pages at the same moment, and their children exit: counts go up
// and down on all harts.
static void fork_again(char *pages, int number) {
    for (int i = 0; i < COUNT_FORKS; i++) {
        IN_CHILD {
            CHECK(pages[number + 1] != 0, RACE_LOST);
        }
        CHECK_CHILD(0);
    }
}

TEST(counts_change_on_all_harts) {
    char *pages = heap_grow(COUNT_PAGES);
    memset(pages, 9, COUNT_PAGES * PAGE_BYTES);
    race_begin();
    for (int round = 0; race_continues(round); round++)
        run_together(COUNTERS, fork_again, pages);
    for (size_t i = 0; i < COUNT_PAGES; i += COUNT_PAGES / 16)
        CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_MARKED, 1, RACE_COUNT);
}

static int read_source[2];

// The kernel writes for the child; the parent stores by itself.
static void read_or_store(char *pages, int number) {
    if (number < 0) {
        pages[200]++;
        return;
    }
    uint64_t word;
    CHECK_EQUAL(sizeof word, read(read_source[0], pages + PAGE_BYTES - 4, sizeof word), READ_FAILS);
    memcpy(&word, pages + PAGE_BYTES - 4, sizeof word);
    CHECK_EQUAL(0x1122334455667788, word, READ_WRONG);
}

TEST(kernel_and_parent_write_at_once) {
    static const uint64_t word = 0x1122334455667788;
    char *pages = heap_grow_filled(2, 5);
    pipe_open(read_source);
    race_begin();
    for (int round = 0; race_continues(round); round++) {
        CHECK_EQUAL(sizeof word, write(read_source[1], &word, sizeof word), PIPE_FAILS);
        run_together(1, read_or_store, pages);
        pages[200]--;
        CHECK_PATTERN(pages, 2, 5, RACE_LOST);
    }
}

// Processes that fork children, of which every second one executes a program.
static void storm(const char *pages) {
    for (int round = 0; round < STORM_ROUNDS; round++) {
        IN_CHILD {
            if (round % 2 == 0)
                program_execute("--exit");
            CHECK_PATTERN(pages, PAGES, 5, RACE_LOST);
        }
        CHECK_CHILD(round % 2 == 0 ? 7 : 0);
    }
}

TEST(fork_and_exec_storm) {
    char *pages = heap_grow_filled(PAGES, 5);
    for (int i = 0; i < STORM_PROCESSES; i++) {
        IN_CHILD {
            storm(pages);
            pattern_fill(pages, PAGES, 6 + (unsigned)i);
            CHECK_PATTERN(pages, PAGES, 6 + (unsigned)i, RACE_LOST);
        }
    }
    CHECK_CHILDREN(STORM_PROCESSES);
    CHECK_PATTERN(pages, PAGES, 5, RACE_LOST);
}

// Each process writes to its page, forks its children, and checks that it sees none of their
// writes.
static void grow_tree(uint64_t *word, int depth, uint64_t name) {
    word[depth] = name;
    for (int i = 0; i < TREE_WIDTH && depth < TREE_DEPTH; i++) {
        IN_CHILD {
            grow_tree(word, depth + 1, name * 10 + (uint64_t)i);
        }
    }
    if (depth < TREE_DEPTH)
        CHECK_CHILDREN(TREE_WIDTH);
    for (int i = depth; i >= 0; i--, name /= 10)
        CHECK_EQUAL(name, word[i], OWN_WRITE);
    for (int i = depth + 1; i <= TREE_DEPTH; i++)
        CHECK_EQUAL(0, word[i],
                    "a process sees what a descendant wrote: the write went to the shared frame");
}

TEST(tree_of_processes) {
    grow_tree((uint64_t *)heap_grow(1), 0, 1);
}

// Sharers shrink their heaps, exit and execute a program while others write.
static void drop_in_some_way(char *pages, int number) {
    CHECK_PATTERN(pages, PAGES, 5, RACE_LOST);
    switch (number) {
    case 0:
        heap_shrink(PAGES);
        break;
    case 1:
        program_execute("--none");
    case 2:
        pattern_fill(pages, PAGES, 6);
        break;
    case 3:
        test_exit();
    default:
        pages[PAGE_BYTES]++;
    }
}

TEST(sharers_drop_pages_in_every_way) {
    char *pages = heap_grow_filled(PAGES, 5);
    race_begin();
    for (int round = 0; race_continues(round); round++) {
        run_together(4, drop_in_some_way, pages);
        pages[PAGE_BYTES]--;
        CHECK_PATTERN(pages, PAGES, 5, RACE_LOST);
    }
}
