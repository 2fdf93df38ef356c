// Files that several processes map.
#define TEST_FAMILY "shared"
#include "test.h"

#include "shared.h"

static char *shared, *private;

// Two processes that have opened the file independently.
TEST(file_mapped_by_two_processes) {
    file_make_pattern("file", SHARED_PAGES * PAGE_BYTES);
    shared = map_file(open("file", O_RDWR), 0, SHARED_PAGES * PAGE_BYTES, RW, MAP_SHARED);
    IN_CHILD {
        char *own = map_file(open("file", O_RDWR), PAGE_BYTES, PAGE_BYTES, RW, MAP_SHARED);
        own[0] = 'x';
        CHECK_EQUAL('x', shared[PAGE_BYTES]);
        CHECK_FRAME(test_page(shared + PAGE_BYTES).frame, test_page(own).frame);
        shared[PAGE_BYTES + 1] = 'y';
        CHECK_EQUAL('y', own[1]);
    }
    CHECK_CHILD(0);
    CHECK_EQUAL('x', shared[PAGE_BYTES]);
    struct helper helper = helper_start((char *[]){"+store", "file", "5000", NULL});
    helper_finish(&helper, 0);
    CHECK_EQUAL('s', shared[5000]);
    pattern_check(shared, 0, PAGE_BYTES);
    unmap_pages(shared, SHARED_PAGES);
    int fd = open("file", O_RDONLY);
    read_fully(fd, buffer, 5001);
    CHECK(buffer[PAGE_BYTES] == 'x' && buffer[PAGE_BYTES + 1] == 'y' && buffer[5000] == 's');
}

TEST(mapped_file_stays_shared_across_fork) {
    file_make_pattern("file", SHARED_PAGES * PAGE_BYTES);
    shared = map_file(open("file", O_RDWR), 0, SHARED_PAGES * PAGE_BYTES, RW, MAP_SHARED);
    shared[0] = 'p';
    pattern_check(shared + PAGE_BYTES, PAGE_BYTES, PAGE_BYTES); // read, not written
    struct memstat before = start_counting();
    struct companion child = companion_start(fill_with_threes, shared);
    CHECK_BYTES(shared, 3, SHARED_PAGES * PAGE_BYTES);
    CHECK_FRAME(page_of(child.pid, shared).frame, test_page(shared).frame);
    CHECK_EQUAL(3, test_page(shared).sharers);
    CHECK_EQUAL(PAGE_WRITE, test_page(shared).flags & (PAGE_WRITE | PAGE_COW));
    CHECK_EQUAL(0, test_page(shared + PAGE_BYTES).flags & (PAGE_WRITE | PAGE_COW));
    struct memstat now = test_memstat();
    CHECK_EQUAL(true,
                now.faults[FAULT_COW_COPY] - before.faults[FAULT_COW_COPY] <
                    10); // of stacks and data
    companion_end(&child);
    CHECK_FAILS(open("file", O_RDWR | O_TRUNC), EBUSY);
    unmap_pages(shared, SHARED_PAGES);
    int fd = open("file", O_RDONLY);
    read_fully(fd, buffer, SHARED_PAGES * PAGE_BYTES);
    CHECK_BYTES(buffer, 3, SHARED_PAGES * PAGE_BYTES);
}

// A private mapping of the file shows what is stored in the file until its page is written.
TEST(private_mapping_beside_shared_mapping) {
    file_make_pattern("file", 2 * PAGE_BYTES);
    int fd = open("file", O_RDWR);
    shared = map_file(fd, 0, 2 * PAGE_BYTES, RW, MAP_SHARED);
    private = map_file(fd, 0, 2 * PAGE_BYTES, RW, MAP_PRIVATE);
    private[0] = 'p';
    IN_CHILD {
        shared[1] = 's';
        shared[PAGE_BYTES] = 's';
        private[PAGE_BYTES] = 'c';
    }
    CHECK_CHILD(0);
    CHECK(shared[0] == (char)pattern_byte(0) && shared[1] == 's' && shared[PAGE_BYTES] == 's');
    CHECK(private[0] == 'p' && private[1] == (char)pattern_byte(1) && private[PAGE_BYTES] == 's');
    unmap_pages(shared, 2);
    private[PAGE_BYTES] = 'x';
    read_fully(fd, buffer, 2 * PAGE_BYTES);
    CHECK(buffer[0] == (char)pattern_byte(0) && buffer[1] == 's' && buffer[PAGE_BYTES] == 's');
}

// Several processes count in a file; their changes are written back at any time.
TEST(counters_in_a_file_are_exact) {
    enum { WRITERS = 6, ROUNDS = 20 };
    memset(buffer, 0, 2 * PAGE_BYTES);
    file_make("file", buffer, 2 * PAGE_BYTES);
    for (int i = 0; i < WRITERS; i++) {
        IN_CHILD {
            int fd = open("file", O_RDWR);
            for (int round = 0; round < ROUNDS; round++) {
                uint32_t *words = (uint32_t *)map_file(fd, 0, 2 * PAGE_BYTES, RW, MAP_SHARED);
                for (int k = 0; k < 100; k++)
                    __atomic_fetch_add(&words[k % 2 * PAGE_BYTES / 4], 1, __ATOMIC_RELAXED);
                words[i + 1] += 1;
                if (round % 4 != 0)
                    unmap_pages(words, 2);
            }
        }
    }
    CHECK_CHILDREN(WRITERS);
    int fd = open("file", O_RDONLY);
    read_fully(fd, buffer, 2 * PAGE_BYTES);
    uint32_t *words = (uint32_t *)buffer;
    CHECK_EQUAL(WRITERS * ROUNDS * 100, words[0] + words[PAGE_BYTES / 4]);
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQUAL(ROUNDS, words[i + 1]);
}
