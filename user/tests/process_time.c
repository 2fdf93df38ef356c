// Preemption, sleep, the background, and what procinfo says.
#define TEST_FAMILY "process"
#include "test.h"

#include "forever.h"
#include "support.h"

TEST(spinning_processes_do_not_block_others) {
    enum { SPINNERS = 9 };
    pid_t pids[SPINNERS];
    for (int i = 0; i < SPINNERS; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0)
            run_forever();
    }
    CHECK_EQUAL(7, helper_run((char *[]){"+exit", "7", NULL}));
    CHECK_EQUAL(0, sleep(1));
    for (int i = 0; i < SPINNERS; i++)
        CHECK_EQUAL(0, kill(pids[i]));
    for (int i = 0; i < SPINNERS; i++)
        CHECK_CHILD(TEST_STATUS_KILLED);
}

TEST(sleep_lasts_as_long_as_asked) {
    for (int ticks = 0; ticks <= 3; ticks++) {
        int start = uptime();
        CHECK_EQUAL(0, sleep(ticks));
        CHECK(uptime() - start >= ticks);
    }
}

TEST(negative_sleep_returns_at_once) {
    sleep(-1);
    sleep(INT32_MIN);
}

// A sleeper wakes when its time has come, even if others that fell asleep earlier sleep on.
TEST(sleepers_wake_at_their_time) {
    static const int ticks[] = {INT32_MAX, 3, 1, INT32_MAX, 4, 2, INT32_MAX};
    enum { SLEEPERS = sizeof ticks / sizeof *ticks, LONG_SLEEPERS = 3 };
    pid_t pids[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0) {
            int start = uptime();
            CHECK_EQUAL(0, sleep(ticks[i]));
            CHECK(uptime() - start >= ticks[i]);
            exit(0);
        }
        if (ticks[i] == INT32_MAX)
            wait_until_waits(pids[i], WAITS_FOR_TIME);
    }
    CHECK_CHILDREN(SLEEPERS - LONG_SLEEPERS);
    for (int i = 0; i < SLEEPERS; i++) {
        if (ticks[i] != INT32_MAX)
            continue;
        CHECK_EQUAL(0, kill(pids[i]));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

TEST(procinfo_describes_processes) {
    struct procinfo info, child;
    CHECK_EQUAL(getpid(), procinfo(getpid(), &info));
    CHECK_EQUAL(getpid(), info.pid);
    CHECK_EQUAL(PROCESS_RUNNING, info.state);
    CHECK_STRING("usertests", info.name);
    CHECK_EQUAL(sbrk(0), info.heap_end);
    CHECK(info.pages_resident > 3 && info.pages_region >= info.pages_resident);
    pid_t pid = TEST_FORK();
    if (pid == 0)
        read_pipe_forever();
    wait_until_waits(pid, WAITS_FOR_PIPE);
    CHECK_EQUAL(pid, procinfo(pid, &child));
    CHECK_EQUAL(getpid(), child.parent);
    CHECK_EQUAL(info.pages_region, child.pages_region);
    CHECK_EQUAL(0, kill(pid));
    CHECK_CHILD(TEST_STATUS_KILLED);
    CHECK(procinfo(pid, &child) != pid);
}

// A reader whose parent ends while it waits is in the background from then on: it gets no key, and
// its read fails.
TEST(waiting_reader_moves_to_the_background) {
    int said[2];
    CHECK_EQUAL(0, pipe(said));
    IN_CHILD {
        pid_t reader = TEST_FORK();
        if (reader == 0) {
            char byte;
            CHECK_EQUAL(0, mknod("console", DEVICE_CONSOLE, 0));
            int error = read(open("console", O_RDONLY), &byte, 1) < 0 ? errno : 0;
            write_fully(said[1], &error, sizeof error);
            exit(0);
        }
        wait_until_waits(reader, WAITS_FOR_KEYS);
    }
    CHECK_CHILD(0);
    int error = 0;
    read_fully(said[0], &error, sizeof error);
    CHECK_EQUAL(EIO, error);
}
