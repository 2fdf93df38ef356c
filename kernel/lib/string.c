// Bytes and strings. A compiler could turn a loop here into a call of the very function that it is
// in, so the build forbids that (-ffreestanding; for gcc, -fno-tree-loop-distribute-patterns).
#include "lib/string.h"

// A word that may overlay anything.
typedef uint64_t __attribute__((may_alias)) word_t;

static bool is_aligned(const void *a, const void *b) {
    return (((uintptr_t)a | (uintptr_t)b) & 7) == 0;
}

// All loads come before the stores, so that no store has to wait for the load just before it.
static inline void copy_64(char *to, const char *from) {
    word_t *t = (word_t *)to;
    const word_t *f = (const word_t *)from;
    word_t w0 = f[0], w1 = f[1], w2 = f[2], w3 = f[3];
    word_t w4 = f[4], w5 = f[5], w6 = f[6], w7 = f[7];
    t[0] = w0;
    t[1] = w1;
    t[2] = w2;
    t[3] = w3;
    t[4] = w4;
    t[5] = w5;
    t[6] = w6;
    t[7] = w7;
}

// Copies forwards, which is safe for overlapping memory if start is below `from`. Returns start.
static void *copy_up(void *start, const char *from, size_t n) {
    char *to = start;
    if (is_aligned(to, from)) {
        for (; n >= 256; n -= 256, to += 256, from += 256) {
            copy_64(to, from);
            copy_64(to + 64, from + 64);
            copy_64(to + 128, from + 128);
            copy_64(to + 192, from + 192);
        }
        for (; n >= 64; n -= 64, to += 64, from += 64)
            copy_64(to, from);
        for (; n >= 8; n -= 8, to += 8, from += 8)
            *(word_t *)to = *(const word_t *)from;
    }
    while (n-- > 0)
        *to++ = *from++;
    return start;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    return copy_up(to, from, n);
}

void *memmove(void *to, const void *from, size_t n) {
    if ((uintptr_t)to - (uintptr_t)from >= n)
        return copy_up(to, from, n);
    char *t = (char *)to + n;
    const char *f = (const char *)from + n;
    if (is_aligned(t, f)) {
        for (; n >= 8; n -= 8)
            *(word_t *)(t -= 8) = *(const word_t *)(f -= 8);
    }
    while (n-- > 0)
        *--t = *--f;
    return to;
}

static inline void fill_64(char *to, word_t word) {
    word_t *t = (word_t *)to;
    t[0] = t[1] = t[2] = t[3] = t[4] = t[5] = t[6] = t[7] = word;
}

void *memset(void *to, int byte, size_t n) {
    char *t = to;
    word_t word = (uint8_t)byte * 0x0101010101010101u;
    for (; n > 0 && !is_aligned(t, t); n--)
        *t++ = (char)byte;
    for (; n >= 256; n -= 256, t += 256) {
        fill_64(t, word);
        fill_64(t + 64, word);
        fill_64(t + 128, word);
        fill_64(t + 192, word);
    }
    for (; n >= 64; n -= 64, t += 64)
        fill_64(t, word);
    for (; n >= 8; n -= 8, t += 8)
        *(word_t *)t = word;
    while (n-- > 0)
        *t++ = (char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *x = a, *y = b;
    for (; n > 0; n--, x++, y++) {
        if (*x != *y)
            return *x - *y;
    }
    return 0;
}

size_t strlen(const char *s) {
    size_t n = 0;
    while (s[n] != '\0')
        n++;
    return n;
}

int strncmp(const char *a, const char *b, size_t n) {
    for (; n > 0; n--, a++, b++) {
        if (*a != *b || *a == '\0')
            return (uint8_t)*a - (uint8_t)*b;
    }
    return 0;
}

int strcmp(const char *a, const char *b) {
    return strncmp(a, b, SIZE_MAX);
}

char *string_copy(char *to, const char *from, size_t size) {
    size_t n = 0;
    for (; n + 1 < size && from[n] != '\0'; n++)
        to[n] = from[n];
    to[n] = '\0';
    return to;
}
