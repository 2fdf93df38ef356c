// Powering off.
#pragma once
#include "abi/types.h"

// Boot. The address is 0 if there is no test device.
void power_init(paddr_t test_device);

// Powers the machine off; under QEMU, with the low 8 bits of status as its exit status.
_Noreturn void power_off(int status);
