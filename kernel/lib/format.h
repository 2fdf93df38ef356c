// Formatted text: %d %u %x %p %c %s %%, each with an optional 0, -, width, and size l or z.
#pragma once
#include <stdarg.h>

#include "abi/types.h"

// Writes at most size bytes, including the final zero; returns the length without it.
size_t format(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t format_list(char *out, size_t size, const char *format, va_list arguments);
