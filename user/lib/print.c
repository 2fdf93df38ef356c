// Formatted output to a file descriptor. Nothing is buffered: what a call writes has been written
// when it returns.

#include "print.h"

#include "abi/errno.h"
#include "cow6.h"
#include "lib/format.h"

enum { ONE_PIECE_BYTES = 512 };

int write_all(int fd, const void *bytes, size_t n) {
    const char *at = bytes;
    while (n > 0) {
        int written = write(fd, at, n < INT32_MAX ? (int)n : INT32_MAX);
        if (written < 0)
            return -1;
        if (written == 0) {
            errno = EIO;
            return -1;
        }
        at += written;
        n -= (size_t)written;
    }
    return 0;
}

// Formats a text that is longer than a piece, in a buffer that grows until the text fits.
static int print_long(int fd, const char *format, va_list arguments) {
    for (size_t size = 4 * ONE_PIECE_BYTES; size <= INT32_MAX; size *= 2) {
        char *text = malloc(size);
        if (text == NULL)
            return -1;
        va_list again;
        va_copy(again, arguments);
        size_t n = format_list(text, size, format, again);
        va_end(again);
        bool fits = n + 1 < size;
        int result = fits ? write_all(fd, text, n) : -1;
        free(text);
        if (fits)
            return result < 0 ? -1 : (int)n;
    }
    errno = ENOMEM;
    return -1;
}

int vfprintf(int fd, const char *format, va_list arguments) {
    // Room for one byte more than a piece, which shows that a text is longer, and the final zero.
    char piece[ONE_PIECE_BYTES + 2];
    va_list again;
    va_copy(again, arguments);
    size_t n = format_list(piece, sizeof piece, format, again);
    va_end(again);
    if (n > ONE_PIECE_BYTES)
        return print_long(fd, format, arguments);
    return write_all(fd, piece, n) < 0 ? -1 : (int)n;
}

int fprintf(int fd, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int result = vfprintf(fd, format, arguments);
    va_end(arguments);
    return result;
}

int printf(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int result = vfprintf(1, format, arguments);
    va_end(arguments);
    return result;
}

int snprintf(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t n = format_list(out, size, format, arguments);
    va_end(arguments);
    return (int)n;
}
