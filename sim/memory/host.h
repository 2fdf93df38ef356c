// What the library needs from its host: memory. The command uses malloc, the WebAssembly module has
// an allocator of its own.
#pragma once
#include <stddef.h>

// Returns zeroed memory, which the caller owns, or NULL.
void *host_alloc(size_t bytes);

// NULL is allowed.
void host_free(void *memory);
