// forktest forks until there is no process left, waits for all, and does it again: fork must fail
// cleanly and give back everything. It stays small, so that memory ends later than processes do.
#include "cow6.h"

enum { ROUNDS = 3 };

static void say(const char *text) { write_all(1, text, strlen(text)); }

static void say_number(unsigned long n) {
    char digits[24];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    say(first);
}

static _Noreturn void fail(const char *expected, unsigned long n, const char *saw, unsigned long m) {
    say("forktest: FAIL expected ");
    say(expected);
    say_number(n);
    say(", saw ");
    say(saw);
    say_number(m);
    say(" (user/tests/forktest.c)\n0 passed, 1 failed\n");
    exit(1);
}

static unsigned long frames_free(void) {
    struct memstat now;
    memstat(&now, 0);
    return now.frames_free;
}

// Forks until it fails and waits for all children. Returns how many there were, and in *error why
// there were no more.
static int fork_all(int *error) {
    int n = 0;
    pid_t pid;
    while ((pid = fork()) > 0) n++;
    if (pid == 0) exit(0);
    *error = errno;
    if (errno != EAGAIN && errno != ENOMEM) fail("fork to fail with errno ", EAGAIN, "errno ", (unsigned long)errno);
    for (int i = 0; i < n; i++) {
        int status = 0;
        if (wait(&status) < 0) fail("children to wait for: ", (unsigned long)n, "only ", (unsigned long)i);
        if (status != 0) fail("a child's status ", 0, "status ", (unsigned long)status);
    }
    if (wait(NULL) >= 0) fail("no child more than ", (unsigned long)n, "one more than ", (unsigned long)n);
    return n;
}

int main(void) {
    int error, first_error, first = fork_all(&first_error);
    unsigned long frames = frames_free();
    if (first < 1 || first >= PROCS_MAX) fail("children, fewer than ", PROCS_MAX, "", (unsigned long)first);
    for (int round = 1; round < ROUNDS; round++) {
        int n = fork_all(&error);
        if (n != first && error == EAGAIN && first_error == EAGAIN) // memory may end at any number
            fail("as many children as in the first round: ", (unsigned long)first, "", (unsigned long)n);
        if (frames_free() != frames) fail("frames free: ", frames, "", frames_free());
    }
    say("forktest: ok\n1 passed, 0 failed\n");
    return 0;
}
