// How fork fills the child's page table: with the parent's pages, or with copies of them.
#pragma once
#include "vm/pagetable.h"

// Map all present pages of parent from start to end in child, too, where nothing is mapped yet.
// With pt_share the child's entries grant what the parent's do; pt_share_as makes both grant
// `rights`. Errors: -ENOMEM; the pages shared so far stay shared.
int pt_share(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end);
int pt_share_as(struct pagetable *child, struct pagetable *parent, vaddr_t start, vaddr_t end,
                unsigned rights);

// Copies each present page of parent from start to end, and maps the copies in child, where nothing
// is mapped yet, with entries that grant `rights`. Errors: -ENOMEM; the pages copied so far stay.
int pt_copy(struct pagetable *child, const struct pagetable *parent, vaddr_t start, vaddr_t end,
            unsigned rights);
