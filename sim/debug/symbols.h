// The names of a program's functions and data, from its ELF file.
#pragma once
#include "debug/text.h"

#include <stdbool.h>

struct symbols;

// Reads the names in a file, which must stay as long as they are used, and is not trusted. Returns
// NULL without memory, or if the file has none.
struct symbols *symbols_read(const uint8_t *file, uint64_t bytes);

// NULL is allowed, here and below.
void symbols_free(struct symbols *s);

// Finds the address that a text of the form NAME or NAME+OFFSET means. Returns false if there is no
// function of that name.
bool symbols_find(const struct symbols *s, const char *text, uint64_t *address);

// Adds NAME or NAME+0xOFFSET for an address in a function or in data, virtual or physical. Adds
// nothing and returns false for others.
bool symbols_add_name(const struct symbols *s, uint64_t address, struct text *t);

// Returns the physical address at which the program executes that instruction as long as there is
// no page table; the address itself for others.
uint64_t symbols_physical(const struct symbols *s, uint64_t address);
