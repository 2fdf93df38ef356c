// Copy-on-write, the second half: a write to a page that fork shared (addrspace_fork is the first).
//
//      after fork              child writes            parent writes
//   parent --+            parent ----> A (mark)     parent ----> A (writable: the last owner)
//            +--> A       child -----> A' (a copy)  child -----> A'
//   child ---+  (mark)
#pragma once
#include "vm/addrspace.h"

// Makes the page at va, which m says is present with the mark in r, writable: in place if nobody else names its frame,
// else as a copy. Errors: -ENOMEM; nothing has changed.
int cow_break(struct addrspace *as, const struct region *r, vaddr_t va, const struct mapping *m);
