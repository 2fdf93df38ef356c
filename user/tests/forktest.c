// forktest forks until no process is left, waits for all, and does it again: fork must fail cleanly
// and give back everything. Its children do nothing, so that processes run out before memory does.
#include "cow6.h"
#include "test.h"

enum { ROUNDS = 3 };

// Forks until it fails, and waits for all children. Returns how many there were, and in *error why
// there were no more.
static int fork_all(int *error) {
    int n = 0;
    pid_t pid;
    while ((pid = fork()) > 0)
        n++;
    if (pid == 0)
        exit(0);
    *error = errno;
    CHECK(errno == EAGAIN || errno == ENOMEM,
          "fork failed for a reason other than that no process or no memory was left");
    CHECK_CHILDREN(n);
    CHECK_FAILS(wait(NULL), ECHILD, "a fork that failed has left a child");
    return n;
}

TEST(forktest) {
    int error, first_error, first = fork_all(&first_error);
    uint64_t frames = test_frames_free();
    CHECK(first > 0 && first < PROCS_MAX, "fork made no process, or more than there can be");
    for (int round = 1; round < ROUNDS; round++) {
        int n = fork_all(&error);
        if (error == EAGAIN && first_error == EAGAIN) // memory may run out at any number
            CHECK_EQUAL(
                first, n,
                "processes are lost: a failed fork or a child's exit does not free its slot");
        CHECK_EQUAL(frames, test_frames_free(),
                    "frames are lost: a failed fork and a child's exit must give back every "
                    "reference and page table");
    }
}

int main(int argc, char **argv) {
    static const struct test_program program = {.path = "/forktest"};
    return test_main(argc, argv, &program);
}
