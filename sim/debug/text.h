// Text that is put together in a buffer of the caller. It always ends with a 0; what does not fit
// is dropped.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct text {
    char *bytes;
    size_t size, used; // used: without the 0
};

// Makes an empty text; size is at least 1.
struct text text_in(char *bytes, size_t size);

void text_add(struct text *t, const char *more);
void text_add_bytes(struct text *t, const char *more, size_t count);
void text_add_byte(struct text *t, char byte);

// Adds a number in decimal, or in hexadecimal with at least that many digits.
void text_add_number(struct text *t, uint64_t number);
void text_add_hex(struct text *t, uint64_t number, unsigned digits);

// Adds 0x and the number.
void text_add_address(struct text *t, uint64_t number);

// Adds spaces up to that column, or one.
void text_pad(struct text *t, size_t column);
