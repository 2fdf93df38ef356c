// A supervisor call, while it is served.
#pragma once
#include "cpu/hart.h"

enum { A0 = 10, A1 = 11, A2 = 12, A6 = 16, A7 = 17 };

enum error { SUCCESS = 0, FAILED = -1, NOT_SUPPORTED = -2, INVALID = -3, ALREADY_AVAILABLE = -6 };

struct call {
    struct firmware *firmware;
    struct system *system;
    struct hart *hart;
    uint64_t function;
    const uint64_t *a; // arguments
};

struct result {
    int64_t error;
    uint64_t value;
};

static inline struct result value(uint64_t value) {
    return (struct result){SUCCESS, value};
}

static inline struct result error(enum error error) {
    return (struct result){error, 0};
}
