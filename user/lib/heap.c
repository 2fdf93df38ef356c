// The allocator: boundary tags (Knuth, TAOCP 1, 2.5). Each block starts with its size; a free block
// also ends with it, so that both neighbours of a freed block are found at once and joined with it.
//
//   head | bytes in use ...                          | head of the next block
//   head | next | previous | ...              | size | head of the next block
//
// Free blocks are in a ring and allocated first fit. The memory from sbrk ends with a head of size
// 0. A large free block at the end of the heap is given back through sbrk.

#include "heap.h"

#include "cow6.h"

enum {
    IN_USE = 1,
    PREVIOUS_IN_USE = 2,
    FLAGS = 15,
    HEAD_BYTES = sizeof(size_t),
    ALIGNMENT = 16,
    SMALLEST_BYTES = 32, // head, two links, size
    GROW_BYTES = 16 * 1024,
    TRIM_BYTES = 64 * 1024,
};

struct block {
    size_t head;                   // size of the block, a multiple of ALIGNMENT, and flags
    struct block *next, *previous; // in the ring, while free
};

static struct block ring = {.next = &ring, .previous = &ring};
static struct block *heap_end; // the head of size 0, or NULL

static size_t block_size(const struct block *b) {
    return b->head & ~(size_t)FLAGS;
}

static struct block *block_at(struct block *b, size_t offset) {
    return (struct block *)((char *)b + offset);
}

static struct block *block_after(struct block *b) {
    return block_at(b, block_size(b));
}

// Returns the block before b, which must be free.
static struct block *block_before(struct block *b) {
    return (struct block *)((char *)b - ((size_t *)b)[-1]);
}

static void remove_from_ring(struct block *b) {
    b->previous->next = b->next;
    b->next->previous = b->previous;
}

// Makes size bytes at b a free block, joins it with free neighbours and returns the result.
static struct block *release_block(struct block *b, size_t size) {
    struct block *after = block_at(b, size);
    if (!(after->head & IN_USE)) {
        remove_from_ring(after);
        size += block_size(after);
    }
    if (!(b->head & PREVIOUS_IN_USE)) {
        b = block_before(b);
        remove_from_ring(b);
        size += block_size(b);
    }
    after = block_at(b, size);
    b->head = size | PREVIOUS_IN_USE;
    ((size_t *)after)[-1] = size;
    after->head &= ~(size_t)PREVIOUS_IN_USE;
    b->next = ring.next;
    b->previous = &ring;
    b->next->previous = ring.next = b;
    return b;
}

// Makes the first size bytes of b, which is not in the ring, a block in use, and frees the rest.
static void use_block(struct block *b, size_t size) {
    size_t rest = block_size(b) - size;
    size_t previous = b->head & PREVIOUS_IN_USE;
    if (rest < SMALLEST_BYTES) {
        b->head |= IN_USE;
        block_after(b)->head |= PREVIOUS_IN_USE;
        return;
    }
    b->head = size | IN_USE | previous;
    struct block *remainder = block_after(b);
    remainder->head = PREVIOUS_IN_USE;
    release_block(remainder, rest);
}

// Gets more memory, and returns the free block of at least size bytes that this makes, or NULL.
static struct block *grow_heap(size_t size) {
    char *start = sbrk(0);
    size_t odd = -(uintptr_t)start % ALIGNMENT;
    size_t more = odd + (size < GROW_BYTES ? GROW_BYTES : size) + 2 * ALIGNMENT;
    if (more > INT32_MAX || sbrk((int)more) == (char *)-1) {
        errno = ENOMEM;
        return NULL;
    }
    struct block *first = heap_end;
    if (heap_end == NULL || start != (char *)heap_end + HEAD_BYTES) {
        first = (struct block *)(start + odd + HEAD_BYTES);
        first->head = PREVIOUS_IN_USE;
    }
    heap_end = (struct block *)(start + more - HEAD_BYTES);
    heap_end->head = IN_USE;
    return release_block(first, (size_t)((char *)heap_end - (char *)first));
}

// Gives the free block b back to the kernel if it is large and the last one of the heap.
static void trim_heap(struct block *b) {
    size_t size = block_size(b);
    if (size < TRIM_BYTES || size > INT32_MAX || block_after(b) != heap_end)
        return;
    if (sbrk(0) != (char *)heap_end + HEAD_BYTES)
        return;
    remove_from_ring(b);
    if (sbrk(-(int)size) == (char *)-1) {
        release_block(b, size);
        return;
    }
    b->head |= IN_USE; // only the head of b remains: the new end
    b->head &= FLAGS;
    heap_end = b;
}

// Returns the size of a block that holds size_bytes.
static size_t size_for(size_t size_bytes) {
    size_t size = (size_bytes + HEAD_BYTES + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return size < SMALLEST_BYTES ? SMALLEST_BYTES : size;
}

void *malloc(size_t size_bytes) {
    if (size_bytes > INT32_MAX) { // more than sbrk can give
        errno = ENOMEM;
        return NULL;
    }
    size_t size = size_for(size_bytes);
    struct block *b = ring.next;
    while (b != &ring && block_size(b) < size)
        b = b->next;
    if (b == &ring)
        b = grow_heap(size);
    if (b == NULL)
        return NULL;
    remove_from_ring(b);
    use_block(b, size);
    return &b->next;
}

void *calloc(size_t count, size_t size_bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total))
        total = SIZE_MAX;
    void *block = malloc(total);
    return block == NULL ? NULL : memset(block, 0, total);
}

// Returns the block whose bytes start at p. Ends the program if there is none.
static struct block *block_of(void *p) {
    struct block *b = (struct block *)((char *)p - HEAD_BYTES);
    if ((uintptr_t)p % ALIGNMENT == 0 && (b->head & IN_USE) &&
        (block_after(b)->head & PREVIOUS_IN_USE))
        return b;
    fprintf(2, "free: %p is not a block in use\n", p);
    exit(1);
}

void free(void *block) {
    if (block == NULL)
        return;
    struct block *b = block_of(block);
    trim_heap(release_block(b, block_size(b)));
}

void *realloc(void *block, size_t size_bytes) {
    if (block == NULL || size_bytes > INT32_MAX)
        return malloc(size_bytes);
    struct block *b = block_of(block);
    struct block *after = block_after(b);
    size_t size = size_for(size_bytes);
    if (!(after->head & IN_USE) && block_size(b) + block_size(after) >= size) {
        remove_from_ring(after);
        b->head += block_size(after);
        block_after(b)->head |= PREVIOUS_IN_USE;
    }
    if (block_size(b) >= size) {
        use_block(b, size);
        return block;
    }
    void *moved = malloc(size_bytes);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, block_size(b) - HEAD_BYTES);
    free(block);
    return moved;
}
