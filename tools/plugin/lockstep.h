// Time as clock.c lets QEMU see it.
#pragma once
#include <stdint.h>

enum { NS_PER_SECOND = 1000000000 };

// Simulated time since some moment: while no hart runs, it passes as on the host.
uint64_t simulated_time_ns(void);
