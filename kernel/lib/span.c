// The memory of a transfer.
#include "lib/span.h"
#include "arch/address.h"
#include "lib/panic.h"
#include "lib/string.h"

struct span spans_take(struct spans *s, size_t limit) {
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

void spans_fill(struct spans *s, const void *from, size_t n) {
    for (struct span piece; n > 0; n -= piece.size, from = (const char *)from + piece.size) {
        piece = spans_take(s, n);
        memmove(piece.base, from, piece.size);
    }
}

void spans_drain(struct spans *s, void *to, size_t n) {
    for (struct span piece; n > 0; n -= piece.size, to = (char *)to + piece.size) {
        piece = spans_take(s, n);
        memmove(to, piece.base, piece.size);
    }
}

void spans_move(struct spans *to, struct spans *from, size_t n) {
    for (struct span piece; n > 0; n -= piece.size) {
        piece = spans_take(from, n);
        spans_fill(to, piece.base, piece.size);
    }
}
