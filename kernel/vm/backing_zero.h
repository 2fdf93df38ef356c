// The backing of private memory that begins as zeroes: heap, stack, bss, anonymous mappings.
#pragma once
#include "vm/region.h"

extern const struct backing backing_zero;

// Stores in *frame a zeroed frame for a page of r: one of those promised for r or, if there are
// none, any free one. Errors: -ENOMEM.
int zero_get_page(const struct region *r, vaddr_t va, struct frame **frame);
