// kill: of processes that run, that wait for anything, that are in the kernel, and of those that
// cannot be killed.
#define TEST_FAMILY "process"
#include "test.h"

#include "forever.h"
#include "support.h"

enum { NO_WAIT = -1 };

// Ends the test unless a process that does this work can be killed, once it waits for what it
// should wait for.
static void check_kill(void (*work)(void), int wait_kind) {
    int started[2];
    CHECK_EQUAL(0, pipe(started));
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        write_fully(started[1], "", 1);
        work();
        exit(0);
    }
    char byte;
    read_fully(started[0], &byte, 1);
    if (wait_kind != NO_WAIT)
        wait_until_waits(pid, (enum process_wait)wait_kind);
    CHECK_EQUAL(0, kill(pid));
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    CHECK_EQUAL(TEST_STATUS_KILLED, status);
    CHECK_EQUAL(0, close(started[0]));
    CHECK_EQUAL(0, close(started[1]));
}

TEST(kill_ends_a_loop) {
    check_kill(run_forever, NO_WAIT);
}

TEST(kill_ends_sleep) {
    check_kill(sleep_forever, WAITS_FOR_TIME);
}

TEST(kill_ends_wait) {
    check_kill(wait_forever, WAITS_FOR_CHILD);
}

TEST(kill_ends_reading_a_pipe) {
    check_kill(read_pipe_forever, WAITS_FOR_PIPE);
}

TEST(kill_ends_writing_a_pipe) {
    check_kill(write_pipe_forever, WAITS_FOR_PIPE);
}

TEST(kill_ends_reading_the_console) {
    check_kill(read_console_forever, WAITS_FOR_KEYS);
}

TEST(kill_ends_waiting_for_a_key) {
    check_kill(getkey_forever, WAITS_FOR_KEYS);
}

// Process 1 cannot be killed, not even by itself.
TEST(kill_spares_the_first_process) {
    CHECK_FAILS(kill(1), EPERM);
    struct procinfo info;
    CHECK_EQUAL(1, procinfo(1, &info));
}

TEST(process_may_kill_itself) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        kill(getpid());
        FAIL("expected kill of the process itself not to return, saw it return");
    }
    CHECK_CHILD(TEST_STATUS_KILLED);
}

TEST(kill_keeps_the_status_of_a_zombie) {
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(9);
    wait_until_state(pid, PROCESS_ZOMBIE);
    CHECK_EQUAL(0, kill(pid));
    CHECK_CHILD(9);
    CHECK_FAILS(kill(pid), ESRCH);
}

TEST(kill_rejects_bad_pids) {
    static const int bad[] = {0, -1, -2, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_FAILS(kill(bad[i]), ESRCH);
    CHECK_FAILS(kill(-getpid()), ESRCH);
}

TEST(killing_twice_does_no_harm) {
    pid_t pid = TEST_FORK();
    if (pid == 0)
        run_forever();
    CHECK_EQUAL(0, kill(pid));
    kill(pid);
    CHECK_CHILD(TEST_STATUS_KILLED);
}

TEST(kill_many_at_once) {
    static void (*const works[])(void) = {run_forever, sleep_forever, wait_forever,
                                          read_pipe_forever, write_pipe_forever};
    enum { CHILDREN = 20 };
    pid_t pids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0)
            works[i % ARRAY_SIZE(works)]();
    }
    for (int i = CHILDREN - 1; i >= 0; i--)
        CHECK_EQUAL(0, kill(pids[i]));
    for (int i = 0; i < CHILDREN; i++)
        CHECK_CHILD(TEST_STATUS_KILLED);
}

// A round of everything that sleeps, allocates or frees in the kernel.
static void work_in_the_kernel(void) {
    static char bytes[3 * PAGE_BYTES];
    int fds[2];
    pid_t pid = fork();
    if (pid == 0)
        exit(0);
    int fd = open("work", O_CREATE | O_RDWR);
    write(fd, bytes, sizeof bytes);
    if (pipe(fds) == 0) {
        write(fds[1], bytes, 100);
        read(fds[0], bytes, 100);
        close(fds[0]);
        close(fds[1]);
    }
    char *heap = sbrk(3 * PAGE_BYTES);
    if (heap != (char *)-1)
        memset(heap, 1, 3 * PAGE_BYTES);
    sbrk(-3 * PAGE_BYTES);
    unlink("work");
    close(fd);
    exec("missing", (char *[]){"missing", NULL});
    if (pid > 0)
        wait(NULL);
}

TEST(kill_at_any_moment) {
    uint32_t seed = 23;
    for (int round = 0; round < 60; round++) {
        pid_t pid = TEST_FORK();
        while (pid == 0)
            work_in_the_kernel();
        delay(random_next(&seed) % 300000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

TEST(kill_in_exec) {
    uint32_t seed = 37;
    for (int round = 0; round < 30; round++) {
        pid_t pid = TEST_FORK();
        if (pid == 0)
            exec(USERTESTS, (char *[]){"+again", "1000", NULL});
        delay(random_next(&seed) % 200000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

static void fork_forever(int told) {
    char *heap = sbrk(64 * PAGE_BYTES); // so that fork takes its time
    if (heap != (char *)-1)
        memset(heap, 1, 64 * PAGE_BYTES);
    for (;;) {
        if (fork() == 0)
            exit(0);
        write(told, "f", 1);
        wait(NULL);
    }
}

// Otherwise a child could escape when a whole job is killed. With two harts most kills come in the
// middle of a fork.
TEST(killed_processes_cannot_fork) {
    char bytes[8];
    int fds[2];
    CHECK(pipe(fds) == 0);
    for (int i = 0; i < 100; i++) {
        pid_t child = TEST_FORK();
        if (child == 0)
            fork_forever(fds[1]);
        CHECK(read(fds[0], bytes, 1 + i % sizeof bytes) > 0);
        CHECK(kill(child) == 0);
        uint64_t before = test_memstat().forks;
        CHECK_CHILD(TEST_STATUS_KILLED);
        CHECK_EQUAL(before, test_memstat().forks);
    }
}
