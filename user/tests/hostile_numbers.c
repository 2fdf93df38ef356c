// System calls with bad numbers: of the call, of bytes, of descriptors, of processes.
#define TEST_FAMILY "hostile"
#include "test.h"

#include "hostile.h"

#define KNOWN(number, name) [number] = true,
static const bool known_numbers[NUMBERS_MAX] = {SYSCALLS(KNOWN)};

TEST(unknown_system_calls_are_refused) {
    static const long odd[] = {
        -1, -2, NUMBERS_MAX, 1000, 1 << 20, 1ll << 32, (1ll << 32) + 11, INT64_MAX, INT64_MIN};
    for (long number = 0; number < NUMBERS_MAX; number++) {
        if (!known_numbers[number])
            CHECK_REFUSED(raw_syscall(number, 1, 2, 3, 4), ENOSYS);
    }
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        CHECK_REFUSED(raw_syscall(odd[i], 1, 2, 3, 4), ENOSYS);
}

TEST(wild_arguments_of_simple_calls) {
    struct syscall_result self = raw_syscall(SYSCALL_getpid, -1, -1, -1, -1);
    CHECK_EQUAL(getpid(), self.value);
    CHECK(raw_syscall(SYSCALL_uptime, INT64_MIN, -1, 8, 8).value >= 0);
    CHECK_REFUSED(raw_syscall(SYSCALL_kill, -1, 0, 0, 0), ESRCH);
    CHECK_REFUSED(raw_syscall(SYSCALL_kill, 0, 0, 0, 0), ESRCH);
    CHECK_REFUSED(raw_syscall(SYSCALL_kill, INT32_MAX, 0, 0, 0), ESRCH);
    CHECK_EQUAL(0, raw_syscall(SYSCALL_sleep, 0, -1, -1, -1).value);
    pid_t pid = TEST_FORK();
    if (pid == 0)
        raw_syscall(SYSCALL_exit, 0x123400000007, -1, -1, -1);
    CHECK_CHILD(7);
}

TEST(huge_and_negative_counts) {
    static const int counts[] = {-1, -100, -PAGE_BYTES, INT32_MIN};
    hostile_set_up();
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        CHECK_FAILS(read(file, buffer, counts[i]), EINVAL);
        CHECK_FAILS(write(file, buffer, counts[i]), EINVAL);
        CHECK_FAILS(read(ends[0], buffer, counts[i]), EINVAL);
        CHECK_FAILS(write(ends[1], buffer, counts[i]), EINVAL);
        CHECK_FAILS(pagemap(getpid(), 0, (struct pageinfo *)buffer, counts[i]), EINVAL);
    }
    CHECK_FAILS(write(file, edge - 10, INT32_MAX), EFAULT);
    CHECK_FAILS(read(file, edge - 10, INT32_MAX), EFAULT);
    CHECK_FAILS(write(ends[1], (void *)-8, 100), EFAULT); // the end wraps around
    CHECK_FAILS(write(file, (void *)-1, 2), EFAULT);
    CHECK_FAILS(read(file, (void *)-8, 100), EFAULT);
    CHECK_FAILS(fstat(file, (struct stat *)-8), EFAULT);
    check_unchanged();
}

TEST(counts_wider_than_32_bits) {
    static const long counts[] = {1ll << 32, (1ll << 32) + 1, INT64_MIN,
                                  INT64_MAX, 1ll << 47,       -(1ll << 32)};
    hostile_set_up();
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        long most = sizeof buffer;
        CHECK(raw_syscall(SYSCALL_read, file, (long)buffer, counts[i], 0).value <= most);
        CHECK(raw_syscall(SYSCALL_write, ends[1], (long)buffer, counts[i] & ~0xffl, 0).value <= 0);
        CHECK(raw_syscall(SYSCALL_pagemap, getpid(), 0, (long)buffer, counts[i]).value <= most);
        raw_syscall(SYSCALL_close, counts[i] | 99, 0, 0, 0);
        raw_syscall(SYSCALL_sbrk, counts[i] & ~0xffffffffl, 0, 0, 0);
    }
    check_unchanged();
}

TEST(wild_descriptors_are_refused) {
    static const long bad[] = {-1,      OPEN_MAX,  OPEN_MAX + 1, 1000,
                               1 << 20, INT32_MAX, INT32_MIN,    99 | 1l << 33};
    hostile_set_up();
    int closed = lowest_free_fd();
    for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
        long fd = i < ARRAY_SIZE(bad) ? bad[i] : closed;
        CHECK_REFUSED(raw_syscall(SYSCALL_read, fd, (long)buffer, 10, 0), EBADF);
        CHECK_REFUSED(raw_syscall(SYSCALL_write, fd, (long)buffer, 10, 0), EBADF);
        CHECK_REFUSED(raw_syscall(SYSCALL_fstat, fd, (long)buffer, 0, 0), EBADF);
        CHECK_REFUSED(raw_syscall(SYSCALL_dup, fd, 0, 0, 0), EBADF);
        CHECK_REFUSED(raw_syscall(SYSCALL_close, fd, 0, 0, 0), EBADF);
    }
    check_unchanged();
}

TEST(pagemap_and_procinfo_reject_bad_arguments) {
    struct pageinfo pages[4];
    struct procinfo info;
    CHECK_FAILS(pagemap(INT32_MAX, 0, pages, 4), ESRCH);
    CHECK_FAILS(pagemap(-1, 0, pages, 4), ESRCH);
    CHECK_FAILS(pagemap(getpid(), 1, pages, 4), EINVAL);
    CHECK_FAILS(procinfo(INT32_MAX, &info), ESRCH);
    CHECK_EQUAL(1, procinfo(-5, &info));
    CHECK_EQUAL(0, pagemap(getpid(), 0, pages, 0));
    CHECK(pagemap(getpid(), 0x4000000000, pages, 4) <= 0);
    CHECK(pagemap(getpid(), 0xffffffc080200000, pages, 4) <= 0);
    CHECK(pagemap(getpid(), (uint64_t)-PAGE_BYTES, pages, 4) <= 0);
    CHECK_EQUAL(1, pagemap(getpid(), 0x3ffffff000, pages, 4));
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(0);
    wait_until_state(pid, PROCESS_ZOMBIE);
    CHECK_FAILS(pagemap(pid, 0, pages, 4), ESRCH);
    CHECK_CHILD(0);
    CHECK_FAILS(memstat((struct memstat *)buffer, -1), EINVAL);
}

TEST(other_processes_can_be_inspected) {
    int end[2];
    CHECK_EQUAL(0, pipe(end));
    for (int i = 0; i < 5; i++) {
        IN_CHILD {
            close(end[1]);
            for (int k = 0; k < 20; k++)
                IN_CHILD {}
            for (int k = 0; k < 20; k++)
                wait(NULL);
            exec(USERTESTS, (char *[]){"+again", "5", NULL});
        }
    }
    for (int round = 0; round < 4; round++) {
        struct procinfo info = {0};
        struct pageinfo pages[20];
        for (int pid = 1; (pid = procinfo(pid, &info)) > 0; pid++)
            pagemap(pid, TEXT_START, pages, 20);
    }
    CHECK_CHILDREN(5);
}
