// The memory of a transfer.
#include "lib/span.h"
#include "lib/string.h"

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
