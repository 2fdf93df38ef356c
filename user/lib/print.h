// Formatted output, in the format of lib/format.h. A text of at most 512 bytes is written in one
// piece.
#pragma once

#include <stdarg.h>

#include "abi/types.h"

// Return the number of bytes written, or -1 if not all could be written.
int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int fprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
int vfprintf(int fd, const char *format, va_list arguments);

// Writes at most size bytes including the final zero, and truncates a longer text; returns the
// length without the zero.
int snprintf(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Writes all bytes, in several pieces if need be. Returns 0 or -1.
int write_all(int fd, const void *bytes, size_t n);
