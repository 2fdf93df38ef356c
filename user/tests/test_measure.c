// Help for programs that count instructions.
#include "test_measure.h"

#include "tool.h"

const char *current;

int must(int result) {
    if (result < 0) {
        warn("%s: %s", current, strerror(errno));
        exit(1);
    }
    return result;
}

void wait_child(int expected_status) {
    int status;
    must(wait(&status));
    if (status != expected_status) {
        warn("%s: a child ended with status %d", current, status);
        exit(1);
    }
}

void fork_once(void) {
    if (must(fork()) == 0)
        exit(0);
    wait_child(0);
}

char *heap_take(int size) {
    char *start = sbrk(size);
    if (start == (char *)-1)
        must(-1);
    return start;
}

void pages_write(char *start, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        ((volatile char *)start)[i * (size_t)PAGE_BYTES] = 1;
}

uint64_t instruction_count(void) {
    uint64_t count;
    __asm__ volatile("rdinstret %0" : "=r"(count)::"memory");
    return count;
}

uint64_t idle_count(void) {
    struct memstat stat;
    must(memstat(&stat, 0));
    return stat.idle_instructions;
}
