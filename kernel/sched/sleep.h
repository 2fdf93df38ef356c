// Sleeping for a number of ticks, and deadlines for wait queues.
#pragma once
#include "abi/types.h"

// Sleeps for that many tenths of a second, at most 2^32. Errors: -EINTR.
int sleep_ticks(uint64_t ticks);

// The timer interrupt: wakes the tasks whose time has come and starts a new time slice.
void sleep_interrupt(void);

// ---- For wait queues, with sched_lock held ----

// The running task is about to sleep: wakes it when the counter reaches `deadline`.
void sleep_set_deadline(uint64_t deadline);

// It runs again: removes its deadline.
void sleep_cancel_deadline(void);
