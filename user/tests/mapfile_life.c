// mmap of files: how long files, mappings and changed pages last, and how much of the block cache
// mappings may take.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "mmap.h"

enum { SIZE = 5 * PAGE_BYTES + 100, PAGES = 6 };

// Without a descriptor and without a name, the pages stay until they are unmapped.
TEST(mappings_outlive_close_and_unlink) {
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        char *start = map_new_pattern("file", SIZE, RW, sharings[i]);
        CHECK_EQUAL(pattern_byte(0), *start);
        CHECK_EQUAL(0, unlink("file"));
        file_make_pattern("other", 20 * PAGE_BYTES); // takes blocks that are free
        pattern_check(start, 0, SIZE);
        start[PAGE_BYTES] ^= 1;
        IN_CHILD start[2 * PAGE_BYTES] ^= 1;
        CHECK_CHILD(0);
        start[PAGE_BYTES] ^= 1;
        if (sharings[i] == MAP_SHARED)
            start[2 * PAGE_BYTES] ^= 1;
        pattern_check(start, 0, SIZE);
        unmap_pages(start, PAGES);
        file_check_pattern("other", 20 * PAGE_BYTES);
    }
}

// Their blocks and inodes are freed when they are unmapped: the disk has no room for all of them.
TEST(unlinked_mapped_files_are_freed) {
    enum { LARGE = 64 * PAGE_BYTES };
    for (int round = 0; round < 130; round++) {
        char *start = map_new_pattern("file", LARGE, RW, sharings[round % 2]);
        CHECK_EQUAL(0, unlink("file"));
        start[LARGE - 1] ^= 1;
        if (round % 3 != 0)
            unmap_pages(start, LARGE / PAGE_BYTES);
        if (round % 3 == 0) {
            IN_CHILD {}
            CHECK_CHILD(0);
            unmap_pages(start, LARGE / PAGE_BYTES);
        }
    }
}

TEST(mapped_files_cannot_be_truncated) {
    char *start = map_new_pattern("file", SIZE, RW, MAP_SHARED);
    start[0] ^= 1;
    for (int i = 0; i < 3; i++)
        CHECK_FAILS(open("file", O_RDWR | O_TRUNC), EBUSY);
    IN_CHILD {
        unmap_pages(start, PAGES);
        CHECK_FAILS(open("file", O_WRONLY | O_TRUNC), EBUSY);
    }
    CHECK_CHILD(0);
    unmap_pages(start + PAGE_BYTES, PAGES - 1);
    CHECK_FAILS(open("file", O_RDWR | O_TRUNC), EBUSY);
    start[0] ^= 1;
    unmap_pages(start, 1);
    file_check_pattern("file", SIZE);
    CHECK_EQUAL(0, close(open("file", O_RDWR | O_TRUNC)));
    CHECK_EQUAL(0, file_stat("file").size);
    // Private mappings do not prevent truncation; a page that was read stays or is gone.
    start = map_new_pattern("file", SIZE, RW, MAP_PRIVATE);
    CHECK_EQUAL(pattern_byte(PAGE_BYTES), start[PAGE_BYTES]);
    start[0] = 1;
    CHECK_EQUAL(0, close(open("file", O_RDWR | O_TRUNC)));
    file_make_pattern("other", 20 * PAGE_BYTES);
    CHECK_EQUAL(1, start[0]);
    pattern_check(start + 1, 1, PAGE_BYTES - 1);
    CHECK(!touch_works(start + PAGE_BYTES, TOUCH_LOAD) ||
          (uint8_t)start[PAGE_BYTES] == pattern_byte(PAGE_BYTES));
    check_touch_kills(start + 2 * PAGE_BYTES, TOUCH_LOAD);
}

enum { MOST_PAGES = 1024, STEP = 32, STEPS = MOST_PAGES / STEP };

static char *starts[STEPS];

// Maps the file shared, STEP pages at a time, until that is refused; returns how often it worked.
static size_t map_shared_steps(int fd) {
    size_t count = 0;
    for (char *start; count < STEPS; count++) {
        long offset = (long)(count * STEP * PAGE_BYTES);
        start = mmap(NULL, STEP * PAGE_BYTES, RW, MAP_SHARED, fd, offset);
        if (start == MAP_FAILED)
            break;
        starts[count] = start;
    }
    CHECK_EQUAL(ENOMEM, errno);
    CHECK(count >= 4 && count < STEPS);
    return count;
}

// A private mapping of the whole file shows what was stored in the shared steps, and the rest.
static void check_private_mapping(int fd, size_t count) {
    char *private = map_file(fd, 0, MOST_PAGES * PAGE_BYTES, RW, MAP_PRIVATE);
    for (size_t i = 0; i < count; i++)
        CHECK_EQUAL((int)i, private[i * STEP * PAGE_BYTES]);
    for (size_t i = count * STEP; i < MOST_PAGES; i++) {
        char byte = private[i * PAGE_BYTES];
        CHECK_EQUAL(pattern_byte(i * PAGE_BYTES), (uint8_t)byte);
    }
    unmap_pages(private, MOST_PAGES);
}

