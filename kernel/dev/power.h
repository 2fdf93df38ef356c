// Powering off.
#pragma once
#include "abi/types.h"

// Boot: stores the address of QEMU's test device; 0: there is none.
void power_init(paddr_t test_device);

// Powers the machine off; under QEMU, with the low 8 bits of status as its exit status.
_Noreturn void power_off(int status);
