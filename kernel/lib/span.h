// The memory of a transfer: pieces of a user buffer as the kernel addresses them, resolved before
// any lock is taken. Files, pipes and devices fill or drain them from front to back.
#pragma once
#include "arch/address.h"
#include "lib/panic.h"

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

// Makes s the n bytes at `base`.
static inline void spans_init(struct spans *s, void *base, size_t n) {
    s->size = n;
    s->first = 0;
    s->count = 1;
    s->span[0] = (struct span){base, n};
}

// Removes the next piece, of at most `limit` bytes, from s and returns it. s must not be empty.
static inline struct span spans_take(struct spans *s, size_t limit) {
    assert(s->size > 0);
    while (s->span[s->first].size == 0)
        s->first++;
    struct span *first = &s->span[s->first];
    struct span piece = {first->base, min(first->size, limit)};
    first->base += piece.size;
    first->size -= piece.size;
    s->size -= piece.size;
    return piece;
}

// Moves n bytes, at most s->size, to or from the front of s and removes them.
void spans_fill(struct spans *s, const void *from, size_t n);
void spans_drain(struct spans *s, void *to, size_t n);

// Moves n bytes, at most the size of either, from the front of one to the front of the other, and
// removes them from both.
void spans_move(struct spans *to, struct spans *from, size_t n);
