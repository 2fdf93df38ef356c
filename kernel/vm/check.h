// The invariant checker (docs/invariants.md).
#pragma once
#include "abi/types.h"

// Stops the other harts and checks all address spaces and all frames. Prints the first violations
// and returns how many there are. No lock may be held.
size_t vm_check(void);
