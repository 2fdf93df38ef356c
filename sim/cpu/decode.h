// From the bits of an instruction to the row of operations.h.
#pragma once
#include "cpu/operations.h"

#include <stdbool.h>

// True if the instruction that begins with these 16 bits has only them.
static inline bool is_compressed(uint32_t bits) {
    return (bits & 3) != 3;
}

// Decodes an instruction; the upper half of a compressed one is ignored.
struct operation decode(uint32_t bits);

// Decodes a compressed instruction (decode_compressed.c).
struct operation decode_compressed(uint32_t bits);

// Returns the operation for an instruction that does not exist.
struct operation illegal(uint32_t bits);

enum { NO_REGISTER = 32 }; // where the results for x0 go
