// The backing of shared memory. The object is an address space in which no process runs. Its page
// table records the frame of each page, for all processes that map the object.
#pragma once
#include "vm/region.h"

extern const struct backing backing_shared;
