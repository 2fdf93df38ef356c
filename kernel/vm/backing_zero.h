// The backing of private memory that begins as zeroes: heap, stack, bss, anonymous mappings.
#pragma once
#include "vm/region.h"

extern const struct backing backing_zero;

// A zeroed frame for a page of r: if frames are promised for r, one of these. Errors: -ENOMEM.
int zero_get_page(const struct region *r, vaddr_t va, struct frame **frame);
