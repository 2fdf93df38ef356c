// Storms: system calls with random arguments, good and bad.
#define TEST_FAMILY "hostile"
#include "test.h"

#include "hostile.h"

// Where the storms take their arguments from.
static const char *const storm_paths[] = {
    "a",      "b", "d", "d/a", "d/b", "d/d",       "./a",
    "d/../b", "",  ".", "d/.", "a/x", "missing/x", "aVeryLongNameIndeed",
    "d//a/"};

static long storm_pointer(uint32_t *seed) {
    uint32_t r = random_next(seed);
    switch (r % 4) {
    case 0:
        return (long)unwritable[r / 4 % ARRAY_SIZE(unwritable)];
    case 1:
        return (long)edge - (long)(r / 4 % 300);
    default:
        return (long)buffer + (long)(r / 4 % sizeof buffer);
    }
}

static long storm_path(uint32_t *seed) {
    uint32_t r = random_next(seed);
    if (r % 8 == 0)
        return (long)unreadable[r / 8 % ARRAY_SIZE(unreadable)];
    return (long)storm_paths[r / 8 % ARRAY_SIZE(storm_paths)];
}

static long storm_number(uint32_t *seed) {
    static const long numbers[] = {0,       1,         -1,        2,         3,         15,
                                   16,      17,        100,       4096,      65536,     100000,
                                   1 << 20, INT32_MAX, INT32_MIN, 1ll << 32, INT64_MAX, INT64_MIN};
    uint32_t r = random_next(seed);
    return r % 2 == 0 ? (long)(r / 2 % 20) : numbers[r / 2 % ARRAY_SIZE(numbers)];
}

// Makes a mapping that replaces nothing, and uses and unmaps a part of it.
static void storm_mapping(uint32_t *seed) {
    uint32_t r = random_next(seed);
    long flags =
        r % 4 == 0 ? storm_number(seed) & ~(long)MAP_FIXED : (r % 8 < 6 ? MAP_PRIVATE : MAP_SHARED);
    if (r % 3 != 0)
        flags |= MAP_ANONYMOUS;
    struct syscall_result mapped =
        raw_syscall6(SYSCALL_mmap, storm_pointer(seed), storm_number(seed), r / 8 % 8, flags,
                     r / 64 % OPEN_MAX, storm_number(seed) * PAGE_BYTES);
    if (mapped.value == -1)
        return;
    raw_syscall(SYSCALL_memstat, mapped.value, 0, 0, 0);
    if (r % 16 != 0)
        raw_syscall(SYSCALL_munmap, mapped.value, storm_number(seed), 0, 0);
}

// Grows or shrinks the heap, but not below the edge.
static void storm_heap(bool grows, uint32_t r) {
    if (grows)
        sbrk((int)(r % (16 * PAGE_BYTES)));
    else if (sbrk(0) > edge)
        sbrk(-(int)(r % (uint64_t)(sbrk(0) - edge)));
}

// Calls about processes and memory; none can make the storm wait for long or harm others.
static void storm_process_call(uint32_t *seed) {
    static const int pids[] = {0, -1, INT32_MAX, INT32_MIN};
    uint32_t r = random_next(seed);
    switch (r % 10) {
    case 0:
        if (raw_syscall(SYSCALL_fork, storm_number(seed), 0, 0, 0).value == 0)
            exit(0);
        break;
    case 1:
        raw_syscall(SYSCALL_wait, storm_pointer(seed), 0, 0, 0);
        break;
    case 2:
        raw_syscall(SYSCALL_kill, pids[r / 8 % ARRAY_SIZE(pids)], 0, 0, 0);
        break;
    case 3:
    case 4:
        storm_heap(r % 10 == 3, r / 8);
        break;
    case 5:
        raw_syscall(SYSCALL_exec, storm_path(seed), storm_pointer(seed), 0, 0);
        break;
    case 6:
        raw_syscall(SYSCALL_pagemap, r / 8 % 4 == 0 ? storm_number(seed) : 0,
                    storm_number(seed) * PAGE_BYTES, storm_pointer(seed), storm_number(seed));
        break;
    case 7:
        raw_syscall(r / 8 % 2 == 0 ? SYSCALL_procinfo : SYSCALL_memstat, storm_pointer(seed),
                    storm_pointer(seed), 0, 0);
        break;
    case 8:
        storm_mapping(seed);
        break;
    case 9:
        if (raw_syscall(SYSCALL_vfork, storm_number(seed), 0, 0, 0).value == 0)
            exit(0);
        break;
    }
}

