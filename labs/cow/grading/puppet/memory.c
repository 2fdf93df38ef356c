// What the probe does with memory by itself: single accesses, patterns, and taking all there is.
#include "probe.h"

// ---- Accesses ----

void store(uint64_t address, uint64_t value, uint64_t bytes) {
    if (bytes == 1)
        asm volatile("sb %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
    else if (bytes == 2)
        asm volatile("sh %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
    else if (bytes == 4)
        asm volatile("sw %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
    else
        asm volatile("sd %0, 0(%1)" : : "r"(value), "r"(address) : "memory");
}

uint64_t load(uint64_t address, uint64_t bytes) {
    if (bytes == 1)
        return *(volatile uint8_t *)address;
    uint64_t value;
    asm volatile("ld %0, 0(%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

uint64_t add_atomically(uint64_t address, uint64_t value) {
    return __atomic_fetch_add((uint64_t *)address, value, __ATOMIC_SEQ_CST);
}

long jump(uint64_t address) {
    asm volatile("fence.i" : : : "memory");
    return ((long (*)(void))address)();
}

// The first load brings the page's translation into the hart's TLB, before the kernel changes it.
long read_load(uint64_t fd, uint64_t address, uint64_t bytes, long *got) {
    load(address, 8);
    *got = system_call(READ, fd, address, bytes);
    return (long)load(address, 8);
}

// ---- Patterns ----

void fill(uint64_t address, uint64_t words, uint64_t seed) {
    for (uint64_t end = address + 8 * words; address < end; address += 8)
        *(volatile uint64_t *)address = pattern(seed, address);
}

long count_wrong(uint64_t address, uint64_t words, uint64_t seed, long *first) {
    long wrong = 0;
    *first = 0;
    for (uint64_t end = address + 8 * words; address < end; address += 8) {
        if (*(volatile uint64_t *)address == pattern(seed, address))
            continue;
        if (wrong++ == 0)
            *first = (long)address;
    }
    return wrong;
}

// Makes no system call.
uint64_t sum_pages(uint64_t address, uint64_t pages) {
    uint64_t sum = 0;
    for (; pages > 0; pages--) {
        page_begins();
        for (uint64_t end = address + PAGE; address < end; address += 8)
            sum += *(volatile uint64_t *)address;
    }
    return sum;
}

// ---- All memory ----

// Grows the heap by as many pages as there are, in steps that get smaller. If there seem to be more
// than `most`, sbrk grants memory that it has not reserved: then everything is given back.
static long grow_to_the_limit(long step, long most) {
    long pages = 0;
    for (; step > 0; step /= 2) {
        while (pages <= most && sbrk(step * PAGE) != ~0UL)
            pages += step;
    }
    if (pages <= most)
        return pages;
    sbrk(-pages * PAGE);
    return -1;
}

void touch(uint64_t address, long pages) {
    for (; pages > 0; pages--, address += PAGE)
        *(volatile uint64_t *)address = address;
}

long hoard(long step, long most, long stride, long ahead) {
    uint64_t start = sbrk(ahead * PAGE);
    ahead = start == ~0UL ? 0 : ahead;
    touch(start, ahead);
    long pages = grow_to_the_limit(step, most);
    if (pages < 0) {
        sbrk(-ahead * PAGE);
        return pages;
    }
    pages += ahead;
    uint64_t end = sbrk(0);
    for (long page = 0; page < pages; page += stride)
        touch(end - (uint64_t)(pages - page) * PAGE, 1);
    if (pages > 0)
        touch(end - PAGE, 1);
    return pages;
}
