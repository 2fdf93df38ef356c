// Time: a counter that runs at a fixed frequency, and the timer of each hart. The timer of a hart
// that runs programs is set to the end of a time slice, that of an idle hart to the alarm.
#pragma once
#include "abi/types.h"

// ---- The counter ----

void clock_init(uint64_t frequency_hz);

// Returns the tenths of a second since boot.
uint64_t clock_ticks(void);

// Returns the value that the counter has when clock_ticks becomes `tick`.
uint64_t clock_time_of_tick(uint64_t tick);

// Returns how many counter steps that many tenths of a second (at most 2^32) take.
uint64_t clock_from_ticks(uint64_t ticks);

// Returns how many counter steps a time slice takes.
uint64_t clock_slice(void);

uint64_t clock_microseconds(uint64_t time);

// ---- The timer, for the scheduler ----

// Sets the running hart's timer to the end of a time slice that begins now.
void clock_start_slice(void);

// As clock_start_slice, unless a slice has already begun. For a hart that is about to run a task.
void clock_ensure_slice(void);

// Lets the slice that has begun end after a tenth of a millisecond, so that a task that waits to
// run gets its turn, or another hart.
void clock_shorten_slice(void);

// For a hart that is about to idle: sets its timer to the alarm, but at most a tenth of a second
// from now. sched_lock must be held.
void clock_prepare_idle(void);

// Sets the alarm: the time at which to wake an idle hart, or UINT64_MAX for never. sched_lock must
// be held.
void clock_set_alarm(uint64_t time);
