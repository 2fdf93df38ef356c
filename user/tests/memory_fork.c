// Which memory parent, child and other programs share: text, and after fork pages whose sharing
// they cannot notice.
#define TEST_FAMILY "memory"
#include "test.h"

#include "support.h"

static int data[2000] = {1, 2, 3};
static int zeroes[2000];

TEST(fork_copies_all_memory) {
    int local = 5;
    int *heap = (int *)heap_grow(PAGE_BYTES);
    data[0] = zeroes[0] = heap[0] = 5;
    IN_CHILD {
        CHECK_EQUAL(20, data[0] + zeroes[0] + heap[0] + local);
        data[0] = zeroes[0] = heap[0] = 6;
        *(volatile int *)&local = 6;
        IN_CHILD {
            CHECK_EQUAL(24, data[0] + zeroes[0] + heap[0] + *(volatile int *)&local);
            data[0] = zeroes[0] = heap[0] = 7;
        }
        CHECK_CHILD(0);
        CHECK_EQUAL(24, data[0] + zeroes[0] + heap[0] + *(volatile int *)&local);
    }
    CHECK_CHILD(0);
    CHECK_EQUAL(20, data[0] + zeroes[0] + heap[0] + *(volatile int *)&local);
}

TEST(parent_keeps_memory_its_child_gives_up) {
    char *start = heap_grow(20 * PAGE_BYTES);
    memset(start, 3, 20 * PAGE_BYTES);
    IN_CHILD {
        sbrk(-10 * PAGE_BYTES);
        memset(start, 4, 10 * PAGE_BYTES);
        memset(heap_grow(30 * PAGE_BYTES), 5, 30 * PAGE_BYTES);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(start, 3, 20 * PAGE_BYTES);
}

TEST(fork_without_memory_fails_cleanly) {
    for (int pages = 0; pages < 12; pages++) {
        IN_CHILD {
            memory_reserve_all();
            sbrk(-pages * PAGE_BYTES);
            uint64_t before = test_frames_free();
            pid_t pid = fork();
            if (pid == 0)
                exit(0);
            if (pid < 0) {
                CHECK_EQUAL(ENOMEM, errno);
                CHECK_EQUAL(before, test_frames_free());
            } else {
                CHECK_EQUAL(pid, wait(NULL));
            }
        }
        int status;
        CHECK(wait(&status) > 0);
        CHECK(status == 0 || status == TEST_STATUS_KILLED);
    }
}

TEST(programs_share_text) {
    static struct pageinfo first[TEXT_PAGES], second[TEXT_PAGES];
    text_sum();
    struct helper one = helper_start((char *[]){"+text_pages", NULL});
    struct helper two = helper_start((char *[]){"+text_pages", NULL});
    read_fully(one.from, first, sizeof first);
    read_fully(two.from, second, sizeof second);
    for (int i = 0; i < TEXT_PAGES; i++) {
        struct pageinfo own = test_page((char *)(uintptr_t)TEXT_START + i * PAGE_BYTES);
        CHECK_EQUAL(PAGE_PRESENT | PAGE_FILE, own.flags & (PAGE_PRESENT | PAGE_WRITE | PAGE_FILE));
        CHECK_FRAME(own.frame, first[i].frame);
        CHECK_FRAME(own.frame, second[i].frame);
        CHECK(own.sharers >= 4); // three programs and the cache
    }
    CHECK_EQUAL(0, close(one.to));
    CHECK_EQUAL(0, close(two.to));
    CHECK_CHILDREN(2);
}

TEST(zeroed_data_is_zero) {
    CHECK_BYTES(zeroes, 0, sizeof zeroes);
    CHECK_EQUAL(3, data[2]);
    CHECK_BYTES((char *)(data + 3), 0, sizeof data - 3 * sizeof data[0]);
    CHECK_EQUAL(0, helper_run((char *[]){"+empty", NULL}));
}

// If copies get lost, the two halves of a word come from different processes.
TEST(many_write_shared_pages_at_once) {
    enum { CHILDREN = 8, PAGES = 32 };
    uint64_t *words = (uint64_t *)heap_grow(PAGES * PAGE_BYTES);
    size_t count = PAGES * PAGE_BYTES / sizeof *words;
    for (size_t i = 0; i < count; i++)
        words[i] = i;
    for (uint64_t child = 1; child <= CHILDREN; child++) {
        IN_CHILD {
            for (int round = 0; round < 5; round++) {
                for (size_t i = 0; i < count; i++)
                    words[i] += child << 32;
            }
            for (size_t i = 0; i < count; i++)
                CHECK(words[i] == i + 5 * (child << 32));
        }
    }
    CHECK_CHILDREN(CHILDREN);
    for (size_t i = 0; i < count; i++)
        CHECK(words[i] == i);
}
