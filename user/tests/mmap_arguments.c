// Protections, and arguments that must be refused.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "abi/syscall.h"
#include "mmap.h"

#define NUMBER(number, name) SYSCALL_##name = (number),
enum { SYSCALLS(NUMBER) };

static struct syscall_result raw_mmap(const long *a) {
    return raw_syscall6(SYSCALL_mmap, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// Every combination: loads, stores and (where code can be stored) jumps work or kill.
TEST(anonymous_mappings_obey_protection) {
    static const uint32_t code = 0x00008067; // ret
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        for (int protection = PROT_NONE; protection <= PROT_ALL; protection++) {
            char *start = map_pages(1, protection, sharings[i]);
            for (enum touch how = TOUCH_LOAD; how <= TOUCH_STORE; how++)
                if (touch_works(start, how) != protection_allows(protection, how))
                    FAIL("expected way %d %d with protection %d, saw the opposite", how,
                         protection_allows(protection, how), protection);
            if (protection & PROT_WRITE) {
                memcpy(start, &code, sizeof code);
                __asm__ volatile("fence.i" ::: "memory");
                CHECK_EQUAL((protection & PROT_EXEC) != 0, touch_works(start, TOUCH_JUMP));
            } else {
                check_touch_kills(start, TOUCH_JUMP);
            }
            CHECK_EQUAL(PAGE_REGION, flags_at(start) & PAGE_REGION);
            unmap_pages(start, 1);
        }
    }
}

static void check_unreadable(const char *page) {
    CHECK_FAILS(write(TEST_FD, page, 1), EFAULT);
    CHECK_FAILS(open(page, O_RDONLY), EFAULT);
    CHECK_FAILS(exec(page, (char *[]){"x", NULL}), EFAULT);
    CHECK_FAILS(exec(USERTESTS, (char **)(uintptr_t)page), EFAULT);
}

static void check_unwritable(int fd, char *page) {
    CHECK_FAILS(read(fd, page, 1), EFAULT);
    CHECK_FAILS(fstat(fd, (struct stat *)page), EFAULT);
    CHECK_FAILS(pipe((int *)page), EFAULT);
    CHECK_FAILS(memstat((struct memstat *)page, 0), EFAULT);
}

// The kernel reads and writes for a program only what the program may.
TEST(protections_hold_for_system_calls) {
    file_make_pattern("file", 100);
    int fd = open("file", O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        for (int protection = PROT_NONE; protection <= PROT_ALL; protection++) {
            char *start = map_pages(1, protection, sharings[i]);
            for (int round = 0; round < 2; round++) { // in the second the page is present
                if (protection_allows(protection, TOUCH_LOAD))
                    write_fully(fd, start, 1);
                else
                    check_unreadable(start);
                if (protection_allows(protection, TOUCH_STORE))
                    read_fully(fd, start, 1);
                else
                    check_unwritable(fd, start);
            }
            unmap_pages(start, 1);
        }
    }
}

TEST(buffers_across_mappings) {
    enum { ODD = 1000 };
    file_make_pattern("file", 6 * PAGE_BYTES);
    map_fixed(FREE_PLACE, 1, RW, MAP_PRIVATE);
    map_fixed(FREE_PLACE + PAGE_BYTES, 1, RW, MAP_SHARED);
    map_fixed(FREE_PLACE + 2 * PAGE_BYTES, 1, PROT_ALL, MAP_PRIVATE);
    map_fixed(FREE_PLACE + 3 * PAGE_BYTES, 1, PROT_READ, MAP_PRIVATE);
    int fd = open("file", O_RDWR), out = open("out", O_CREATE | O_RDWR);
    CHECK_EQUAL(3 * PAGE_BYTES - ODD, read(fd, FREE_PLACE + ODD, 3 * PAGE_BYTES - ODD));
    pattern_check(FREE_PLACE + ODD, 0, 3 * PAGE_BYTES - ODD);
    CHECK_EQUAL(4 * PAGE_BYTES - ODD, write(out, FREE_PLACE + ODD, 4 * PAGE_BYTES - ODD));
    CHECK_FAILS(write(out, FREE_PLACE + 3 * PAGE_BYTES, PAGE_BYTES + 1), EFAULT);
    CHECK_FAILS(read(fd, FREE_PLACE + 2 * PAGE_BYTES, PAGE_BYTES + 1), EFAULT);
    CHECK_EQUAL(4 * PAGE_BYTES - ODD, file_stat("out").size);
    file_check_pattern("file", 6 * PAGE_BYTES);
}

// Every call that must be refused, and with which error.
TEST(wrong_arguments_are_refused) {
    static const struct {
        long arguments[6]; // address, length, protection, flags, fd, offset
        int error;
    } wrong[] = {
        {{0, 0, RW, PRIVATE, -1, 0}, EINVAL},
        {{0, 0, RW, SHARED, -1, 0}, EINVAL},
        {{(long)FREE_PLACE, 0, RW, PRIVATE | MAP_FIXED, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, RW, 0, -1, 0}, EINVAL}, // neither private nor shared
        {{0, PAGE_BYTES, RW, MAP_ANONYMOUS, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, RW, PRIVATE | MAP_SHARED, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, RW, PRIVATE | 4, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, RW, PRIVATE | 8, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, RW, PRIVATE | 0x40, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, RW, PRIVATE | 0x4000, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, RW, PRIVATE | 1l << 31, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, 8, PRIVATE, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, RW | 0x100, PRIVATE, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, -1, PRIVATE, -1, 0}, EINVAL},
        {{(long)FREE_PLACE + 1, PAGE_BYTES, RW, PRIVATE | MAP_FIXED, -1, 0}, EINVAL},
        {{0, PAGE_BYTES, PROT_READ, MAP_PRIVATE, -1, 0}, EBADF},
        {{0, PAGE_BYTES, PROT_READ, MAP_SHARED, OPEN_MAX, 0}, EBADF},
        {{0, PAGE_BYTES, PROT_READ, MAP_PRIVATE, 1 << 20, 0}, EBADF},
        {{0, PAGE_BYTES, PROT_READ, MAP_PRIVATE, INT32_MAX, 0}, EBADF},
        {{0, PAGE_BYTES, PROT_READ, MAP_PRIVATE, OPEN_MAX - 2, 0}, EBADF}, // closed
    };
    struct memstat before = start_counting();
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct syscall_result result = raw_mmap(wrong[i].arguments);
        if (result.value != -1 || result.error != wrong[i].error)
            FAIL("expected call %zu to fail with %d, saw %ld (error %ld)", i, wrong[i].error,
                 result.value, result.error);
    }
    check_all_back(&before);
}

