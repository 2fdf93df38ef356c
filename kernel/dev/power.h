// Powering off.
#pragma once

#include "abi/types.h"

struct machine;

void power_init(const struct machine *m);

// Ends the machine: under QEMU with the low 8 bits of status as its exit status.
_Noreturn void power_off(int status);
