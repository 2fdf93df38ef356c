// The kernel's messages. A call's text appears in one piece, whatever the other harts print.
#pragma once
#include <stdarg.h>

#include "abi/types.h"

// Prints at most 255 bytes; the rest is cut off.
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_list(const char *format, va_list arguments);

// Sends all further messages to write, which must be safe to call in any context.
void print_to(void (*write)(const char *text, size_t n));
