// Rounds among many processes: what one does must not cost more because others are alive, and what
// many do must not cost more than as many times what one does.
#include "scale.h"

enum { CALLS = 20, TRIPS = 100, LAPS = 20, PROCESS_1_AND_CHILD = 2 };

// ---- Processes that sleep until the gate closes ----

static int gate[2], ready[2]; // pipes

static void sleep_at_gate(void) {
    close(gate[1]);
    must(write(ready[1], buffer, 1));
    must(read(gate[0], buffer, 1));
    exit(0);
}

// Starts so many, and returns when they sleep, or are about to.
static void start_sleepers(int count) {
    must(pipe(gate));
    must(pipe(ready));
    for (int i = 0; i < count; i++) {
        if (must(fork()) == 0)
            sleep_at_gate();
        must(read(ready[0], buffer, 1));
    }
    close(ready[0]);
    close(ready[1]);
}

static void end_sleepers(int count) {
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < count; i++)
        wait_child(0);
}

// How many sleepers there are beside this process and one child, if `size` processes are alive.
static int sleepers_of(int size) {
    return size > PROCESS_1_AND_CHILD ? size - PROCESS_1_AND_CHILD : 0;
}

// ---- Among `size` processes ----

uint64_t fork_round(int size) {
    start_sleepers(sleepers_of(size));
    fork_once();
    work_begin();
    for (int i = 0; i < CALLS; i++)
        fork_once();
    uint64_t count = work_end();
    end_sleepers(sleepers_of(size));
    return count;
}

uint64_t kill_round(int size) {
    start_sleepers(sleepers_of(size));
    int pipe_ends[2];
    must(pipe(pipe_ends));
    work_begin();
    for (int i = 0; i < CALLS; i++) {
        int pid = must(fork());
        if (pid == 0)
            read(pipe_ends[0], buffer, 1);
        must(kill(pid));
        must(wait(NULL));
    }
    uint64_t count = work_end();
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    end_sleepers(sleepers_of(size));
    return count;
}

// Sleeps of one tick, while all others sleep longer. What the sleepers cost when they wake is not
// measured.
uint64_t nap_round(int size) {
    int count = sleepers_of(size);
    int pids[PROCS_MAX];
    for (int i = 0; i < count; i++) {
        pids[i] = must(fork());
        if (pids[i] == 0)
            exit(sleep(1000 * TICKS_PER_SECOND));
    }
    sleep(1);
    work_begin();
    for (int i = 0; i < CALLS; i++)
        sleep(1);
    uint64_t instructions = work_end();
    for (int i = 0; i < count; i++) {
        kill(pids[i]);
        must(wait(NULL));
    }
    return instructions;
}

uint64_t wake_round(int size) {
    int to_peer[2], from_peer[2];
    start_sleepers(sleepers_of(size));
    must(pipe(to_peer));
    must(pipe(from_peer));
    if (must(fork()) == 0)
        pass_bytes(to_peer, from_peer);
    for (int i = -1; i < TRIPS; i++) {
        if (i == 0)
            work_begin();
        must(write(to_peer[1], buffer, 1));
        must(read(from_peer[0], buffer, 1));
    }
    uint64_t count = work_end();
    close(to_peer[1]);
    wait_child(0);
    close(to_peer[0]);
    close(from_peer[0]);
    close(from_peer[1]);
    end_sleepers(sleepers_of(size));
    return count;
}

unsigned wake_units(int size) {
    (void)size;
    return TRIPS;
}

// ---- `size` processes ----

// From the first fork to the last wait.
uint64_t crowd_round(int size) {
    work_begin();
    start_sleepers(size);
    end_sleepers(size);
    return work_end();
}

// All sleep for one tick.
uint64_t sleepers_round(int size) {
    work_begin();
    for (int i = 0; i < size; i++) {
        if (must(fork()) == 0)
            exit(sleep(1));
    }
    for (int i = 0; i < size; i++)
        wait_child(0);
    return work_end();
}

unsigned one_unit_each(int size) {
    return (unsigned)size;
}

// Looks at all.
uint64_t list_round(int size) {
    struct procinfo info;
    start_sleepers(size);
    work_begin();
    for (int pid = procinfo(1, &info); pid > 0; pid = procinfo(pid + 1, &info))
        continue;
    uint64_t count = work_end();
    end_sleepers(size);
    return count;
}

// ---- `size` pipes ----

// Makes a ring of pipes with a process between any two; this process writes into the first pipe and
// reads from the last.
static void make_ring(int size, int *first, int *last) {
    must(pipe(first));
    last[0] = must(dup(first[0]));
    last[1] = must(dup(first[1]));
    for (int i = 1; i < size; i++) {
        int next[2];
        must(pipe(next));
        if (must(fork()) == 0) {
            close(first[1]);
            pass_bytes(last, next);
        }
        close(last[0]);
        close(last[1]);
        last[0] = next[0];
        last[1] = next[1];
    }
}

// A byte goes round the ring.
uint64_t ring_round(int size) {
    int first[2], last[2];
    make_ring(size, first, last);
    for (int i = -1; i < LAPS; i++) {
        if (i == 0)
            work_begin();
        must(write(first[1], buffer, 1));
        must(read(last[0], buffer, 1));
    }
    uint64_t count = work_end();
    close(first[0]);
    close(first[1]);
    close(last[0]);
    close(last[1]);
    for (int i = 1; i < size; i++)
        wait_child(0);
    return count;
}

unsigned ring_units(int size) {
    return (unsigned)size * LAPS;
}
