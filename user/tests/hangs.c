// Tests that hang, each in its own way, to see that the watchdog ends them and says why; and some
// that only take their time, which must pass.
#include "cow6.h"
#include "test.h"

static int end[2]; // of a pipe to which no process writes, though it is open

static void open_pipe(void) {
    CHECK(pipe(end) == 0);
}

static void read_forever(int fd) {
    char byte;
    read(fd, &byte, 1);
}

TEST(slow_test_passes) {
    sleep(2 * TICKS_PER_SECOND);
}

TEST(waits_for_a_sleeper) {
    open_pipe();
    IN_CHILD {
        sleep(TICKS_PER_SECOND);
        write(end[1], "x", 1);
    }
    read_forever(end[0]);
    CHECK_CHILD(0);
}

TEST(reads_its_own_pipe) {
    open_pipe();
    TEST_WAITS("itself to write");
    read_forever(end[0]);
}

TEST(waits_for_a_child_that_waits) {
    open_pipe();
    IN_CHILD {
        read_forever(end[0]);
    }
    CHECK_CHILD(0);
}

TEST(fills_a_pipe) {
    static char page[PAGE_BYTES];
    open_pipe();
    for (;;)
        write(end[1], page, sizeof page);
}

TEST(leaves_an_orphan_that_waits) {
    open_pipe();
    IN_CHILD {
        IN_CHILD {
            read_forever(end[0]);
        }
    }
    CHECK_CHILD(0);
}

TEST(vfork_child_waits) {
    open_pipe();
    if (vfork() == 0) {
        read_forever(end[0]);
        exit(0);
    }
    CHECK_CHILD(0);
}

TEST(reads_the_keyboard) {
    read_forever(0);
}

TEST(hundred_processes_wait) {
    open_pipe();
    for (int i = 0; i < 100; i++)
        IN_CHILD {
            read_forever(end[0]);
        }
    CHECK_CHILDREN(100);
}

TEST_SLOW(runs_forever) {
    for (;;)
        __asm__ volatile("");
}

TEST_SLOW(calls_forever) {
    for (;;)
        getpid();
}

TEST(last_test_passes) {}

int main(int argc, char **argv) {
    static const struct test_program program = {.path = "/hangs"};
    return test_main(argc, argv, &program);
}
