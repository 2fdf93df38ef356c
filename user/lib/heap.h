// Memory for programs: blocks of any size out of the heap that sbrk moves.
#pragma once

#include "abi/types.h"

// Return NULL and set errno to ENOMEM if there is no memory. The block is aligned to 16 bytes and
// has at least one byte.
void *malloc(size_t size_bytes);
void *calloc(size_t count, size_t size_bytes); // all zero

// Moves a block to one of another size with the contents that fit; the old one stays if this fails.
// Without a block it is malloc.
void *realloc(void *block, size_t size_bytes);

// Gives a block back; NULL is nothing. A pointer that is no block in use ends the program.
void free(void *block);
