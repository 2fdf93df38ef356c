// A transfer's memory: the kernel's view of up to SPANS_MAX pieces of a user buffer, resolved
// before any lock is taken. Files, pipes and devices fill or drain it front to back.
#pragma once
#include "abi/types.h"

enum { SPANS_MAX = 17 }; // 64 KiB at any alignment

struct span {
    char *base;
    size_t size;
};

struct spans {
    size_t size;    // bytes left
    unsigned first; // first span that has bytes left
    unsigned count;
    struct span span[SPANS_MAX];
};

// A transfer of one kernel buffer.
static inline struct spans spans_of(void *base, size_t size) {
    return (struct spans){.size = size, .count = 1, .span = {{base, size}}};
}

// Returns the next piece and takes it from s: at most `most` bytes. s must not be empty.
struct span spans_take(struct spans *s, size_t most);
// Moves n bytes, at most s->size, and takes them from s.
void spans_fill(struct spans *s, const void *from, size_t n);
void spans_drain(struct spans *s, void *to, size_t n);
