// Sleeping for a number of ticks, and deadlines for wait queues.
#pragma once
#include "abi/types.h"

// Sleeps for that many tenths of a second, at most 2^32. Errors: -EINTR.
int sleep_ticks(uint64_t ticks);

// The timer interrupt: wakes the tasks whose deadline has passed, and starts a new time slice.
void sleep_interrupt(void);

// ---- For wait queues, with sched_lock held ----

// Before the running task sleeps: arranges that it is woken when the counter reaches `deadline`.
void sleep_set_deadline(uint64_t deadline);

// When it runs again: removes its deadline.
void sleep_cancel_deadline(void);
