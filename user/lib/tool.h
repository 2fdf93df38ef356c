// What the small programs have in common: options, messages, output that may not get lost.
#pragma once

#include "abi/types.h"

// Reads options such as -l and -nr, up to the first operand or "--". Each must be one of the
// letters; the bit of its place in letters is set in *options. Returns the index of the first
// operand, or -1 if there is another letter.
int options_parse(int argc, char **argv, const char *letters, unsigned *options);

// Writes "usage: ..." to fd 2 and ends the program with status 2.
_Noreturn void usage(const char *text);

// Writes "program: subject: reason" to fd 2, the reason being errno's. Returns 1, the exit status.
int complain(const char *program, const char *subject);

// Write to fd 1. If that fails the program ends with status 1, without a message if it is because
// nobody reads the pipe any more.
void put(const char *program, const void *bytes, size_t n);
void put_text(const char *program, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Runs filter on each operand, opened for reading ("-" is fd 0), or on fd 0 under the name "-" if
// there is none. Returns the greatest of what the calls return; failed for a file that does not
// open.
int filter_files(const char *program, char **operands, int failed,
                 int (*filter)(int fd, const char *name));
