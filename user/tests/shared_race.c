// Many processes use shared memory at the same time: no store is lost, and no frame.
#define TEST_FAMILY "shared"
#include "test.h"

#include "shared.h"

// Each process writes to its own word of one page: no store is lost.
TEST(many_write_words_of_one_page) {
    enum { WRITERS = 8, ROUNDS = 20000 };
    volatile uint64_t *words = (uint64_t *)map_shared();
    for (int i = 0; i < WRITERS; i++) {
        IN_CHILD {
            for (int round = 0; round < ROUNDS; round++)
                words[i]++;
        }
    }
    CHECK_CHILDREN(WRITERS);
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQUAL(ROUNDS, words[i]);
}

TEST(atomic_counters_are_exact) {
    enum { WRITERS = 8, ROUNDS = 10000 };
    struct {
        uint64_t sum;
        uint32_t taken, lock; // how often the lock was taken, and the lock
    } *counters = (void *)map_shared();
    for (int i = 0; i < WRITERS; i++) {
        IN_CHILD {
            for (uint64_t round = 0; round < ROUNDS; round++) {
                __atomic_fetch_add(&counters->sum, round, __ATOMIC_RELAXED);
                if (__atomic_exchange_n(&counters->lock, 1, __ATOMIC_ACQUIRE) != 0)
                    continue;
                *(volatile uint32_t *)&counters->taken += 1;
                __atomic_fetch_add(&counters->sum, 1ul << 40, __ATOMIC_RELAXED);
                __atomic_store_n(&counters->lock, 0, __ATOMIC_RELEASE);
            }
        }
    }
    CHECK_CHILDREN(WRITERS);
    CHECK_EQUAL((uint64_t)WRITERS * ROUNDS * (ROUNDS - 1) / 2, counters->sum & ((1ul << 40) - 1));
    CHECK_EQUAL(counters->taken, counters->sum >> 40);
    CHECK(counters->taken > 0);
}

// All processes touch each page first at the same time: one of them makes it.
TEST(many_touch_pages_first_at_once) {
    enum { WRITERS = 6, AREA = 200, ROUNDS = 3 };
    struct memstat before = start_counting();
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t *words = (uint32_t *)map_pages(AREA, RW, MAP_SHARED);
        for (int i = 0; i < WRITERS; i++) {
            IN_CHILD {
                for (int page = 0; page < AREA; page++)
                    __atomic_fetch_add(words + page * PAGE_BYTES / 4, 1, __ATOMIC_RELAXED);
            }
        }
        CHECK_CHILDREN(WRITERS);
        for (int page = 0; page < AREA; page++)
            CHECK_EQUAL(WRITERS, words[page * PAGE_BYTES / 4]);
        unmap_pages(words, AREA);
    }
    check_all_back(&before);
}

// A ball that two processes throw to each other, with no system call in between except to wait.
TEST(two_processes_take_turns) {
    enum { THROWS = 6 };
    volatile int *ball = (int *)map_shared();
    IN_CHILD {
        for (int i = 0; i < THROWS; i += 2) {
            while (*ball != i)
                sleep(0);
            *ball = i + 1;
        }
    }
    for (int i = 1; i < THROWS; i += 2) {
        while (*ball != i)
            continue;
        *ball = i + 1;
    }
    CHECK_CHILD(0);
    CHECK_EQUAL(THROWS, *ball);
}

// A process maps, shares and unmaps memory, and is killed at any moment.
TEST(killed_while_sharing) {
    uint32_t seed = 61;
    struct memstat before = start_counting();
    file_make_pattern("file", SHARED_PAGES * PAGE_BYTES);
    int fd = open("file", O_RDWR);
    for (int round = 0; round < 25; round++) {
        char *shared = map_shared();
        pid_t pid = TEST_FORK();
        while (pid == 0) {
            char *file = map_file(fd, 0, SHARED_PAGES * PAGE_BYTES, RW, MAP_SHARED),
                 *more = map_shared();
            memset(file, 1, 3 * PAGE_BYTES);
            memset(more, 1, 3 * PAGE_BYTES);
            memset(shared, 1, SHARED_PAGES * PAGE_BYTES);
            if (fork() == 0)
                exit(more[0] + file[0] - 2);
            wait(NULL);
            unmap_pages(file, SHARED_PAGES);
            unmap_pages(more, SHARED_PAGES);
        }
        shared[0] = 2;
        delay(random_next(&seed) % 300000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
        unmap_pages(shared, SHARED_PAGES);
    }
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_settle(before.frames_free));
}
