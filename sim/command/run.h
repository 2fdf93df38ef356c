// The run of a machine in the user's terminal.
#pragma once
#include "debug/trace.h"

enum { RUN_MILLISECOND = 100000 };    // instructions
enum { RUN_SLICE = RUN_MILLISECOND }; // between two looks at what is typed

// Runs until that time, or until the machine ends, is at a breakpoint, or is left; returns why.
// While all harts wait, time passes as it does for the user. The trace may be NULL.
enum machine_stop run(struct machine *m, struct trace *trace, uint64_t end);

// Gives the guest what is typed, by way of `type`, if it wants it. Waits for it as long as the
// harts have waited, or, with `is_dead`, until something is typed, since nothing else can wake
// them.
enum run_end {
    RUN_GOES_ON,
    RUN_LEFT, // the user wants to leave
    RUN_DEAD, // nothing will be typed that could wake the harts
};
enum run_end run_type(struct machine *m, bool is_dead, uint64_t idle,
                      void (*type)(void *owner, uint8_t byte), void *owner);

// Says why a machine has ended.
const char *run_reason(enum machine_stop stop);
