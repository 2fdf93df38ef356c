// Page faults: the one place where what a region allows becomes an entry of the page table.
//
//   no region covers the address and allows the access -> -EFAULT
//   nothing is mapped yet                              -> page_in: the backing's page
//   write, and the entry is marked                     -> cow_break
//   first write to a page of a shared file             -> note_first_write: the page is dirty
//   otherwise the fault is spurious                    -> drop_stale_entry: flush the TLB's entry
//
// The table in vm/cow.h says which entries there are, and what each kind of access does to them.
#pragma once
#include "vm/addrspace.h"

// Makes the page at va ready for the access. `as` is the running task's space. May sleep. Errors:
// -EFAULT (bad address, or access not allowed), -ENOMEM, -EIO.
int vm_fault(struct addrspace *as, vaddr_t va, enum access access);
