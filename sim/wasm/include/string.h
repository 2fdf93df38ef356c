// What the library uses of the C library's string.h; the module has no C library.
#pragma once
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *a, const void *b, size_t count);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);

// A few bytes are copied by instructions, where the compiler may know how many there are: loads and
// stores of the guest are copies.
#define memcpy(to, from, count) __builtin_memcpy(to, from, count)
#define memset(to, byte, count) __builtin_memset(to, byte, count)
