// Maps, writes, unmaps and forks at random in an area of its own, and compares each page with a
// model.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "mmap.h"

enum { AREA_PAGES = 40 };

struct page {
    bool mapped, shared;
    int protection;
    uint8_t byte; // its first and last
};

static struct page area[AREA_PAGES];
static int area_pipe[2];

static char *area_page(size_t i) {
    return FREE_PLACE + i * PAGE_BYTES;
}

static void area_map(uint32_t *seed) {
    static const int protections[] = {PROT_NONE, PROT_READ, RW, RW, RW};
    size_t first = random_next(seed) % AREA_PAGES, count = 1 + random_next(seed) % 6;
    if (count > AREA_PAGES - first)
        count = AREA_PAGES - first;
    int protection = protections[random_next(seed) % ARRAY_SIZE(protections)];
    bool shared = random_next(seed) % 3 == 0;
    int flags = (shared ? SHARED : PRIVATE) | MAP_FIXED;
    if (mmap(area_page(first), count * PAGE_BYTES, protection, flags, -1, 0) == MAP_FAILED) {
        CHECK_EQUAL(ENOMEM, errno); // no more regions
        return;
    }
    for (size_t i = first; i < first + count; i++)
        area[i] = (struct page){true, shared, protection, 0};
}

static void area_unmap(uint32_t *seed) {
    size_t first = random_next(seed) % AREA_PAGES, count = 1 + random_next(seed) % 9;
    if (count > AREA_PAGES - first)
        count = AREA_PAGES - first;
    if (munmap(area_page(first), count * PAGE_BYTES) < 0) {
        CHECK_EQUAL(ENOMEM, errno);
        return;
    }
    for (size_t i = first; i < first + count; i++)
        area[i] = (struct page){0};
}

// Lets the kernel store, because a system call reports a page that cannot be written.
static void area_write(size_t i, uint8_t byte) {
    struct page *p = &area[i];
    bool works = p->mapped && p->protection & PROT_WRITE;
    for (size_t at = 0; at < PAGE_BYTES; at += PAGE_BYTES - 1) {
        write_fully(area_pipe[1], &byte, 1);
        if (works)
            read_fully(area_pipe[0], area_page(i) + at, 1);
        else
            CHECK_FAILS(read(area_pipe[0], area_page(i) + at, 1), EFAULT);
        if (!works)
            read_fully(area_pipe[0], &byte, 1);
    }
    if (works)
        p->byte = byte;
}

static void area_check(void) {
    struct pageinfo pages[AREA_PAGES];
    CHECK_EQUAL(AREA_PAGES, pagemap(getpid(), (uint64_t)FREE_PLACE, pages, AREA_PAGES));
    for (size_t i = 0; i < AREA_PAGES; i++) {
        const char *page = area_page(i);
        if (area[i].mapped && area[i].protection & PROT_READ)
            CHECK(page[0] == area[i].byte && page[PAGE_BYTES - 1] == area[i].byte &&
                  page[100] == 0);
        else
            CHECK_FAILS(write(area_pipe[1], page, 1), EFAULT);
        CHECK_EQUAL(area[i].mapped ? PAGE_REGION : 0, pages[i].flags & PAGE_REGION);
    }
}

// A child writes to all pages that it can; the parent must see those that are shared.
static void area_fork(uint8_t byte) {
    IN_CHILD {
        area_check();
        for (size_t i = 0; i < AREA_PAGES; i++)
            area_write(i, byte);
        area_check();
    }
    CHECK_CHILD(0);
    for (size_t i = 0; i < AREA_PAGES; i++) {
        if (area[i].shared && area[i].protection & PROT_WRITE)
            area[i].byte = byte;
    }
}

static void area_run(uint32_t seed, int steps) {
    CHECK_EQUAL(0, pipe(area_pipe));
    for (int step = 0; step < steps; step++) {
        uint32_t kind = random_next(&seed) % 32, r = random_next(&seed);
        if (kind < 12)
            area_map(&seed);
        else if (kind < 16)
            area_unmap(&seed);
        else if (kind < 30)
            area_write(r % AREA_PAGES, (uint8_t)(r >> 16) & 0x7f);
        else if (kind == 30)
            area_check();
        else
            area_fork((uint8_t)(r >> 16) & 0x7f);
    }
    area_check();
    unmap_pages(FREE_PLACE, AREA_PAGES);
}

TEST(random_mappings_match_the_model) {
    struct memstat before = start_counting();
    IN_CHILD area_run(17, 1500);
    CHECK_CHILD(0);
    check_all_back(&before);
}

TEST(many_map_at_once) {
    for (uint32_t i = 0; i < 6; i++)
        IN_CHILD area_run(100 + i, 300);
    CHECK_CHILDREN(6);
}

TEST_SLOW(long_random_mappings_match_the_model) {
    for (uint32_t i = 0; i < 4; i++)
        IN_CHILD area_run(1000 + i, 2000);
    CHECK_CHILDREN(4);
}

TEST(killed_while_mapping) {
    uint32_t seed = 51;
    for (uint32_t round = 0; round < 20; round++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            area_run(round + 1, INT32_MAX);
            exit(1);
        }
        delay(random_next(&seed) % 400000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}
