// Strings and numbers in text, beside what lib/string.h has.
#pragma once

#include "abi/types.h"

char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strcpy(char *to, const char *from);
char *strcat(char *to, const char *from);
char *strdup(const char *s); // a block of malloc; NULL if there is no memory
void *memchr(const void *bytes, int byte, size_t n);

bool char_is_space(char c); // blank, tab, newline, return
bool char_is_digit(char c);

// Returns the number at the start of s, after blanks and with an optional sign; 0 if there is none.
// A number that does not fit becomes the nearest one that does.
long number_at(const char *s);
int atoi(const char *s);

// Stores the decimal number that s consists of. Returns -1 if s is anything else or too large.
int number_parse(const char *s, long *number);

// Heapsort of an array of pointers; compare is negative, 0 or positive like strcmp.
void pointers_sort(void **items, size_t n, int (*compare)(const void *a, const void *b));