// Without a file, descriptor and offset have no meaning.
TEST(anonymous_mappings_ignore_the_descriptor) {
    static const int fds[] = {-1, 0, 99, TEST_FD, INT32_MIN};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        char *start = mmap(NULL, PAGE_BYTES, RW, PRIVATE, fds[i], 0);
        CHECK(start != MAP_FAILED);
        memset(start, 1, PAGE_BYTES);
        unmap_pages(start, 1);
    }
}

TEST(mappings_at_bad_addresses) {
    struct memstat before = start_counting();
    for (size_t i = 0; i < BAD_ADDRESS_COUNT; i++) {
        void *bad = (void *)bad_addresses[i];
        bool aligned = bad_addresses[i] % PAGE_BYTES == 0, inside = bad_addresses[i] < USER_TOP;
        if (aligned && inside) {
            map_filled(bad, 1, 1);
            unmap_pages(bad, 1);
            continue;
        }
        CHECK_FAILS(munmap(bad, PAGE_BYTES), EINVAL);
        CHECK_FAILS_EITHER((long)mmap(bad, PAGE_BYTES, RW, PRIVATE | MAP_FIXED, -1, 0),
                           inside ? EINVAL : ENOMEM, EINVAL);
    }
    check_all_back(&before);
}

TEST(wild_arguments_do_no_harm) {
    static const long wild[] = {0,         1,         -1,       PAGE_BYTES,  -PAGE_BYTES,
                                USER_TOP,  1l << 38,  1l << 62, INT64_MAX,   INT64_MIN,
                                INT32_MAX, INT32_MIN, 1l << 32, 0x1000000000};
    struct memstat before = start_counting();
    uint32_t seed = 41;
    for (int round = 0; round < 2000; round++) {
        long arguments[6];
        for (int i = 0; i < 6; i++)
            arguments[i] = wild[random_next(&seed) % ARRAY_SIZE(wild)];
        if (round % 2 == 0)
            arguments[2] &= PROT_ALL, arguments[3] &= ~MAP_FIXED;
        if (arguments[3] & MAP_FIXED && arguments[0] < 0x1000000000)
            continue; // it would replace the program
        struct syscall_result result = raw_mmap(arguments);
        CHECK(result.value == -1 || (uintptr_t)result.value < USER_TOP);
        if (result.value != -1)
            CHECK_EQUAL(0, munmap((void *)result.value, (size_t)arguments[1]));
    }
    check_all_back(&before);
}
