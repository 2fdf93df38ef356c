// Page faults: the one place where what a region allows becomes an entry of the page table.
//
//   no region covers the address and allows the access  -> -EFAULT
//   nothing mapped yet                                   -> page_in: the backing's page
//   write, and the entry has the copy-on-write mark      -> cow_break
//   first write to a page of a shared file               -> the entry allows writing
//   otherwise                                            -> the hart remembered an old entry
#pragma once
#include "vm/addrspace.h"

// Makes the page at va usable for the access in the running task's space. May sleep. Errors:
// -EFAULT (bad address, or access not allowed), -ENOMEM, -EIO.
int vm_fault(struct addrspace *as, vaddr_t va, enum access access);
// The counters of memstat: what faults did.
void fault_count(enum fault_kind kind);
void fault_stat(struct memstat *stat);
