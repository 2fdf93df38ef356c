// What all parts of the probe use: types, system calls, the pattern that fills pages.
//
// These are inline, so that a command that must not touch the stack after a fork does not.
#pragma once

#include "operations.h"

typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t;

#define PATTERN_STEP 0x9e3779b97f4a7c15
enum { PAGE = 4096, WORDS_OF_PAGE = PAGE / 8 };

struct command {
    uint64_t operation, a, b, c, d;
};

// ---- What the grader finds by name ----

extern uint64_t data_pages[2][WORDS_OF_PAGE];
extern uint64_t zero_pages[2][WORDS_OF_PAGE];
extern const char path_program[], path_file[];
extern const char *const last_arguments[]; // a probe that gets so many ends at once

// ---- Where the grader stops processes (play.c) ----

void checkpoint(void);

// Between a system call and these the kernel has no reason to run, and cannot foresee a stop.
void newborn(void);
void parent_waits(void);                                  // for its newborn child
void page_begins(void);                                   // to be summed up
void writing_begins(void);                                // to all pages of a race
void race_write(volatile uint64_t *word, uint64_t value); // stores it

// ---- System calls ----

enum {
    FORK = 1,
    EXIT = 2,
    WAIT = 3,
    PIPE = 4,
    READ = 5,
    KILL = 6,
    EXEC = 7,
    FSTAT = 8,
    GETPID = 11,
    SBRK = 12,
    SLEEP = 13,
    UPTIME = 14,
    WRITE = 16
};
enum { EAGERLY = 1 }; // second argument of sbrk where it has one

static inline long system_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c) {
    register uint64_t a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a7 asm("a7") = number;
    asm volatile("ecall"
                 : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a7)
                 :
                 : "memory", "a3", "a4", "a5", "a6");
    return (long)a0;
}

static inline long system_call0(uint64_t number) {
    return system_call(number, 0, 0, 0);
}

static inline uint64_t sbrk(long bytes) {
    return (uint64_t)system_call(SBRK, (uint64_t)bytes, EAGERLY, 0);
}

static inline long wait(long *status) {
    int word = 0;
    long pid = system_call(WAIT, (uint64_t)&word, 0, 0);
    *status = word;
    return pid;
}

_Noreturn static inline void leave(long status) {
    system_call(EXIT, (uint64_t)status, 0, 0);
    for (;;)
        continue;
}

// The word that belongs at an address, for a seed. The grader computes the same.
static inline uint64_t pattern(uint64_t seed, uint64_t address) {
    return seed + address * PATTERN_STEP;
}

// ---- Memory (memory.c) ----

void fill(uint64_t address, uint64_t words, uint64_t seed);
long count_wrong(uint64_t address, uint64_t words, uint64_t seed, long *first);
uint64_t sum_pages(uint64_t address, uint64_t pages);
void store(uint64_t address, uint64_t value, uint64_t bytes);
uint64_t load(uint64_t address, uint64_t bytes);
uint64_t add_atomically(uint64_t address, uint64_t value);
long jump(uint64_t address);
long read_load(uint64_t fd, uint64_t address, uint64_t bytes, long *got);
void touch(uint64_t address, long pages);
long hoard(long step, long most, long stride, long ahead);

// ---- Children (forks.c, cycle.c) ----

long fork_store(volatile uint64_t *word, uint64_t before, uint64_t after);
long fork_look(const volatile uint64_t *word, uint64_t old);
long fork_reap(uint64_t times, uint64_t pipe, uint64_t address, uint64_t words, uint64_t seed);
long fork_many(uint64_t fd);
long await(uint64_t fd);
long wait_all(uint64_t n);
long cycle(uint64_t address, uint64_t times, uint64_t fds, uint64_t way);

// ---- Races (races.c) ----

// In rounds whose number is `meeting` modulo `period` the processes come to the checkpoint after
// the fork.
struct race {
    uint64_t address, pages, rounds, seed, period, meeting;
};

long run_writers(const struct race *r);
long run_owners(const struct race *r);
long run_churn(const struct race *r);

// Does what the grader says until it says that the race continues (play.c).
void meet(void);
