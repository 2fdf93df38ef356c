// What the console needs: a fake serial port, a clock that stands still, and hooks that count their
// calls.
#pragma once

#include "sched/schedule.h"
#include "test.h"

enum { EINTR = 4, EIO = 5, EAGAIN = 11 };

// ---- The port ----

// Types keys: they arrive by an interrupt.
void type(const char *text);
void type_bytes(const char *text, size_t n);

// What has been sent, and how: the number of bytes, the number of calls, and the bytes of the
// longest call.
extern char sent[262144];
extern size_t sent_count, sent_calls, sent_most;
void forget_sent(void);

// ---- Hooks and time ----

extern int interrupts, lists; // how often Ctrl-C and Ctrl-P have called
extern bool job_runs;         // Ctrl-C has something to end
extern bool wanted_keys;      // whether the last reader did
extern bool refuses;          // whether readers are refused
extern uint64_t ticks;        // of the clock

// ---- The console ----

// Starts it with the hooks.
void start(void);

int read_up_to(char *to, size_t most);
void write_text(const char *text);

#define CHECK_LINE(expected) \
    do { \
        char line_[1024]; \
        int n_ = read_up_to(line_, sizeof line_ - 1); \
        CHECK(n_ >= 0); \
        line_[n_] = '\0'; \
        CHECK_STRING(expected, line_); \
    } while (0)

// A task that reads a line, which must be `expected`.
void read_and_check(void *expected);

// For host_idle: kills the task that is noted here.
extern struct task *sleeper;
bool kill_sleeper(void);
