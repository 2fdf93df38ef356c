// Text input by lines of any length.
#pragma once

#include "abi/types.h"

struct reader {
    int fd;
    char *buffer;      // of malloc
    size_t size;       // of the buffer
    size_t start, end; // bytes read and not yet returned
    bool failed;       // a read or malloc failed; errno says why
};

static inline struct reader reader_of(int fd) {
    return (struct reader){.fd = fd};
}

// Returns the next line with a zero in place of its newline, and its length; it is valid until the
// next call. NULL at the end of the input, or if it failed.
char *reader_line(struct reader *r, size_t *length);

// Frees the buffer; the file stays open.
void reader_destroy(struct reader *r);
