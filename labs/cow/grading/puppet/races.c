// Races: several processes at once, without stops.
#include "probe.h"

static void meet_in_round(const struct race *r, uint64_t round) {
    if (round % r->period == r->meeting)
        meet();
}

// In every eighth round all start at the same tick, so that they meet even where an idle hart
// sleeps until its next tick.
static long starting_tick(uint64_t round) {
    return round % 8 == 0 ? system_call0(UPTIME) + 1 : 0;
}

static void wait_for_tick(long tick) {
    while (system_call0(UPTIME) < tick)
        system_call(SLEEP, 1, 0, 0);
}

static uint64_t *word_of(const struct race *r, uint64_t page, uint64_t index) {
    return (uint64_t *)(r->address + page * PAGE) + index;
}

// Writes one word of each page.
static void write_words(const struct race *r, uint64_t index, uint64_t value) {
    writing_begins();
    for (uint64_t page = 0; page < r->pages; page++)
        race_write(word_of(r, page, index), value + page);
}

// How many words are neither the pattern nor, at the index, what this process wrote.
static long count_strange(const struct race *r, uint64_t seed, uint64_t index, uint64_t value) {
    long strange = 0;
    for (uint64_t page = 0; page < r->pages; page++) {
        for (uint64_t i = 0; i < WORDS_OF_PAGE; i++) {
            uint64_t *word = word_of(r, page, i);
            uint64_t expected = i == index ? value + page : pattern(seed, (uint64_t)word);
            strange += *(volatile uint64_t *)word != expected;
        }
    }
    return strange;
}

// What a process does in a race: it writes its word of each page and looks at all words.
static long take_part(const struct race *r, uint64_t seed, uint64_t index, long tick) {
    wait_for_tick(tick);
    write_words(r, index, seed * index);
    return count_strange(r, seed, index, seed * index);
}

long run_writers(const struct race *r) {
    long wrong = 0;
    for (uint64_t round = 0; round < r->rounds; round++) {
        uint64_t seed = r->seed + round, children = 0;
        fill(r->address, r->pages * WORDS_OF_PAGE, seed);
        long tick = starting_tick(round);
        while (children < 2) {
            long pid = system_call0(FORK);
            if (pid == 0) {
                meet_in_round(r, round);
                leave(take_part(r, seed, 2 + children, tick) != 0);
            }
            if (pid < 0)
                return -1;
            children++;
        }
        meet_in_round(r, round);
        wrong += take_part(r, seed, 1, tick);
        wrong += wait_all(children);
    }
    return wrong;
}

// Parent and child are the last two owners; they write, or one of them exits, at the same moment.
long run_owners(const struct race *r) {
    long wrong = 0;
    for (uint64_t round = 0; round < r->rounds; round++) {
        uint64_t seed = r->seed + round;
        fill(r->address, r->pages * WORDS_OF_PAGE, seed);
        long tick = starting_tick(round), pid = system_call0(FORK);
        if (pid < 0)
            return -1;
        meet_in_round(r, round);
        if (pid == 0) {
            if (round % 2 == 0)
                leave(take_part(r, seed, 2, tick) != 0);
            wait_for_tick(tick);
            leave(0);
        }
        wrong += take_part(r, seed, 1, tick);
        wrong += wait_all(1);
    }
    return wrong;
}

enum { SHARED_ROUNDS = 60, WORKERS = 3, FORK_TRIES = 45 };

// Orphans that have yet to run, on a busy host, may fill all slots for processes.
static long fork_when_there_is_room(void) {
    long pid = system_call0(FORK);
    for (int tries = 1; pid < 0 && tries < FORK_TRIES; tries++) {
        system_call(SLEEP, 1, 0, 0);
        pid = system_call0(FORK);
    }
    return pid;
}

// Forks children that exit at once, while all workers still share their pages.
static long churn_shared(long until) {
    long wrong = 0;
    for (uint64_t round = 0; round < SHARED_ROUNDS || system_call0(UPTIME) < until - 1; round++) {
        long pid = fork_when_there_is_room();
        if (pid == 0)
            leave(0);
        wrong += pid < 0 || wait_all(1);
    }
    return wrong;
}

// A child of the churn. It meets the others of its family if its worker, the first one, does.
_Noreturn static void churn_child(const struct race *r, uint64_t seed, uint64_t round, int meets) {
    if (round % 4 == 0)
        leave(0);
    long grandchild = system_call0(FORK);
    if (meets)
        meet_in_round(r, round);
    long strange = take_part(r, seed, 1 + round % 8, 0);
    if (grandchild == 0)
        leave(strange != 0);
    if (grandchild > 0 && round % 4 == 1)
        strange += wait_all(1);
    leave(strange != 0);
}

// A worker of the churn: its children write and exit, and so do theirs; its own memory stays as it
// was.
static long churn(const struct race *r, uint64_t seed, long until, int meets) {
    long wrong = churn_shared(until);
    fill(r->address, r->pages * WORDS_OF_PAGE, seed);
    for (uint64_t round = 0; round < r->rounds || system_call0(UPTIME) < until; round++) {
        long pid = fork_when_there_is_room();
        if (pid < 0)
            return wrong + 1;
        if (pid == 0)
            churn_child(r, seed, round, meets && round < r->rounds);
        if (meets && round < r->rounds)
            meet_in_round(r, round);
        wrong += wait_all(1);
    }
    return wrong + count_strange(r, seed, WORDS_OF_PAGE, 0);
}

// Orphaned grandchildren become children of process 1, which is this one.
long run_churn(const struct race *r) {
    long until = system_call0(UPTIME) + 3, wrong = 0, status;
    for (uint64_t i = 0; i < WORKERS; i++) {
        long pid = system_call0(FORK);
        if (pid == 0) {
            wait_for_tick(until - 2);
            leave(churn(r, r->seed + i, until, i == 0) != 0);
        }
        if (pid < 0)
            return -1;
    }
    while (wait(&status) >= 0)
        wrong += status != 0;
    return wrong;
}
