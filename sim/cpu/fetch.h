// Fetching instructions that were not yet decoded, or that are fetched anew each time.
#pragma once
#include "cpu/hart.h"

// Decodes the instruction at pc, in the page of code that the hart executes, for the first time.
void fetch_first(struct hart *h, uint64_t pc, struct operation *op);

// Decodes the instruction at pc, which lies in two pages, or where a breakpoint may be. Returns
// NULL with the exception in h if it cannot be executed, or not yet.
const struct operation *fetch_uncached(struct hart *h, uint64_t pc);
