// exit and wait: each child is reported once, with its status.
#define TEST_FAMILY "process"
#include "test.h"

#include "support.h"

TEST(exit_status_reaches_wait) {
    static const int odd[] = {-1, -2, -128, 256, 747, 65536, INT32_MAX, INT32_MIN};
    for (int i = 0; i < 256 + (int)ARRAY_SIZE(odd); i++) {
        int expected = i < 256 ? i : odd[i - 256];
        pid_t pid = TEST_FORK();
        if (pid == 0)
            exit(expected);
        int status = 12345;
        CHECK_EQUAL(pid, wait(&status));
        CHECK_EQUAL(expected, status);
    }
}

TEST(wait_works_without_status) {
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(5);
    CHECK_EQUAL(pid, wait(NULL));
}

TEST(wait_without_children_fails) {
    int status = 77;
    CHECK_FAILS(wait(&status), ECHILD);
    CHECK_FAILS(wait(NULL), ECHILD);
    CHECK_EQUAL(77, status);
}

TEST(wait_with_bad_pointer_keeps_the_child) {
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(5);
    for (size_t i = 0; i < BAD_ADDRESS_COUNT; i++)
        CHECK_FAILS(wait((int *)bad_addresses[i]), EFAULT);
    CHECK_FAILS(wait((int *)&text_sum), EFAULT);
    CHECK_FAILS(wait((int *)sbrk(0)), EFAULT);
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    CHECK_EQUAL(5, status);
}

TEST(wait_stores_at_any_alignment) {
    static char bytes[3 * PAGE_BYTES];
    char *page = (char *)round_to_page(bytes + 64);
    for (int i = -5; i < 5; i++) {
        memset(bytes, 0x55, sizeof bytes);
        pid_t pid = TEST_FORK();
        if (pid == 0)
            exit(0x01020304);
        CHECK_EQUAL(pid, wait((int *)(page + i)));
        CHECK(memcmp(page + i, "\4\3\2\1", 4) == 0);
        CHECK_EQUAL(0x55, page[i - 1]);
        CHECK_EQUAL(0x55, page[i + 4]);
    }
}

TEST(wait_takes_children_in_the_order_they_end) {
    enum { CHILDREN = 5 };
    int end[CHILDREN][2];
    pid_t pids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQUAL(0, pipe(end[i]));
        pids[i] = TEST_FORK();
        if (pids[i] == 0) {
            char byte;
            read_fully(end[i][0], &byte, 1);
            exit(i);
        }
    }
    for (int i = CHILDREN - 1; i >= 0; i--) {
        int status;
        write_fully(end[i][1], "", 1);
        CHECK_EQUAL(pids[i], wait(&status));
        CHECK_EQUAL(i, status);
    }
}

TEST(wait_finds_each_child_once) {
    enum { CHILDREN = 40 };
    pid_t pids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0)
            exit(100 + i);
    }
    for (int waited = 0; waited < CHILDREN; waited++) {
        int status, i = 0;
        pid_t pid = wait(&status);
        while (i < CHILDREN && pids[i] != pid)
            i++;
        CHECK(i < CHILDREN);
        CHECK_EQUAL(100 + i, status);
        pids[i] = 0;
    }
    CHECK_FAILS(wait(NULL), ECHILD);
}

TEST(wait_does_not_find_grandchildren) {
    int end[2];
    CHECK_EQUAL(0, pipe(end));
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        IN_CHILD {
            close(end[1]);
            char byte;
            read(end[0], &byte, 1);
        }
        exit(3);
    }
    int status;
    CHECK_EQUAL(pid, wait(&status));
    CHECK_EQUAL(3, status);
    CHECK_FAILS(wait(NULL), ECHILD);
}

TEST(two_children_may_end_at_once) {
    for (int round = 0; round < 100; round++) {
        IN_CHILD {}
        IN_CHILD {}
        CHECK_CHILDREN(2);
    }
}
