// The backing of shared memory. The object is an address space that no process runs in: its page
// table says which frame each page has, for all who map it.
#pragma once
#include "vm/region.h"

extern const struct backing backing_shared;
