// Help for the tests of usertests: see the header.
#include "support.h"

#include "test.h"

const uintptr_t bad_addresses[BAD_ADDRESS_COUNT] = {
    8,         // in the null page
    0x2000000, // devices and RAM by their physical addresses
    0x10000000,
    0x80000000,
    0x80200000,
    0x3fffffe000, // the last pages of the user half
    0x3ffffffff8,
    0x4000000000, // just above it
    0x4000001000,
    0x8000000000, // in neither half
    0xfffffff000000,
    0x8000000000000000,
    0xffffffbffffffff8, // below the kernel's half, in it, and its end
    0xffffffc000000000,
    0xffffffc080200000,
    0xffffffffffffff00,
};

uint32_t random_next(uint32_t *state) {
    *state ^= *state << 13; // Marsaglia, Xorshift RNGs (2003)
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

void delay(unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++)
        __asm__ volatile("");
}

static struct procinfo process_info(pid_t pid) {
    struct procinfo info;
    CHECK_EQUAL(pid, procinfo(pid, &info));
    return info;
}

void wait_until_state(pid_t pid, enum process_state state) {
    delay(100000); // usually long enough
    while (process_info(pid).state != (int)state)
        sleep(1);
}

void wait_until_waits(pid_t pid, enum process_wait wait) {
    delay(100000);
    for (;; sleep(1)) {
        struct procinfo info = process_info(pid);
        if (info.state == PROCESS_SLEEPING && info.waits_for == (int)wait)
            return;
    }
}

void touch(const void *address, enum touch how) {
    if (how == TOUCH_LOAD)
        (void)*(const volatile char *)address;
    else if (how == TOUCH_STORE)
        *(volatile char *)(uintptr_t)address = 1;
    else
        ((void (*)(void))(uintptr_t)address)();
}

bool touch_works(const void *address, enum touch how) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        touch(address, how);
        exit(0);
    }
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    CHECK(status == 0 || status == TEST_STATUS_KILLED);
    return status == 0;
}

void check_touch_kills(const void *address, enum touch how) {
    if (touch_works(address, how))
        FAIL("expected touching %p in way %d to kill, saw it work", address, how);
}

__attribute__((noinline)) int descend(int left) {
    volatile char room[200];
    room[left % (int)sizeof room] = 1;
    return left == 0 ? room[0] : descend(left - 1) + room[left % (int)sizeof room];
}

unsigned flags_at(const void *p) {
    return test_page(p).flags;
}

char *heap_grow(int bytes) {
    char *start = sbrk(bytes);
    CHECK(start != (char *)-1);
    return start;
}

uint64_t user_frames(void) {
    return test_memstat().frames_used[FRAME_USER];
}

uint64_t table_frames(void) {
    return test_memstat().frames_used[FRAME_TABLE];
}

char *map_pages(size_t page_count, int protection, int flags) {
    char *start = mmap(NULL, page_count * PAGE_BYTES, protection, flags | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        FAIL("expected to map %zu pages, saw: %s", page_count, strerror(errno));
    CHECK_EQUAL(0, (uintptr_t)start % PAGE_BYTES);
    return start;
}

char *map_file(int fd, size_t offset, size_t bytes, int protection, int flags) {
    char *start = mmap(NULL, bytes, protection, flags, fd, (long)offset);
    if (start == MAP_FAILED)
        FAIL("expected to map %zu bytes of a file, saw: %s", bytes, strerror(errno));
    CHECK_EQUAL(0, (uintptr_t)start % PAGE_BYTES);
    return start;
}

void unmap_pages(void *start, size_t page_count) {
    if (munmap(start, page_count * PAGE_BYTES) != 0)
        FAIL("expected to unmap %zu pages, saw: %s", page_count, strerror(errno));
}

void memory_reserve_all(void) {
    test_own_pages();
    for (int step = 1 << 30; step >= PAGE_BYTES; step /= 2) {
        while (sbrk(step) != (char *)-1)
            ;
        CHECK_EQUAL(ENOMEM, errno);
    }
}

struct helper helper_start(char **arguments) {
    return program_start(USERTESTS, arguments);
}

struct helper program_start(const char *path, char **arguments) {
    int to[2], from[2];
    CHECK_EQUAL(0, pipe(to));
    CHECK_EQUAL(0, pipe(from));
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        CHECK_EQUAL(0, close(0));
        CHECK_EQUAL(0, dup(to[0]));
        CHECK_EQUAL(0, close(1));
        CHECK_EQUAL(1, dup(from[1]));
        for (int i = 0; i < 2; i++) {
            CHECK_EQUAL(0, close(to[i]));
            CHECK_EQUAL(0, close(from[i]));
        }
        exec(path, arguments);
        FAIL("expected exec to work, saw errno %d", errno);
    }
    CHECK_EQUAL(0, close(to[0]));
    CHECK_EQUAL(0, close(from[1]));
    return (struct helper){.pid = pid, .to = to[1], .from = from[0]};
}

void helper_finish(struct helper *helper, int expected_status) {
    CHECK_EQUAL(0, close(helper->to));
    CHECK_EQUAL(0, close(helper->from));
    int status = 0;
    CHECK_EQUAL(helper->pid, wait(&status));
    CHECK_EQUAL(expected_status, status);
}

int helper_run(char **arguments) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        exec(USERTESTS, arguments);
        FAIL("expected exec to work, saw errno %d", errno);
    }
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    return status;
}
