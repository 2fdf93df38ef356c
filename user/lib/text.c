// Strings and numbers in text.

#include "text.h"

#include "heap.h"
#include "lib/string.h"

char *strchr(const char *s, int c) {
    for (; *s != (char)c; s++)
        if (*s == '\0')
            return NULL;
    return (char *)s;
}

char *strrchr(const char *s, int c) {
    for (size_t i = strlen(s) + 1; i > 0; i--)
        if (s[i - 1] == (char)c)
            return (char *)s + i - 1;
    return NULL;
}

char *strcpy(char *to, const char *from) {
    return memcpy(to, from, strlen(from) + 1);
}

char *strcat(char *to, const char *from) {
    strcpy(to + strlen(to), from);
    return to;
}

char *strdup(const char *s) {
    char *copy = malloc(strlen(s) + 1);
    return copy == NULL ? NULL : strcpy(copy, s);
}

void *memchr(const void *bytes, int byte, size_t n) {
    const uint8_t *at = bytes;
    for (; n > 0; at++, n--)
        if (*at == (uint8_t)byte)
            return (void *)at;
    return NULL;
}

bool char_is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool char_is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Reads the digits at s as a number with the given sign, and returns where they end. *fits: the
// number did not have to be limited to the largest or smallest one.
static const char *read_digits(const char *s, bool negative, long *number, bool *fits) {
    *number = 0;
    *fits = true;
    for (; char_is_digit(*s); s++) {
        int digit = *s - '0';
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, negative ? -digit : digit, number)) {
            *number = negative ? INT64_MIN : INT64_MAX;
            *fits = false;
            while (char_is_digit(*s))
                s++;
            break;
        }
    }
    return s;
}

long number_at(const char *s) {
    long number;
    bool fits;
    while (char_is_space(*s))
        s++;
    bool negative = *s == '-';
    read_digits(*s == '-' || *s == '+' ? s + 1 : s, negative, &number, &fits);
    return number;
}

int atoi(const char *s) {
    long number = number_at(s);
    if (number > INT32_MAX)
        return INT32_MAX;
    return number < INT32_MIN ? INT32_MIN : (int)number;
}

int number_parse(const char *s, long *number) {
    bool fits;
    bool negative = *s == '-';
    const char *digits = negative ? s + 1 : s;
    const char *end = read_digits(digits, negative, number, &fits);
    return end > digits && *end == '\0' && fits ? 0 : -1;
}

// Lets the item at the root of a heap of n sink to its place.
static void sink_item(void **items, size_t root, size_t n,
                      int (*compare)(const void *a, const void *b)) {
    void *item = items[root];
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && compare(items[child + 1], items[child]) > 0)
            child++;
        if (compare(item, items[child]) >= 0)
            break;
        items[root] = items[child];
    }
    items[root] = item;
}

void pointers_sort(void **items, size_t n, int (*compare)(const void *a, const void *b)) {
    for (size_t root = n / 2; root > 0; root--)
        sink_item(items, root - 1, n, compare);
    for (; n > 1; n--) {
        void *largest = items[0];
        items[0] = items[n - 1];
        items[n - 1] = largest;
        sink_item(items, 0, n - 1, compare);
    }
}
