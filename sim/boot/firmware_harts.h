// Supervisor calls that are about other harts: IPI, rfence, hart state management.
#pragma once
#include "boot/firmware_call.h"

struct result firmware_interrupt(const struct call *c);
struct result firmware_fence(const struct call *c);
struct result firmware_hart(const struct call *c);

// Starts a hart in supervisor mode at `entry`, with its number in a0 and the argument in a1.
void firmware_start_hart(struct hart *h, uint64_t entry, uint64_t argument);
