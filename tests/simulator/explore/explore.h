// What the scenarios have in common: several processes, each on a hart of its own, that begin the
// same small piece of work at the same moment.
#pragma once
#include "cow6.h"

enum { PROCESSES_MAX = 8, PAGES = 4, KILLED = -1, OTHER_PROGRAM = 7 };

struct scenario {
    const char *name;
    void (*prepare)(void);      // in the only process there is; NULL: nothing to do
    void (*arrive)(int number); // in each process, before any of them begins; NULL: nothing to do
    void (*work)(int number);   // in each process; number 0 is the parent of the others
    void (*finish)(void);       // in process 0, when the others are gone; NULL: nothing to do
    int status;                 // with which the others end
    bool is_joint;              // they need each other, so they cannot warm up one after the other
};

// Memory that all processes share. The words begin as 0 in each round.
struct shared {
    volatile uint32_t arrived, begin;
    volatile int turn; // whose turn it is to warm up
    volatile uint64_t words[64];
};

extern struct shared *shared;
extern int process_count;                // number 0 included
extern volatile int pids[PROCESSES_MAX]; // of the other processes, in process 0
extern int round_number;                 // 0: to warm up; 1: the one that is explored

extern const struct scenario memory_scenarios[], process_scenarios[], file_scenarios[];

// Ends the process with status 1, and says where, if the condition is false.
#define CHECK(condition) \
    do { \
        if (!(condition)) \
            fail(__FILE__, __LINE__, #condition); \
    } while (0)

_Noreturn void fail(const char *file, int line, const char *condition);

// Waits for a child, and checks its status.
void expect_child(int status);
