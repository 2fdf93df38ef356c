// Bytes and strings. memcpy, memmove and memset move words, many at a time, where alignment allows.
#pragma once
#include "abi/types.h"

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

// Copies at most size - 1 bytes and always ends with a zero; returns to.
char *string_copy(char *to, const char *from, size_t size);
