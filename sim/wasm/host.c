// What a C library would have: memory functions, and an allocator. The simulator asks for few
// sizes, so blocks that were given back are kept in a list for each size, and are used again.
#include "memory/host.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { WASM_PAGE = 65536, SIZES = 32, ALIGN = 16 };
enum { GROWTH = 64 }; // pages: to grow takes long, so it is done seldom

// Stands before each block; in a free one, the block begins with the next free one's address.
struct header {
    size_t bytes;
    size_t padding[3];
};

static struct free_list {
    size_t bytes;
    struct header *first;
} lists[SIZES];

extern unsigned char __heap_base;
static uintptr_t used, end; // what no block has had yet

// ---- Memory functions ----

void *(memcpy)(void *restrict to, const void *restrict from, size_t count) {
    unsigned char *t = to;
    const unsigned char *f = from;
    for (; count >= 8; count -= 8, t += 8, f += 8)
        *(uint64_t *)t = *(const uint64_t *)f; // WebAssembly needs no alignment
    while (count-- > 0)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t count) {
    unsigned char *t = to;
    const unsigned char *f = from;
    for (size_t i = 0; t < f && i < count; i++)
        t[i] = f[i];
    while (t > f && count-- > 0)
        t[count] = f[count];
    return to;
}

void *(memset)(void *to, int byte, size_t count) {
    unsigned char *t = to;
    for (; count >= 8; count -= 8, t += 8)
        *(uint64_t *)t = (unsigned char)byte * UINT64_C(0x0101010101010101);
    while (count-- > 0)
        *t++ = byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t count) {
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < count; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}

int strcmp(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

// ---- Allocation ----

// Returns the list for blocks of that size, NULL if there are too many sizes.
static struct free_list *list_of(size_t bytes) {
    for (unsigned i = 0; i < SIZES; i++) {
        if (lists[i].bytes == 0)
            lists[i].bytes = bytes;
        if (lists[i].bytes == bytes)
            return &lists[i];
    }
    return NULL;
}

// Returns a block that was never used, NULL without memory.
static struct header *take_new(size_t bytes) {
    size_t whole = sizeof(struct header) + bytes;
    if (used == 0)
        used = end = ((uintptr_t)&__heap_base + ALIGN - 1) / ALIGN * ALIGN;
    if (end == used)
        end = __builtin_wasm_memory_size(0) * (uintptr_t)WASM_PAGE;
    if (whole > end - used) {
        size_t pages = (whole - (end - used) + WASM_PAGE - 1) / WASM_PAGE;
        if (pages < GROWTH && __builtin_wasm_memory_grow(0, GROWTH) != SIZE_MAX)
            pages = GROWTH;
        else if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX)
            return NULL;
        end += pages * WASM_PAGE;
    }
    struct header *header = (struct header *)used;
    used += whole;
    header->bytes = bytes;
    return header;
}

void *host_alloc(size_t bytes) {
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    struct free_list *list = list_of(bytes);
    struct header *header = list != NULL ? list->first : NULL;
    if (header == NULL) {
        header = take_new(bytes);
        return header != NULL ? header + 1 : NULL; // it is zero
    }
    list->first = *(struct header **)(header + 1);
    return memset(header + 1, 0, bytes);
}

void host_free(void *memory) {
    if (memory == NULL)
        return;
    struct header *header = (struct header *)memory - 1;
    struct free_list *list = list_of(header->bytes);
    if (list == NULL)
        return; // it is lost; sizes are few
    *(struct header **)memory = list->first;
    list->first = header;
}
