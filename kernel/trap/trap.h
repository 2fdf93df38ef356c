// Traps: how a hart enters the kernel from user mode, and what happens if the kernel itself traps.
#pragma once
#include "arch/thread.h"

// Called by arch/trap.S.
void trap_from_user(void);
_Noreturn void trap_from_kernel(const struct registers *r);

// Serves the interrupts that are pending on this hart. No spin lock may be held.
void trap_serve_interrupts(void);
