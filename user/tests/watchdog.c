// The watchdog of a test: a program of its own, which a broken fork cannot hurt. It ends the test's
// processes if they cannot end by themselves, and writes the reason to fd 1:
//
//   - all of them sleep, and only one of them could wake another: a deadlock;
//   - one takes the same page fault again and again;
//   - one has run longer than any test needs;
//   - none of them has run for a minute.
//
// It cannot mistake a slow machine for a hang: the first three reasons depend on what the processes
// did, not on how long it took.
//
//   watchdog TEST PID PASSED FAILED
//
// watches process PID and its descendants for its parent, which runs the test. It says that it is
// ready with one byte on fd 1, and begins at the end of fd 0. If the processes survive being
// killed, it ends the whole run.
#include "cow6.h"

enum {
    REPEATS_MAX = 10000, // of a page fault: a correct kernel stays far below 10
    RUN_MICROSECONDS_MAX =
        20000000, // 20 times what the longest test needs, even on a loaded machine
    STILL_TICKS = 60 * TICKS_PER_SECOND,
    KILL_LOOKS = 300, // before it gives up
    PATIENCE = 8,     // looking takes one part in so many of the time
    TEXT_BYTES = 240,
};

// What one look sees of the test's processes, in the order of their pids.
struct look {
    struct procinfo process[PROCS_MAX];
    size_t count;
    uint64_t runner_time; // how long the process that runs the test has run
    bool runner_sleeps;
};

static struct look looks[2];
static int first_pid, runner_pid;

static bool has(const struct look *look, int pid) {
    for (size_t i = 0; i < look->count; i++) {
        if (look->process[i].pid == pid)
            return true;
    }
    return false;
}

// A parent has a lower pid than its child; the parent of an orphan is process 1.
static bool belongs_to_test(const struct look *look, const struct procinfo *p) {
    if (p->pid == first_pid)
        return true;
    return p->pid != getpid() && (p->parent == 1 || has(look, p->parent));
}

static void look_at_all(struct look *look) {
    struct procinfo p = {0};
    look->runner_sleeps = procinfo(runner_pid, &p) == runner_pid && p.state == PROCESS_SLEEPING;
    look->runner_time = p.run_microseconds;
    look->count = 0;
    for (int pid = first_pid; procinfo(pid, &p) > 0; pid = p.pid + 1) {
        if (p.state != PROCESS_ZOMBIE && belongs_to_test(look, &p))
            look->process[look->count++] = p;
    }
}

// True if no process has run between two looks.
static bool is_still(const struct look *before, const struct look *now) {
    if (before->count != now->count || before->runner_time != now->runner_time)
        return false;
    for (size_t i = 0; i < now->count; i++) {
        const struct procinfo *old = &before->process[i], *new = &now->process[i];
        if (old->pid != new->pid || old->state != PROCESS_SLEEPING ||
            new->state != PROCESS_SLEEPING)
            return false;
        if (old->run_microseconds != new->run_microseconds)
            return false;
    }
    return now->runner_sleeps;
}

static size_t count_waiting(const struct look *look, enum process_wait wait) {
    size_t n = 0;
    for (size_t i = 0; i < look->count; i++)
        n += look->process[i].waits_for == (int)wait;
    return n;
}

// A look does not see all processes at the same moment. But a process that sleeps in both looks and
// has not run in between slept all the time between them, so there was a moment at which all slept.
static bool is_deadlock(const struct look *before, const struct look *now, char *why) {
    if (now->count == 0 || !is_still(before, now))
        return false;
    size_t pipe = count_waiting(now, WAITS_FOR_PIPE), child = count_waiting(now, WAITS_FOR_CHILD);
    size_t keys = count_waiting(now, WAITS_FOR_KEYS);
    if (pipe + child + keys < now->count)
        return false;
    snprintf(why, TEXT_BYTES,
             "a deadlock: no process is left to wake those that wait (%zu for a pipe, %zu for a "
             "child%s)",
             pipe, child, keys > 0 ? ", one for the keyboard, which no test reads" : "");
    return true;
}

