// Text in a buffer.
#include "debug/text.h"

#include <string.h>

enum { DIGITS_MAX = 20 };

struct text text_in(char *bytes, size_t size) {
    bytes[0] = '\0';
    return (struct text){bytes, size, 0};
}

void text_add_bytes(struct text *t, const char *more, size_t count) {
    size_t room = t->size - 1 - t->used;
    count = count < room ? count : room;
    memcpy(t->bytes + t->used, more, count);
    t->used += count;
    t->bytes[t->used] = '\0';
}

void text_add(struct text *t, const char *more) {
    text_add_bytes(t, more, strlen(more));
}

void text_add_byte(struct text *t, char byte) {
    text_add_bytes(t, &byte, 1);
}

static void add_digits(struct text *t, uint64_t number, unsigned base, unsigned least) {
    char digits[DIGITS_MAX];
    unsigned first = DIGITS_MAX;
    for (; number != 0 || DIGITS_MAX - first < least; number /= base)
        digits[--first] = "0123456789abcdef"[number % base];
    text_add_bytes(t, digits + first, DIGITS_MAX - first);
}

void text_add_number(struct text *t, uint64_t number) {
    add_digits(t, number, 10, 1);
}

void text_add_hex(struct text *t, uint64_t number, unsigned digits) {
    add_digits(t, number, 16, digits);
}

void text_add_address(struct text *t, uint64_t number) {
    text_add(t, "0x");
    text_add_hex(t, number, 1);
}

void text_pad(struct text *t, size_t column) {
    do
        text_add_byte(t, ' ');
    while (t->used < column && t->used < t->size - 1);
}
