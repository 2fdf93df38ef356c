// How processes begin, wait, wake up and end.
#include "explore.h"

enum { TIMES = 4 };

// ---- Exit and wait ----

static void fork_one(void) {
    int pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        exit(0);
}

// Some wait for their child before they make another one, which uses its slot again. The others
// leave theirs to process 1.
static void fork_and_leave(int number) {
    for (int i = 0; i < (number % 2 == 0 ? TIMES : 1); i++) {
        fork_one();
        if (number % 2 == 0)
            expect_child(0);
    }
}

// ---- Sleep and wake-up ----

static int to_odd[PROCESSES_MAX][2], to_even[PROCESSES_MAX][2];

static void open_pipes(void) {
    for (int i = 0; i + 1 < process_count; i += 2)
        CHECK(pipe(to_odd[i]) == 0 && pipe(to_even[i]) == 0);
}

static void close_pipes(void) {
    for (int i = 0; i + 1 < process_count; i += 2) {
        for (int end = 0; end < 2; end++)
            CHECK(close(to_odd[i][end]) == 0 && close(to_even[i][end]) == 0);
    }
}

static void pass_ball(const int *to, char ball) {
    CHECK(write(to[1], &ball, 1) == 1);
}

static void take_ball(const int *from, char ball) {
    char caught;
    CHECK(read(from[0], &caught, 1) == 1 && caught == ball);
}

// Two by two, they throw a ball to each other; each sleeps until it comes.
static void throw_ball(int number) {
    int pair = number - number % 2;
    for (char ball = 0; ball < 3 && pair + 1 < process_count; ball++) {
        if (number == pair)
            pass_ball(to_odd[pair], ball);
        take_ball(number == pair ? to_even[pair] : to_odd[pair], ball);
        if (number != pair)
            pass_ball(to_even[pair], ball);
    }
}

// ---- Kill ----

static int silent[2];

static void open_silent(void) {
    CHECK(pipe(silent) == 0);
}

static void close_silent(void) {
    CHECK(close(silent[0]) == 0 && close(silent[1]) == 0);
}

// The others are killed about when they begin to wait for what nobody writes.
static void kill_sleepers(int number) {
    char byte;
    if (number != 0)
        CHECK(read(silent[0], &byte, 1) == 1);
    for (int i = 1; i < process_count; i++)
        CHECK(kill(pids[i]) == 0);
}

// ---- Vfork, exec, kill ----

// Lends the memory to a child that leaves at once.
static void lend(void) {
    if (vfork() == 0)
        exit(0);
    expect_child(0);
}

// Odd ones lend their memory to a child, which executes a program. Process 0 kills one of these.
// The others come by the queue of those who wait to run.
static void execute_or_kill(int number) {
    if (number == 0) {
        while (shared->words[0] == 0)
            continue;
        kill((int)shared->words[0]);
    }
    if (number % 2 == 0) {
        for (int i = 0; i < (number == 0 ? 0 : TIMES); i++) {
            fork_one();
            expect_child(0);
        }
        return;
    }
    for (int i = 0; i < TIMES; i++)
        lend();
    int pid = vfork(), status;
    if (pid == 0) {
        if (number == 1)
            shared->words[0] = (uint64_t)getpid();
        exec("/explore", (char *[]){"explore", "leave", NULL});
        exit(1);
    }
    CHECK(wait(&status) == pid);
    CHECK(status == OTHER_PROGRAM || (number == 1 && status == KILLED));
}

const struct scenario process_scenarios[] = {
    {.name = "exit_wait", .work = fork_and_leave, .is_joint = true},
    {.name = "sleep_wake",
     .prepare = open_pipes,
     .work = throw_ball,
     .finish = close_pipes,
     .is_joint = true},
    {.name = "kill",
     .prepare = open_silent,
     .work = kill_sleepers,
     .finish = close_silent,
     .status = KILLED,
     .is_joint = true},
    {.name = "vfork_exec", .work = execute_or_kill},
    {0},
};