// Shared mappings may take a part of the block cache. A refusal beyond that harms no process, and
// the cache continues to work.
TEST(shared_mappings_of_files_are_limited) {
    file_make_pattern("file", MOST_PAGES * PAGE_BYTES);
    int fd = open("file", O_RDWR);
    test_own_pages();
    uint64_t before = test_frames_free();
    size_t count = map_shared_steps(fd);
    for (size_t i = 0; i < count; i++)
        pattern_check(starts[i], i * STEP * PAGE_BYTES, STEP * PAGE_BYTES);
    for (size_t i = 0; i < count; i++)
        memset(starts[i], (int)i, STEP * PAGE_BYTES);
    CHECK_FAILS(fork(), ENOMEM);
    file_make_pattern("other", MOST_PAGES * PAGE_BYTES); // passes through the rest of the cache
    file_check_pattern("other", MOST_PAGES * PAGE_BYTES);
    for (size_t i = 0; i < count; i++)
        CHECK_BYTES(starts[i], (int)i, STEP * PAGE_BYTES);
    check_private_mapping(fd, count);
    for (size_t i = 0; i < count; i++)
        unmap_pages(starts[i], STEP);
    test_own_pages();
    CHECK_EQUAL(before, test_frames_free());
    for (size_t i = 0; i < count; i++)
        read_fully(fd, buffer, PAGE_BYTES);
    char *again = map_file(fd, 0, STEP * PAGE_BYTES, PROT_READ, MAP_SHARED);
    CHECK_BYTES(again, 0, STEP * PAGE_BYTES);
    IN_CHILD CHECK_BYTES(again, 0, STEP * PAGE_BYTES);
    CHECK_CHILD(0);
}

TEST(repeated_file_mapping_leaks_nothing) {
    int fd = pattern_open("file", SIZE, O_RDWR);
    test_own_pages();
    uint64_t before = test_frames_free();
    for (int round = 0; round < 200; round++) {
        char *start = map_file(fd, 0, SIZE, round % 3 == 0 ? PROT_READ : RW, sharings[round % 2]);
        pattern_check(start + round % PAGES * PAGE_BYTES, (size_t)(round % PAGES) * PAGE_BYTES,
                      100);
        if (round % 3 != 0 && round % 2 == 0)
            memset(start, 1, SIZE);
        if (round % 8 == 0)
            unmap_pages(start + 2 * PAGE_BYTES, 1);
        unmap_pages(start, PAGES);
        CHECK_FAILS((long)mmap(NULL, SIZE, RW, MAP_PRIVATE, fd, 1), EINVAL);
    }
    CHECK_EQUAL(before, test_frames_free());
    CHECK_EQUAL(0, close(open("file", O_RDWR | O_TRUNC)));
}

// However a program ends, the file has its changed pages afterwards.
TEST(changes_reach_the_file_however_a_process_ends) {
    for (int way = 0; way < 6; way++) {
        file_make_pattern("file", SIZE);
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            char *start = map_file(open("file", O_RDWR), 0, SIZE, RW, MAP_SHARED);
            for (int i = 0; i < PAGES; i++)
                start[i * PAGE_BYTES + 9] = (char)(way + 1);
            for (int fd = 0; fd < TEST_FD; fd++)
                close(fd);
            if (way == 1)
                unmap_pages(start, PAGES);
            if (way == 2)
                exec(USERTESTS, (char *[]){"+exit", "0", NULL});
            if (way == 3)
                kill(getpid());
            if (way == 4)
                touch(NULL, TOUCH_STORE);
            if (way == 5)
                CHECK(mmap(start, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
                      start);
            exit(0);
        }
        CHECK_CHILD(way == 3 || way == 4 ? TEST_STATUS_KILLED : 0);
        for (size_t i = 0; i < PAGES; i++)
            CHECK_EQUAL(way + 1, file_byte("file", i * PAGE_BYTES + 9));
        CHECK_EQUAL(pattern_byte(10), file_byte("file", 10));
        CHECK_EQUAL(SIZE, file_stat("file").size);
        CHECK_EQUAL(0, unlink("file"));
    }
}

// While a dying process writes its pages back, which takes the disk's time, it still has them.
TEST(invariants_hold_while_changed_pages_are_written_back) {
    enum { MANY = 60 };
    int fd = pattern_open("file", MANY * PAGE_BYTES, O_RDWR);
    uint64_t broken = test_memstat().violations;
    for (int round = 0; round < 5; round++) {
        struct memstat stat;
        struct procinfo child;
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            char *start = map_file(fd, 0, MANY * PAGE_BYTES, RW, MAP_SHARED);
            for (int i = 0; i < MANY; i++)
                start[i * PAGE_BYTES]++;
            exit(0);
        }
        do {
            CHECK_EQUAL(0, memstat(&stat, MEMSTAT_CHECK));
            CHECK_EQUAL(broken, stat.violations);
        } while (procinfo(pid, &child) == pid && child.state != PROCESS_ZOMBIE);
        CHECK_CHILD(0);
    }
}

// A vfork child's mapping of a file lasts as long as the memory that it borrowed.
TEST(vfork_child_maps_a_file) {
    static char *volatile start;
    file_make_pattern("file", SIZE);
    pid_t pid = vfork();
    if (pid == 0) {
        start = map_file(open("file", O_RDWR), 0, SIZE, RW, MAP_SHARED);
        start[0] = 'v';
        exit(0);
    }
    CHECK_CHILD(0);
    start[PAGE_BYTES] = 'p';
    CHECK_FAILS(open("file", O_TRUNC | O_RDWR), EBUSY);
    unmap_pages(start, PAGES);
    CHECK_EQUAL('v', file_byte("file", 0));
    CHECK_EQUAL('p', file_byte("file", PAGE_BYTES));
}
