// The invariant checker (docs/invariants.md).
#pragma once
#include "abi/types.h"

// Stops the other harts and checks all address spaces and all frames. Prints the first violations
// and returns how many there are. A frame that a sleeping task is still filling counts as a
// violation, so call this while no other process is active. No lock may be held.
size_t vm_check(void);
