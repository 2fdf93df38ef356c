// How fork makes the child's address space.
#pragma once
#include "vm/addrspace.h"

// Makes child, which is empty, a copy of parent. Private pages that may be written are shared
// copy-on-write (or copied at once, after fork_set_eager); all others stay shared for good. Errors:
// -ENOMEM; then child is partly filled.
int fork_space(struct addrspace *child, struct addrspace *parent);

// Boot: from now on, fork copies every private page that may be written.
void fork_set_eager(void);
