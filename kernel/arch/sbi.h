// Calls of the firmware (RISC-V Supervisor Binary Interface 0.3).
#pragma once

#include "abi/types.h"

enum sbi_extension {
    SBI_LEGACY_PUTCHAR = 1,
    SBI_INTERRUPT = 0x735049,
    SBI_HART_STATE = 0x48534d,
    SBI_RESET = 0x53525354,
    SBI_TIME = 0x54494d45,
};

// Calls function 0 of the extension; returns 0 or a negative SBI error.
long sbi_call(enum sbi_extension extension, uint64_t argument0, uint64_t argument1, uint64_t argument2);

// Writes to the firmware's console, a byte a call.
void sbi_write(const char *text, size_t n);
