// Memory for programs: blocks of any size from the heap that sbrk moves.
#pragma once

#include "abi/types.h"

// Return a block that is aligned to 16 bytes and has at least one byte, or NULL with errno ENOMEM
// if there is no memory.
void *malloc(size_t size_bytes);
void *calloc(size_t count, size_t size_bytes); // all zero

// Gives a block another size, moving its contents if need be. If this fails, the old block stays as
// it is. For NULL it does the same as malloc.
void *realloc(void *block, size_t size_bytes);

// Frees a block; NULL is allowed. A pointer that is not a block in use ends the program.
void free(void *block);
