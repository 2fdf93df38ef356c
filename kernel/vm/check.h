// The invariant checker (docs/invariants.md).
#pragma once
#include "abi/types.h"

// Checks all address spaces and all frames; prints the first violations and returns how many there
// are.
// The other harts are stopped meanwhile. A frame that a sleeping task is still filling counts as a
// violation, so call it while no other process is active. No lock may be held.
size_t vm_check(void);
