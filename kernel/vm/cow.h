// Copy-on-write. After fork, parent and child map the same frames, and nothing is copied until one
// of them writes. All this concerns regions that are private and may be written (region_is_cow).
//
//      after fork              the child has written      the parent has written, too
//   parent --+                 parent ---> A  marked      parent ---> A  writable (last owner)
//            +--> A  marked    child ----> A' writable    child ----> A' writable
//   child ---+                             (a copy)
//
// An entry of such a region has one of two forms. A writable entry is its frame's only owner. A
// marked entry has the copy-on-write bit and does not allow writing: its frame may be shared. So
// the first write faults, and the entry tells the kernel what to do:
//
//   entry     | read          | write
//   ----------+---------------+----------------------------------------------------------
//   none      | page in       | page in; if that entry is marked, break it at once
//   writable  | no fault      | no fault
//   marked    | no fault      | break: copy, or reuse the frame if this is its last owner
//
// fork marks entries (cow_share), a write makes one writable (cow_break), and vm/fault.c decides
// which cell of the table applies.
#pragma once
#include "vm/pagetable.h"
#include "vm/region.h"

// The rights of the two forms of an entry in such a region.
static inline unsigned rights_writable(const struct region *r) {
    return r->protection;
}

static inline unsigned rights_marked(const struct region *r) {
    return (r->protection & ~(unsigned)PROT_WRITE) | ENTRY_COW;
}

// The fork half: maps every present page of the parent's region r in child, too, where nothing is
// mapped yet, and marks the entries of both. Errors: -ENOMEM; the pages shared so far stay shared.
int cow_share(struct pagetable *child, struct pagetable *parent, const struct region *r);

// The write half: makes the entry at va in r writable. m is that entry, which is marked. If another
// entry or a cache slot holds the frame as well, or another space shares the entry's leaf table, va
// gets a copy of it. Errors: -ENOMEM; nothing has changed.
int cow_break(struct pagetable *pt, const struct region *r, vaddr_t va, const struct mapping *m);
