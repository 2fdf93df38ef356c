// Time: a counter that runs at a fixed frequency, and the timer of each hart. A hart that runs
// programs has its timer set to the end of a time slice; an idle one, to the alarm.
#pragma once
#include "abi/types.h"

// ---- The counter ----

void clock_init(uint64_t frequency_hz);

// Tenths of a second since boot.
uint64_t clock_ticks(void);

// The value of the counter when clock_ticks becomes `tick`.
uint64_t clock_time_of_tick(uint64_t tick);

// Counter steps in that many tenths of a second (at most 2^32).
uint64_t clock_from_ticks(uint64_t ticks);

// Counter steps in a time slice.
uint64_t clock_slice(void);

uint64_t clock_microseconds(uint64_t time);

// ---- The timer, for the scheduler ----

// Sets the running hart's timer to the end of a time slice that begins now.
void clock_start_slice(void);

// The same, unless a slice has begun already: the hart is about to run a program.
void clock_ensure_slice(void);

// The hart is about to idle: sets its timer to the alarm, but to a tenth of a second at most.
void clock_prepare_idle(void);

// Sets the alarm: when to wake an idle hart, or UINT64_MAX. sched_lock must be held.
void clock_set_alarm(uint64_t time);
