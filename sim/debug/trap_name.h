// The names of traps.
#pragma once
#include <stdint.h>

// Returns the name of a cause, as scause or mcause have it.
const char *trap_name(uint64_t cause);
