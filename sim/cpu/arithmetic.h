// Arithmetic that C does not have: the M extension.
#pragma once
#include "cpu/operations.h"

static inline uint64_t multiply_high_unsigned(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    uint64_t other = a0 * b1 + (uint32_t)middle;
    return a1 * b1 + (middle >> 32) + (other >> 32);
}

static inline uint64_t multiply_high_mixed(uint64_t a, uint64_t b) {
    return multiply_high_unsigned(a, b) - (SIGNED(a) < 0 ? b : 0);
}

static inline uint64_t multiply_high(uint64_t a, uint64_t b) {
    return multiply_high_mixed(a, b) - (SIGNED(b) < 0 ? a : 0);
}

static inline uint64_t divide(uint64_t a, uint64_t b) {
    if (b == 0)
        return UINT64_MAX;
    return SIGNED(b) == -1 ? -a : (uint64_t)(SIGNED(a) / SIGNED(b));
}

static inline uint64_t remainder_of(uint64_t a, uint64_t b) {
    if (b == 0)
        return a;
    return SIGNED(b) == -1 ? 0 : (uint64_t)(SIGNED(a) % SIGNED(b));
}
