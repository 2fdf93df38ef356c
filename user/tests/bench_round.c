// Rounds of bench: each prepares something, counts the instructions of a row's calls, and tidies
// up.
#include "bench.h"

// The debugger stops at these two when it profiles what is counted: nothing inlines them.
__attribute__((naked)) static uint64_t count_start(void) {
    __asm__ volatile("rdinstret a0\n\tret");
}

__attribute__((naked)) uint64_t count_end(void) {
    __asm__ volatile("rdinstret a0\n\tret");
}

struct counters start_counters(void) {
    uint64_t idle = idle_count();
    return (struct counters){count_start(), idle};
}

uint64_t counters_since(struct counters start) {
    uint64_t now = count_end();
    return now - start.instructions - (idle_count() - start.idle);
}

static __attribute__((noinline)) void nothing(void) {
    __asm__ volatile("");
}

uint64_t calls_round(const struct row *row) {
    struct counters start = start_counters();
    for (unsigned i = 0; i < row->calls; i++)
        row->operation();
    uint64_t count = counters_since(start);

    uint64_t loop_start = instruction_count();
    for (unsigned i = 0; i < row->calls; i++)
        nothing();
    return count - (instruction_count() - loop_start);
}

// Touches the row's heap, and gives it back.
static void heap_grow(const struct row *row) {
    int size = row->argument * MIB;
    pages_write(heap_take(size), size / PAGE_BYTES);
}

static void heap_shrink(const struct row *row) {
    sbrk(-row->argument * MIB);
}

// Makes the calls just after the heap was touched.
uint64_t heap_first_round(const struct row *row) {
    heap_grow(row);
    uint64_t count = calls_round(row);
    heap_shrink(row);
    return count;
}

// Makes the calls when one has been made since.
uint64_t heap_round(const struct row *row) {
    heap_grow(row);
    row->operation();
    uint64_t count = calls_round(row);
    heap_shrink(row);
    return count;
}

// Counts only what the parent does in fork.
static uint64_t count_fork(void) {
    struct counters start = start_counters();
    int pid = must(fork());
    if (pid == 0)
        exit(0);
    uint64_t count = counters_since(start);
    wait_child(0);
    return count;
}

uint64_t fork_alone_first_round(const struct row *row) {
    heap_grow(row);
    uint64_t count = count_fork();
    heap_shrink(row);
    return count;
}

uint64_t fork_alone_round(const struct row *row) {
    heap_grow(row);
    fork_once();
    uint64_t count = count_fork();
    heap_shrink(row);
    return count;
}

// Writes to pages that a child shares.
uint64_t cow_break_round(const struct row *row) {
    (void)row;
    char *pages = heap_take(COW_PAGES * PAGE_BYTES);
    pages_write(pages, COW_PAGES);
    fork_idler();
    struct counters start = start_counters();
    pages_write(pages, COW_PAGES);
    uint64_t count = counters_since(start);
    end_idler();
    sbrk(-COW_PAGES * PAGE_BYTES);
    return count;
}

// Writes to pages that a child shared until it ended.
uint64_t last_owner_round(const struct row *row) {
    (void)row;
    char *pages = heap_take(COW_PAGES * PAGE_BYTES);
    pages_write(pages, COW_PAGES);
    fork_once();
    struct counters start = start_counters();
    pages_write(pages, COW_PAGES);
    uint64_t count = counters_since(start);
    sbrk(-COW_PAGES * PAGE_BYTES);
    return count;
}

// Writes to present pages of shared memory, for comparison with copy-on-write.
uint64_t shared_write_round(const struct row *row) {
    (void)row;
    char *pages = map_take(MAP_SHARED | MAP_ANONYMOUS);
    pages_write(pages, MAP_PAGES);
    fork_idler();
    struct counters start = start_counters();
    pages_write(pages, MAP_PAGES);
    uint64_t count = counters_since(start);
    end_idler();
    must(munmap(pages, MAP_PAGES * PAGE_BYTES));
    return count;
}

// First touches of shared pages that a child has already touched.
uint64_t shared_touch_round(const struct row *row) {
    (void)row;
    char *pages = map_take(MAP_SHARED | MAP_ANONYMOUS);
    if (must(fork()) == 0) {
        pages_write(pages, MAP_PAGES);
        exit(0);
    }
    wait_child(0);
    struct counters start = start_counters();
    pages_write(pages, MAP_PAGES);
    uint64_t count = counters_since(start);
    must(munmap(pages, MAP_PAGES * PAGE_BYTES));
    return count;
}

uint64_t pipe_same_round(const struct row *row) {
    must(pipe(to_peer));
    uint64_t count = calls_round(row);
    close(to_peer[0]);
    close(to_peer[1]);
    return count;
}

uint64_t pipe_trip_round(const struct row *row) {
    must(pipe(to_peer));
    must(pipe(from_peer));
    if (must(fork()) == 0) {
        close(to_peer[1]);
        while (read(to_peer[0], buffer, 1) == 1)
            write(from_peer[1], buffer, 1);
        exit(0);
    }
    close(to_peer[0]);
    close(from_peer[1]);
    op_pipe_round_trip(); // now the child is running
    uint64_t count = calls_round(row);
    close(from_peer[0]);
    end_idler();
    return count;
}

// Reads what a child writes, both in pieces of the argument's size.
uint64_t pipe_stream_round(const struct row *row) {
    must(pipe(to_peer));
    must(pipe(from_peer));
    if (must(fork()) == 0) {
        read(to_peer[0], buffer, 1);
        for (int done = 0; done < PIPE_TOTAL; done += row->argument)
            must(write(from_peer[1], buffer, row->argument));
        exit(0);
    }
    close(from_peer[1]);
    struct counters start = start_counters();
    write(to_peer[1], buffer, 1);
    for (int done = 0; done < PIPE_TOTAL;)
        done += must(read(from_peer[0], buffer, row->argument));
    uint64_t count = counters_since(start);
    close(from_peer[0]);
    close(to_peer[0]);
    end_idler();
    return count;
}
