// The invariant checker (docs/invariants.md).
#pragma once
#include "abi/types.h"

// Checks all address spaces and all frames; prints each violation and returns how many there are.
// Stops the other harts meanwhile. A frame in the hands of a sleeping task counts as a violation,
// so call it when nothing is going on. No lock may be held.
size_t vm_check(void);
