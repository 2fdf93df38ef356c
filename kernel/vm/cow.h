// Copy-on-write: fork shares the pages of private memory, a write to one of them breaks the
// sharing.
//
//      after fork              child writes            parent writes
//   parent --+            parent ----> A (mark)     parent ----> A (writable: the last owner)
//            +--> A       child -----> A' (a copy)  child -----> A'
//   child ---+  (mark)
#pragma once
#include "vm/addrspace.h"

// Shares the present pages of the parent's region r, which allows writing, with the child: no entry
// of either allows writing, all have the mark. Errors: -ENOMEM; what is shared so far stays so.
int cow_share(struct addrspace *child, struct addrspace *parent, const struct region *r);
// Makes the page at va, which m says is present with the mark in r, writable: in place if nobody
// else names its frame, else as a copy. Errors: -ENOMEM; nothing has changed.
int cow_break(struct addrspace *as, const struct region *r, vaddr_t va, const struct mapping *m);
