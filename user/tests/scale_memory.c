// Rounds with `size` pages of memory: what is done to pages costs no more for each of them when
// there are many.
#include "scale.h"

static void heap_free(int pages) {
    sbrk(-pages * PAGE_BYTES);
}

// ---- fork ----

static uint64_t forks_round(int size, int forks_before) {
    heap_write(size);
    for (int i = 0;; i++) {
        work_begin();
        if (must(fork()) == 0)
            exit(0);
        wait_child(0);
        uint64_t count = work_end();
        if (i < forks_before)
            continue;
        heap_free(size);
        return count;
    }
}

// The first fork after the pages were written.
uint64_t fork_first_round(int size) {
    return forks_round(size, 0);
}

// The next one.
uint64_t fork_later_round(int size) {
    return forks_round(size, 1);
}

// ---- Page faults ----

uint64_t grow_round(int size) {
    work_begin();
    heap_write(size);
    heap_free(size);
    return work_end();
}

uint64_t map_round(int size) {
    size_t bytes = (size_t)size * PAGE_BYTES;
    work_begin();
    char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(start == MAP_FAILED ? -1 : 0);
    pages_write(start, size);
    must(munmap(start, bytes));
    return work_end();
}

// ---- With a child that waits ----

static int gate[2], ready[2]; // pipes

static void child_start(void (*prepare)(int size), int size) {
    must(pipe(gate));
    must(pipe(ready));
    if (must(fork()) == 0) {
        close(gate[1]);
        prepare(size);
        must(write(ready[1], buffer, 1));
        must(read(gate[0], buffer, 1));
        exit(0);
    }
    must(read(ready[0], buffer, 1));
}

// Lets the child end.
static void child_end(void) {
    close(gate[1]);
    wait_child(0);
}

static void close_pipes(void) {
    close(gate[0]);
    close(ready[0]);
    close(ready[1]);
}

static void nothing(int size) {
    (void)size;
}

// Writes to pages that the child shares.
uint64_t cow_round(int size) {
    char *start = heap_write(size);
    child_start(nothing, size);
    work_begin();
    pages_write(start, size);
    uint64_t count = work_end();
    child_end();
    close_pipes();
    heap_free(size);
    return count;
}

static void heap_touch(int size) {
    heap_write(size);
}

// Lets the child end, which has so many pages of its own.
uint64_t exit_round(int size) {
    child_start(heap_touch, size);
    work_begin();
    child_end();
    uint64_t count = work_end();
    close_pipes();
    return count;
}
