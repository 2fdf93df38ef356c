// Pages of decoded instructions, kept until the bytes that they were decoded from are written.
#pragma once
#include "cpu/hart.h"

// Returns the page of decoded instructions for a physical address; NULL without memory.
struct code_page *code_find(struct system *s, uint64_t pa);

// True if instructions may have been decoded from the page of that address.
bool code_is_in(const struct system *s, uint64_t pa);

// Those bytes were written.
void code_written(struct system *s, uint64_t pa, uint64_t bytes);

// Drops all decoded instructions.
void code_drop(struct system *s);

// Gives the memory back.
void code_destroy(struct system *s);
