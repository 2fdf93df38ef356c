// Text input by lines: a buffer that grows until the line fits.

#include "reader.h"

#include "cow6.h"

// Reads more bytes after those in the buffer. Returns their number, 0 at the end of the input, -1
// on failure.
static int fill_buffer(struct reader *r) {
    if (r->start > 0) {
        memmove(r->buffer, r->buffer + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    if (r->end + 1 >= r->size) { // one byte is kept for the zero after a last line without newline
        size_t size = r->size == 0 ? PAGE_BYTES : 2 * r->size;
        char *buffer = realloc(r->buffer, size);
        if (buffer == NULL)
            return -1;
        r->buffer = buffer;
        r->size = size;
    }
    int n = read(r->fd, r->buffer + r->end, (int)(r->size - r->end - 1));
    if (n > 0)
        r->end += (size_t)n;
    return n;
}

char *reader_line(struct reader *r, size_t *length) {
    size_t searched = 0;
    char *newline = NULL;
    while (!r->failed) {
        if (r->end > r->start)
            newline = memchr(r->buffer + r->start + searched, '\n', r->end - r->start - searched);
        if (newline != NULL)
            break;
        searched = r->end - r->start;
        int n = fill_buffer(r);
        r->failed = n < 0;
        if (n == 0 && r->end == r->start)
            return NULL;
        if (n == 0)
            break;
    }
    if (r->failed)
        return NULL;
    char *line = r->buffer + r->start;
    char *end = newline != NULL ? newline : r->buffer + r->end;
    *end = '\0';
    *length = (size_t)(end - line);
    r->start += *length + (newline != NULL);
    return line;
}

void reader_destroy(struct reader *r) {
    free(r->buffer);
    *r = reader_of(r->fd);
}
