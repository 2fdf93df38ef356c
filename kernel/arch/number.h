// Rounding and comparing of addresses, sizes and other unsigned numbers.
#pragma once
#include "abi/types.h"

static inline uint64_t round_down(uint64_t n, uint64_t unit) {
    return n / unit * unit;
}

static inline uint64_t round_up(uint64_t n, uint64_t unit) {
    return (n + unit - 1) / unit * unit;
}

static inline uint64_t min(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static inline uint64_t max(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}
