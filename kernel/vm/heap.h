// The heap, which ends where sbrk says. Its memory is promised when it is granted, so a program
// that got it can always touch it.
#pragma once
#include "vm/addrspace.h"

// Moves the end of the heap by delta bytes and stores the old one. Errors: -ENOMEM (no room or not
// enough memory), -EINVAL (below 0).
int heap_move_end(struct addrspace *as, int64_t delta, vaddr_t *old_end);