static bool is_endless(const struct look *now, char *why) {
    for (size_t i = 0; i < now->count; i++) {
        const struct procinfo *p = &now->process[i];
        if (p->fault_repeats >= REPEATS_MAX)
            snprintf(why, TEXT_BYTES,
                     "process %d takes the same page fault forever (a %s 0x%lx at pc 0x%lx): a "
                     "fault must be repaired, or kill the process",
                     p->pid, p->pc == p->fault_address ? "jump to" : "load from or store to",
                     p->fault_address, p->pc);
        else if (p->run_microseconds > RUN_MICROSECONDS_MAX)
            snprintf(why, TEXT_BYTES, "process %d runs forever (now at pc 0x%lx)", p->pid, p->pc);
        else
            continue;
        return true;
    }
    return false;
}

// Watches until the test has ended, or hangs; returns true if it hangs, and why.
static bool watch(char *why) {
    int still_since = uptime();
    for (int n = 1, pause = 2;; n++) {
        sleep(pause);
        struct look *before = &looks[(n + 1) % 2], *now = &looks[n % 2];
        int start = uptime();
        look_at_all(now);
        int end = uptime();
        if (now->count == 0)
            return false;
        if (is_deadlock(before, now, why) || is_endless(now, why))
            return true;
        if (!is_still(before, now))
            still_since = end;
        if (end - still_since > STILL_TICKS) {
            snprintf(why, TEXT_BYTES, "none of its %zu processes has run for a minute", now->count);
            return true;
        }
        pause = 1 + (end - start) * PATIENCE;
    }
}

// Kills all processes of the test, repeatedly until they are gone. False if they stay.
static bool kill_all(void) {
    for (int n = 0; n < KILL_LOOKS; n++) {
        look_at_all(&looks[0]);
        if (looks[0].count == 0)
            return true;
        for (size_t i = 0; i < looks[0].count; i++)
            kill(looks[0].process[i].pid);
        sleep(1);
    }
    return false;
}

// Ends the run in place of the process that runs it. If that is the first process, or a child of a
// first process of the same name, the machine is switched off.
static _Noreturn void give_up(char **argv, const char *why) {
    struct procinfo runner = {0}, first = {0};
    fprintf(2, "\n%s: FAIL %s; kill does not end it either, so no further test is run\n", argv[1],
            why);
    fprintf(2, "%s passed, %ld failed\n", argv[3], number_at(argv[4]) + 1);
    procinfo(runner_pid, &runner);
    procinfo(1, &first);
    if (runner_pid == 1 || strcmp(runner.name, first.name) == 0)
        poweroff(1);
    kill(runner_pid);
    exit(1);
}

// Touches everything that it will need, so that it costs the test no frame, and can run when there
// is none.
static void own_pages(void) {
    volatile char stack[3 * PAGE_BYTES];
    char text[TEXT_BYTES];
    for (size_t i = 0; i < sizeof stack; i += PAGE_BYTES)
        stack[i] = 0;
    memset(looks, 0, sizeof looks);
    look_at_all(&looks[0]);
    is_deadlock(&looks[0], &looks[0], text);
    is_endless(&looks[0], text);
}

int main(int argc, char **argv) {
    char why[TEXT_BYTES] = "", byte = 0;
    struct procinfo self;
    if (argc != 5)
        return 2;
    for (int fd = 3; fd < OPEN_MAX; fd++)
        close(fd);
    first_pid = atoi(argv[2]);
    procinfo(getpid(), &self);
    runner_pid = self.parent;
    own_pages();
    write(1, &byte, 1);
    while (read(0, &byte, 1) > 0) {
    }
    if (!watch(why))
        return 0;
    write(1, why, (int)strlen(why)); // before the test ends, which ends the watchdog
    if (!kill_all())
        give_up(argv, why);
    return 0;
}
