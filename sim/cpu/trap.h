// Traps: exceptions and interrupts, and the return from them.
#pragma once
#include "cpu/hart.h"

// Lets the hart go on in the trap handler. The cause of an interrupt has CAUSE_INTERRUPT set.
void trap_enter(struct hart *h, uint64_t cause, uint64_t value);

// Returns the number of the interrupt that the hart must take now, 0 if there is none.
unsigned trap_pending(const struct hart *h);

// True if an interrupt is pending and enabled, whether or not it can be taken now: this ends wfi.
bool trap_wakes(const struct hart *h);

// Executes mret and sret. Returns false if the instruction is illegal now.
bool trap_return_machine(struct hart *h);
bool trap_return_supervisor(struct hart *h);