// Makes a pipe and closes one end, so that no call waits for it.
static void storm_pipe(uint32_t *seed) {
    int *fds = (int *)storm_pointer(seed), first = 0, second = 0;
    if (raw_syscall(SYSCALL_pipe, (long)fds, 0, 0, 0).value != 0)
        return;
    memcpy(&first, fds, sizeof first);
    memcpy(&second, (char *)fds + sizeof first, sizeof second);
    close(random_next(seed) % 2 == 0 ? first : second);
}

static void storm_descriptor_call(uint32_t *seed) {
    uint32_t r = random_next(seed);
    long fd = r / 8 % 8 == 0 ? storm_number(seed) : (long)(r / 64 % OPEN_MAX);
    switch (r % 8) {
    case 0:
    case 1:
        raw_syscall(SYSCALL_read, fd, storm_pointer(seed), storm_number(seed), 0);
        break;
    case 2:
    case 3:
        raw_syscall(SYSCALL_write, fd, storm_pointer(seed), storm_number(seed), 0);
        break;
    case 4:
        raw_syscall(SYSCALL_fstat, fd, storm_pointer(seed), 0, 0);
        break;
    case 5:
        raw_syscall(SYSCALL_dup, fd, 0, 0, 0);
        break;
    case 6:
        raw_syscall(SYSCALL_close, fd, 0, 0, 0);
        break;
    case 7:
        storm_pipe(seed);
        break;
    }
}

static void storm_name_call(uint32_t *seed) {
    uint32_t r = random_next(seed);
    switch (r % 8) {
    case 0:
    case 1:
    case 2:
        raw_syscall(SYSCALL_open, storm_path(seed),
                    r / 8 % 2 == 0 ? O_CREATE | O_RDWR : storm_number(seed), 0, 0);
        break;
    case 3:
        raw_syscall(SYSCALL_mkdir, storm_path(seed), 0, 0, 0);
        break;
    case 4: // any device but the console
        raw_syscall(SYSCALL_mknod, storm_path(seed), DEVICE_CONSOLE + 1 + (r / 8 & 0xff),
                    storm_number(seed), 0);
        break;
    case 5:
        raw_syscall(SYSCALL_link, storm_path(seed), storm_path(seed), 0, 0);
        break;
    case 6:
        raw_syscall(SYSCALL_unlink, storm_path(seed), 0, 0, 0);
        break;
    case 7:
        raw_syscall(SYSCALL_chdir, (long)(r / 8 % 2 == 0 ? "." : ""), 0, 0, 0);
        break;
    }
}

// Makes that many random system calls, without the test's descriptors.
static _Noreturn void storm(uint32_t seed, int calls) {
    for (int fd = 0; fd < OPEN_MAX; fd++)
        close(fd);
    for (int i = 0; i < calls; i++) {
        uint32_t r = random_next(&seed);
        if (r % 8 == 0)
            storm_process_call(&seed);
        else if (r % 8 == 1)
            raw_syscall(NUMBERS_MAX + storm_number(&seed), storm_pointer(&seed),
                        storm_number(&seed), 0, 0);
        else if (r % 2 == 0)
            storm_descriptor_call(&seed);
        else
            storm_name_call(&seed);
    }
    exit(0);
}

static void check_storms(uint32_t seed, int storms, int calls) {
    hostile_set_up();
    for (int i = 0; i < storms; i++) {
        pid_t pid = TEST_FORK();
        if (pid == 0)
            storm(seed + (uint32_t)i, calls);
    }
    for (int i = 0; i < storms; i++) {
        int status = 0;
        CHECK(wait(&status) > 0);
        if (status != 0)
            FAIL("expected status 0 of the storms from seed %u on, saw %d", seed, status);
    }
    CHECK_STRING("constants", constants);
}

TEST(storm_of_calls) {
    check_storms(1, 1, 3000);
}

TEST(storms_at_once) {
    check_storms(1000, 4, 1000);
}

TEST_SLOW(long_storms) {
    for (uint32_t round = 0; round < 3; round++)
        check_storms(100000 + round * 100, 4, 4000);
}
