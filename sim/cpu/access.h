// Memory as a hart's instructions see it.
#pragma once
#include "cpu/hart.h"

// Read or write any number of bytes up to 8 at a virtual address, in devices, too. If false is
// returned, the instruction ends with the exception in h. What was written before the fault, if a
// range crosses into a page that faults for another reason than its translation, stays written.
bool access_read(struct hart *h, uint64_t va, unsigned bytes, uint64_t *value);
bool access_write(struct hart *h, uint64_t va, unsigned bytes, uint64_t value);

// Translates va for an atomic instruction, which needs its natural alignment and memory. Stores the
// physical address.
bool access_atomic(struct hart *h, uint64_t va, unsigned bytes, bool writes, unsigned kind,
                   uint64_t *pa);

// Writes what an atomic instruction makes of memory; both addresses are as for access_atomic.
bool access_atomic_write(struct hart *h, uint64_t va, uint64_t pa, unsigned bytes, uint64_t value);

// Sets h->code to the page from which the hart executes at pc.
bool access_fetch(struct hart *h, uint64_t pc);

// Reads the instruction at pc, which may cross a page.
bool access_fetch_instruction(struct hart *h, uint64_t pc, uint32_t *bits);

// Writes what waits in the store buffer, all of it, or the oldest. Nobody notices a lack of memory
// before the machine stops for it.
void access_drain(struct hart *h);
void access_drain_one(struct hart *h);
