// The heap, whose end sbrk moves. Memory is reserved when it is granted, so a program can always
// touch what it was granted.
#pragma once
#include "vm/addrspace.h"

// Moves the end of the heap by delta bytes and stores the old end. Errors: -ENOMEM (no room, or not
// enough memory), -EINVAL (the end would be below 0).
int heap_move_end(struct addrspace *as, int64_t delta, vaddr_t *old_end);
