// From virtual to physical addresses: what the TLB holds, and the page table.
#pragma once
#include "cpu/hart.h"

enum access { ACCESS_FETCH, ACCESS_READ, ACCESS_WRITE };

// Stores the physical address for an access of that kind. Returns false, with the exception in h,
// if the access is not allowed.
bool translate(struct hart *h, uint64_t va, enum access access, uint64_t *pa);

// Translates as the hart would now, whatever the rights, and changes nothing. Returns false if
// there is no translation.
bool translate_peek(const struct hart *h, uint64_t va, uint64_t *pa);

// Executes SFENCE.VMA for the page of that address and an address space, or TLB_ALL of them.
void translate_fence(struct hart *h, uint64_t va, uint64_t asid);

// The page table, or what mstatus says about accesses, is another one now.
void translate_switch(struct hart *h);

// Lets the TLB do what happens by chance, now and then: forget entries, walk ahead, choose anew
// among several entries for a page.
void translate_tick(struct hart *h);
