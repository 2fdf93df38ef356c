// Time: a counter that runs at a fixed frequency. Nothing ticks unless somebody needs it.
#pragma once
#include "abi/types.h"
#include "sched/task.h"

void clock_init(uint64_t frequency_hz);
// Tenths of a second since boot.
uint64_t clock_ticks(void);

// Adds to t, which has been running, the time since it started, or since the last call. More than a
// time slice counts as one: then the machine itself was not running. sched_lock must be held.
void clock_charge(struct task *t);
uint64_t clock_microseconds(uint64_t time);

// For the scheduler, sched_lock held: the hart is about to run a program, or to idle.
void clock_start_slice(void);
void clock_prepare_idle(void);
// The timer interrupt: wakes those whose time has come and starts a new time slice.
void clock_interrupt(void);
// For wait queues: wakes the running task, which is about to sleep, when clock_ticks is `tick`.
// sched_lock must be held.
void clock_set_alarm(uint64_t tick);
// Afterwards, without it.
void clock_cancel_alarm(void);
// Sleeps for that many tenths of a second, at most 2^32. Errors: -EINTR.
int clock_sleep(uint64_t ticks);
