// What the small programs have in common: options, messages, and output that must not get lost.
#pragma once

#include "abi/types.h"

// How messages call the program: each program that uses this header defines it.
extern const char program_name[];

// Reads options such as -l and -nr, up to the first operand or "--". Each must be one of the
// letters; the bit of its place in `letters` is set in *options. Returns the index of the first
// operand, or -1 if there is another letter.
int options_parse(int argc, char **argv, const char *letters, unsigned *options);

// Writes "usage: ..." to fd 2 and ends the program with status 2.
_Noreturn void usage(const char *text);

// Writes "program: subject: reason" to fd 2, the reason being errno's. Returns 1, the exit status.
int complain(const char *subject);

// Writes "program: text" to fd 2. Returns 1, the exit status.
int warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Write to fd 1. If that fails, the program ends with status 1; it says why, unless the reader of
// the pipe has gone.
void put(const void *bytes, size_t n);
void put_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Calls filter for each operand, opened for reading ("-" is fd 0), or for fd 0 under the name "-"
// if there are no operands. Returns the greatest of the results; a file that cannot be opened
// counts as `failed`.
int filter_files(char **operands, int failed, int (*filter)(int fd, const char *name));
