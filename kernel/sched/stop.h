// Stopping the world: one hart halts all others at the kernel's entry and exit points, looks at
// what they share, and lets them continue.
#pragma once
#include "abi/types.h"

// Halts all other harts; none of them holds a spin lock then. So that frequent callers cannot
// starve the others, first lets them run for as long as the previous stop lasted. The caller holds
// no spin lock.
void sched_stop_others(void);

// Lets them continue.
void sched_resume_others(void);

// True if the running task has stopped the other harts.
bool sched_is_stopped(void);

// Takes part in a stop if there is one. Called for every software interrupt.
void sched_halt_if_stopped(void);

// ---- For the scheduler ----

// Boot, on the boot hart: the hardware ids of the harts, the boot hart's first.
void sched_stop_init(const unsigned *hart_ids, unsigned hart_count);

// From now on the running hart takes part in stops.
void sched_go_online(void);

// Waits until an interrupt is pending. Meanwhile the hart counts as stopped.
void sched_wait_interrupt(void);

// Sends a software interrupt to the hart of that index.
void sched_notify(unsigned hart);
